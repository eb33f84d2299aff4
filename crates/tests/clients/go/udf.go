package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	as "github.com/aerospike/aerospike-client-go/v8"
	"github.com/aerospike/aerospike-client-go/v8/types"
)

// Checks of functions in Lua: on records, in batches, in the background, and in aggregations.
func udfChecks() []check {
	return []check{
		{"udf_modules", udfModules},
		{"udf_compile_error", udfCompileError},
		{"udf_values", udfValues},
		{"udf_writes", udfWrites},
		{"udf_fails", udfFails},
		{"udf_loops", udfLoops},
		{"udf_batch", udfBatch},
		{"udf_background", udfBackground},
		{"udf_aggregate", udfAggregate},
		{"udf_aggregate_where", udfAggregateWhere},
		{"udf_aggregate_fails", udfAggregateFails},
		{"udf_remove", udfRemove},
	}
}

const (
	udfExecution = 100
	udfCount     = 200
	udfSet       = "udfs"
	udfModule    = "checks"
	udfFile      = udfModule + ".lua"
)

// luaFolder is where the modules are.
func luaFolder() string {
	return os.Args[3]
}

// --- modules ---

// register sends a module, and waits until it is there.
func register(client *as.Client, file string) error {
	path := filepath.Join(luaFolder(), file)
	task, err := client.RegisterUDFFromFile(nil, path, file, as.LUA)
	if err != nil {
		return err
	}
	return asError(<-task.OnComplete())
}

// hasModules demands that these are the modules.
func hasModules(client *as.Client, expected ...string) error {
	modules, err := client.ListUDF(nil)
	if err != nil {
		return err
	}
	names := []string{}
	for _, module := range modules {
		names = append(names, module.Filename)
		if module.Language != as.LUA || len(module.Hash) != 40 {
			return fmt.Errorf("module %+v", *module)
		}
	}
	return equal(names, append([]string{}, expected...))
}

func udfModules(client *as.Client, key *as.Key) error {
	if err := all(register(client, udfFile), hasModules(client, udfFile)); err != nil {
		return err
	}
	task, err := client.RegisterUDF(nil, []byte("function five() return 5 end"), "five.lua", as.LUA)
	if err != nil {
		return err
	}
	if err := <-task.OnComplete(); err != nil {
		return err
	}
	five, err := client.Execute(nil, key, "five", "five")
	if err != nil {
		return err
	}
	return all(
		equal(five, any(5)),
		removeModule(client, "five.lua"),
		hasModules(client, udfFile),
	)
}

func removeModule(client *as.Client, file string) error {
	task, err := client.RemoveUDF(nil, file)
	if err != nil {
		return err
	}
	return asError(<-task.OnComplete())
}

func udfCompileError(client *as.Client, _ *as.Key) error {
	err := register(client, "unfinished.lua")
	return all(
		contains(err, "compile_error"),
		contains(err, "File: unfinished.lua"),
		contains(err, "Line: 5"),
		contains(err, "unexpected symbol near 'end'"),
		hasModules(client, udfFile),
	)
}

func udfRemove(client *as.Client, key *as.Key) error {
	return all(
		removeModule(client, udfFile),
		hasModules(client),
		hasCode(udfExecution, fails(client, key, "echo", as.NewValue(1))),
		// There is nothing to say about a module that is not there.
		removeModule(client, udfFile),
	)
}

// --- functions on one record ---

// yields demands that a call returns this value.
func yields(
	client *as.Client,
	key *as.Key,
	expected any,
	function string,
	arguments ...as.Value,
) error {
	value, err := client.Execute(nil, key, udfModule, function, arguments...)
	if err != nil {
		return err
	}
	return equal(value, expected)
}

// fails is the error of a call.
func fails(client *as.Client, key *as.Key, function string, arguments ...as.Value) error {
	_, err := client.Execute(nil, key, udfModule, function, arguments...)
	return asError(err)
}

// contains demands an error with this text.
func contains(err error, part string) error {
	if err == nil {
		return fmt.Errorf("succeeded, expected %s", part)
	}
	if !strings.Contains(err.Error(), part) {
		return fmt.Errorf("lacks %s: %w", part, err)
	}
	return nil
}

func udfValues(client *as.Client, key *as.Key) error {
	values := []any{
		1, math.MinInt64, 2.5, "text", true, nil, []byte{0, 255, 7},
		[]any{1, []any{"a"}, nil}, map[any]any{"k": []any{1, map[any]any{"x": 2.5}}},
	}
	for _, value := range values {
		if err := yields(client, key, value, "echo", as.NewValue(value)); err != nil {
			return err
		}
	}
	described := map[any]any{"n": 7, "names": []any{"n", "group"}}
	return all(
		yields(client, key, []byte("made"), "bytes_of", as.NewValue("made")),
		put(client, nil, key, as.BinMap{"n": 7}),
		yields(client, key, described, "described"),
	)
}

func udfWrites(client *as.Client, key *as.Key) error {
	added := all(
		yields(client, key, 5, "add", as.NewValue("n"), as.NewValue(5)),
		yields(client, key, 7, "add", as.NewValue("n"), as.NewValue(2)),
	)
	if added != nil {
		return added
	}
	record, err := client.Get(nil, key)
	if err != nil {
		return err
	}
	return all(
		equal(record.Bins, as.BinMap{"n": 7}),
		equal(record.Generation, uint32(2)),
		yields(client, key, 0, "remove"),
		isGone(client, key),
	)
}

func udfFails(client *as.Client, key *as.Key) error {
	onPurpose, none := fails(client, key, "fail"), fails(client, key, "none")
	_, nowhere := client.Execute(nil, key, "nowhere", "echo")
	return all(
		hasCode(udfExecution, onPurpose),
		contains(onPurpose, "checks.lua:28: on purpose"),
		hasCode(udfExecution, none),
		contains(none, "function not found"),
		hasCode(udfExecution, asError(nowhere)),
		contains(nowhere, "UDF: Execution Error 1"),
		isGone(client, key),
	)
}

func udfLoops(client *as.Client, key *as.Key) error {
	patient := as.NewWritePolicy(0, 0)
	patient.TotalTimeout = 0
	_, err := client.Execute(patient, key, udfModule, "loop")
	return all(
		hasCode(udfExecution, asError(err)),
		contains(err, "UDF Execution Timeout"),
		yields(client, key, 3, "echo", as.NewValue(3)),
	)
}

// --- functions on many records ---

// udfRecords writes the records; their keys.
func udfRecords(client *as.Client) ([]*as.Key, error) {
	keys := []*as.Key{}
	for number := range udfCount {
		key, err := as.NewKey("test", udfSet, number)
		if err != nil {
			return nil, err
		}
		bins := as.BinMap{"n": number, "group": fmt.Sprint("g", number%3)}
		if err := put(client, action(as.REPLACE), key, bins); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func udfBatch(client *as.Client, _ *as.Key) error {
	keys, err := udfRecords(client)
	if err != nil {
		return err
	}
	extra, four, one := as.NewValue("extra"), as.NewValue(4), as.NewValue(1)
	rows, failure := client.BatchExecute(nil, nil, keys[:50], udfModule, "add", extra, four)
	if failure != nil {
		return failure
	}
	for _, row := range rows {
		if err := equal(row.ResultCode, types.OK); err != nil {
			return err
		}
		if err := equal(row.Record.Bins, as.BinMap{"SUCCESS": 4}); err != nil {
			return err
		}
	}
	add := as.NewBatchUDF(nil, keys[0], udfModule, "add", extra, one)
	read := as.NewBatchRead(nil, keys[0], nil)
	read.ReadAllBins = true
	fail := as.NewBatchUDF(nil, keys[1], udfModule, "fail")
	if err := client.BatchOperate(nil, []as.BatchRecordIfc{add, read, fail}); err != nil {
		return err
	}
	codes := []types.ResultCode{add.ResultCode, read.ResultCode, fail.ResultCode}
	return all(
		equal(codes, []types.ResultCode{types.OK, types.OK, udfExecution}),
		equal(read.Record.Bins, as.BinMap{"n": 0, "group": "g0", "extra": 5}),
		contains(fail.Err, "on purpose"),
	)
}

func udfBackground(client *as.Client, _ *as.Key) error {
	keys, err := udfRecords(client)
	if err != nil {
		return err
	}
	index, err := create(client, index{"udfs_by_n", udfSet, "n", as.NUMERIC, as.ICT_DEFAULT, nil})
	if err != nil {
		return err
	}
	if err := <-index; err != nil {
		return err
	}
	add := func(statement *as.Statement, name string, amount int) (*as.ExecuteTask, error) {
		task, err := client.ExecuteUDF(
			nil, statement, udfModule, "add", as.NewValue(name), as.NewValue(amount))
		if err != nil {
			return nil, err
		}
		return task, asError(<-task.OnComplete())
	}
	if _, err := add(as.NewStatement("test", udfSet), "all", 1); err != nil {
		return err
	}
	task, err := add(where(udfSet, as.NewRangeFilter("n", 50, 99)), "some", 9)
	if err != nil {
		return err
	}
	if err := succeededIn(client, task.TaskId(), 50); err != nil {
		return err
	}
	for number, key := range keys {
		bins := as.BinMap{"n": number, "group": fmt.Sprint("g", number%3), "all": 1}
		if number >= 50 && number < 100 {
			bins["some"] = 9
		}
		if err := hasBins(client, key, bins); err != nil {
			return err
		}
	}
	return nil
}

// succeededIn demands that all nodes together have changed so many records in a job.
func succeededIn(client *as.Client, job uint64, expected int) error {
	command := fmt.Sprintf("query-show:trid=%d", job)
	sum := 0
	for _, node := range client.GetNodes() {
		shown, failure := node.RequestInfo(as.NewInfoPolicy(), command)
		if failure != nil {
			return failure
		}
		_, rest, _ := strings.Cut(shown[command], ":recs-succeeded=")
		count, rest, _ := strings.Cut(rest, ":")
		succeeded, err := strconv.Atoi(count)
		if err != nil || !strings.HasPrefix(rest, "recs-failed=0:") {
			return errors.New(shown[command])
		}
		sum += succeeded
	}
	return equal(sum, expected)
}

// --- aggregations ---

// aggregate is all that an aggregation yields once this client has reduced it with a Lua of its
// own, in which every number is a float.
func aggregate(
	client *as.Client,
	filter *as.Filter,
	function string,
	arguments ...as.Value,
) ([]any, error) {
	as.SetLuaPath(luaFolder() + string(filepath.Separator))
	statement := as.NewStatement("test", udfSet)
	if filter != nil {
		statement = where(udfSet, filter)
	}
	records, err := collect(
		client.QueryAggregate(nil, statement, udfModule, function, arguments...))
	values := []any{}
	for _, record := range records {
		values = append(values, record.Bins["SUCCESS"])
	}
	return values, err
}

func yieldsTotal(client *as.Client, filter *as.Filter, expected ...any) error {
	values, err := aggregate(client, filter, "total")
	if err != nil {
		return err
	}
	return equal(values, append([]any{}, expected...))
}

func yieldsGroups(client *as.Client, filter *as.Filter, expected map[any]any) error {
	values, err := aggregate(client, filter, "groups")
	if err != nil {
		return err
	}
	return equal(values, []any{expected})
}

// yieldsLarge demands that what is not below the limit are these numbers.
func yieldsLarge(client *as.Client, filter *as.Filter, limit int, expected []int) error {
	values, err := aggregate(client, filter, "large", as.NewValue(limit))
	if err != nil {
		return err
	}
	numbers := []int{}
	for _, value := range values {
		number, _ := value.(float64)
		numbers = append(numbers, int(number))
	}
	slices.Sort(numbers)
	return equal(numbers, expected)
}

const udfTotal = float64(udfCount * (udfCount - 1) / 2)

func udfAggregate(client *as.Client, _ *as.Key) error {
	return all(
		yieldsTotal(client, nil, udfTotal),
		yieldsGroups(client, nil, map[any]any{"g0": 67.0, "g1": 67.0, "g2": 66.0}),
		yieldsLarge(client, nil, 150, between(150, udfCount)),
		yieldsLarge(client, nil, udfCount, []int{}),
	)
}

func udfAggregateWhere(client *as.Client, _ *as.Key) error {
	some := as.NewRangeFilter("n", 10, 19)
	return all(
		yieldsTotal(client, some, 145.0),
		yieldsGroups(client, some, map[any]any{"g0": 3.0, "g1": 4.0, "g2": 3.0}),
		yieldsLarge(client, some, 15, between(15, 20)),
		yieldsTotal(client, as.NewEqualFilter("n", udfCount)),
	)
}

func udfAggregateFails(client *as.Client, _ *as.Key) error {
	_, err := aggregate(client, nil, "broken")
	return all(contains(err, "on purpose"), yieldsTotal(client, nil, udfTotal))
}
