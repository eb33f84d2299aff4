package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	as "github.com/aerospike/aerospike-client-go/v8"
)

// Checks of scans, secondary indexes and queries with them, and operations in the background.
func queryChecks() []check {
	return []check{
		{"scan_set", scanSet},
		{"scan_bins", scanBins},
		{"scan_no_bins", scanNoBins},
		{"scan_max_records", scanMaxRecords},
		{"scan_rate", scanRate},
		{"scan_filter", scanFilter},
		{"scan_partitions", scanPartitions},
		{"scan_resume", scanResume},
		{"index_create", indexCreate},
		{"query_integer", queryInteger},
		{"query_string", queryString},
		{"query_blob", queryBlob},
		{"query_list", queryList},
		{"query_map", queryMap},
		{"query_nested", queryNested},
		{"query_geo_region", queryGeoRegion},
		{"query_geo_point", queryGeoPoint},
		{"query_filter", queryFilter},
		{"query_bins", queryBins},
		{"query_max_records", queryMaxRecords},
		{"query_resume", queryResume},
		{"query_short", queryShort},
		{"query_changes", queryChanges},
		{"query_expired", queryExpired},
		{"query_no_index", queryNoIndex},
		{"background_scan", backgroundScan},
		{"background_query", backgroundQuery},
		{"background_filter", backgroundFilter},
		{"background_abort", backgroundAbort},
		{"index_drop", indexDrop},
	}
}

const (
	indexNotFound = 201
	recordCount   = 300
	querySet      = "queries"
	changesSet    = "query_changes"
	backgroundSet = "query_background"
)

// --- the records ---

// placeOf is longitude and latitude of a record's point; its region is a square around it.
func placeOf(number int) (float64, float64) {
	return float64(number % 20), float64(number / 20)
}

func rectangle(left, bottom, right, top float64) string {
	return fmt.Sprintf(`{"type":"Polygon","coordinates":[[[%g,%g],[%g,%g],[%g,%g],[%g,%g],[%g,%g]]]}`,
		left, bottom, right, bottom, right, top, left, top, left, bottom)
}

func point(longitude, latitude float64) string {
	return fmt.Sprintf(`{"type":"Point","coordinates":[%g,%g]}`, longitude, latitude)
}

func listOf(number int) []any {
	return []any{number % 10, 100 + number%3}
}

func putAll(client *as.Client) error {
	for number := range recordCount {
		x, y := placeOf(number)
		bins := as.BinMap{
			"n": number,
			"s": fmt.Sprint("group ", number%7),
			"b": []byte{byte(number % 5), 255},
			"l": listOf(number),
			"m": map[any]any{fmt.Sprint("k", number%4): number % 6, "all": 1000 + number},
			"d": map[any]any{"deep": []any{number % 8, 50}},
			"p": as.NewGeoJSONValue(point(x, y)),
			"r": as.NewGeoJSONValue(rectangle(x-0.75, y-0.75, x+0.75, y+0.75)),
		}
		if err := putNumbered(client, nil, querySet, number, bins); err != nil {
			return err
		}
	}
	return nil
}

func putNumbered(
	client *as.Client,
	policy *as.WritePolicy,
	set string,
	number int,
	bins as.BinMap,
) error {
	key, err := as.NewKey("test", set, number)
	if err != nil {
		return err
	}
	return put(client, policy, key, bins)
}

// those are the numbers of the records for which this is so.
func those(condition func(int) bool) []int {
	numbers := []int{}
	for number := range recordCount {
		if condition(number) {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

func between(begin, end int) []int {
	numbers := []int{}
	for number := begin; number < end; number++ {
		numbers = append(numbers, number)
	}
	return numbers
}

// --- asking for them ---

// collect takes all that a stream brings.
func collect(stream *as.Recordset, failure as.Error) ([]*as.Record, error) {
	if failure != nil {
		return nil, failure
	}
	var records []*as.Record
	for result := range stream.Results() {
		if result.Err != nil {
			return nil, result.Err
		}
		records = append(records, result.Record)
	}
	return records, nil
}

// numbersOf says which records these are, each as often as it was returned.
func numbersOf(records []*as.Record) []int {
	numbers := []int{}
	for _, record := range records {
		number, _ := record.Bins["n"].(int)
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	return numbers
}

// areRecords demands that these records came, each once.
func areRecords(records []*as.Record, failure error, expected []int) error {
	if failure != nil {
		return failure
	}
	return equal(numbersOf(records), expected)
}

func where(set string, filter *as.Filter, bins ...string) *as.Statement {
	statement := as.NewStatement("test", set, bins...)
	if err := statement.SetFilter(filter); err != nil {
		panic(err)
	}
	return statement
}

// finds demands that a query with this where clause finds these records.
func finds(client *as.Client, filter *as.Filter, expected []int) error {
	return findsIn(client, querySet, filter, expected)
}

func findsIn(client *as.Client, set string, filter *as.Filter, expected []int) error {
	records, err := collect(client.Query(nil, where(set, filter)))
	return areRecords(records, err, expected)
}

func findsNoIndex(client *as.Client, set string, filter *as.Filter) error {
	_, err := collect(client.Query(nil, where(set, filter)))
	return hasCode(indexNotFound, err)
}

func isMultipleOf(divisor int64) *as.Expression {
	rest := as.ExpNumMod(as.ExpIntBin("n"), as.ExpIntVal(divisor))
	return as.ExpEq(rest, as.ExpIntVal(0))
}

// areSome demands so many records, each once, of those from begin to end.
func areSome(records []*as.Record, failure error, count, begin, end int) error {
	if failure != nil {
		return failure
	}
	numbers := slices.Compact(numbersOf(records))
	return all(
		equal(len(numbers), count),
		equal(numbers[0] >= begin && numbers[len(numbers)-1] < end, true),
	)
}

// inQuarters takes all that comes of each quarter of the partitions.
func inQuarters(query func(*as.PartitionFilter) (*as.Recordset, as.Error)) ([]*as.Record, error) {
	var records []*as.Record
	for begin := 0; begin < 4096; begin += 1024 {
		some, err := collect(query(as.NewPartitionFilterByRange(begin, 1024)))
		if err != nil {
			return nil, err
		}
		if len(some) == 0 {
			return nil, errors.New("nothing in a quarter of the partitions")
		}
		records = append(records, some...)
	}
	return records, nil
}

// inPages takes all that comes, page by page.
func inPages(query func(*as.PartitionFilter) (*as.Recordset, as.Error)) ([]*as.Record, error) {
	var records []*as.Record
	rest := as.NewPartitionFilterAll()
	for {
		page, err := collect(query(rest))
		if err != nil {
			return nil, err
		}
		if len(page) > 70 {
			return nil, fmt.Errorf("a page of %d", len(page))
		}
		records = append(records, page...)
		if rest.IsDone() {
			return records, nil
		}
		// What is left may be told in bytes, for instance to another process.
		cursor, failure := rest.EncodeCursor()
		if failure != nil {
			return nil, failure
		}
		rest = as.NewPartitionFilterAll()
		if err := rest.DecodeCursor(cursor); err != nil {
			return nil, err
		}
	}
}

// --- scans ---

func scanSet(client *as.Client, _ *as.Key) error {
	if err := putAll(client); err != nil {
		return err
	}
	records, err := collect(client.ScanAll(nil, "test", querySet))
	if err := areRecords(records, err, between(0, recordCount)); err != nil {
		return err
	}
	for _, record := range records {
		number := record.Bins["n"].(int)
		key, err := as.NewKey("test", querySet, number)
		if err != nil {
			return err
		}
		whole := all(
			equal(record.Key.Digest(), key.Digest()),
			equal(record.Generation, uint32(1)),
			equal(record.Bins["l"], any(listOf(number))),
			equal(len(record.Bins), 8),
		)
		if whole != nil {
			return whole
		}
	}
	records, err = collect(client.ScanAll(nil, "test", "no-such-set"))
	return areRecords(records, err, []int{})
}

func scanBins(client *as.Client, _ *as.Key) error {
	records, err := collect(client.ScanAll(nil, "test", querySet, "n", "s", "none"))
	if err := areRecords(records, err, between(0, recordCount)); err != nil {
		return err
	}
	for _, record := range records {
		number := record.Bins["n"].(int)
		bins := as.BinMap{"n": number, "s": fmt.Sprint("group ", number%7)}
		if err := equal(record.Bins, bins); err != nil {
			return err
		}
	}
	return nil
}

func scanNoBins(client *as.Client, _ *as.Key) error {
	policy := as.NewScanPolicy()
	policy.IncludeBinData = false
	records, err := collect(client.ScanAll(policy, "test", querySet))
	if err != nil {
		return err
	}
	digests := map[string]bool{}
	for _, record := range records {
		digests[string(record.Key.Digest())] = true
		if err := equal(len(record.Bins), 0); err != nil {
			return err
		}
	}
	expected := map[string]bool{}
	for number := range recordCount {
		key, err := as.NewKey("test", querySet, number)
		if err != nil {
			return err
		}
		expected[string(key.Digest())] = true
	}
	return all(equal(len(records), recordCount), equal(digests, expected))
}

func scanMaxRecords(client *as.Client, _ *as.Key) error {
	policy := as.NewScanPolicy()
	policy.MaxRecords = 50
	records, err := collect(client.ScanAll(policy, "test", querySet))
	return areSome(records, err, 50, 0, recordCount)
}

func scanRate(client *as.Client, _ *as.Key) error {
	policy := as.NewScanPolicy()
	policy.RecordsPerSecond = 1000
	records, err := collect(client.ScanAll(policy, "test", querySet))
	return areRecords(records, err, between(0, recordCount))
}

func scanFilter(client *as.Client, _ *as.Key) error {
	policy := as.NewScanPolicy()
	policy.FilterExpression = isMultipleOf(2)
	records, err := collect(client.ScanAll(policy, "test", querySet))
	return areRecords(records, err, those(func(n int) bool { return n%2 == 0 }))
}

func scanPartitions(client *as.Client, _ *as.Key) error {
	records, err := inQuarters(func(part *as.PartitionFilter) (*as.Recordset, as.Error) {
		return client.ScanPartitions(nil, part, "test", querySet)
	})
	return areRecords(records, err, between(0, recordCount))
}

func scanResume(client *as.Client, _ *as.Key) error {
	policy := as.NewScanPolicy()
	policy.MaxRecords = 70
	records, err := inPages(func(part *as.PartitionFilter) (*as.Recordset, as.Error) {
		return client.ScanPartitions(policy, part, "test", querySet)
	})
	return areRecords(records, err, between(0, recordCount))
}

// --- indexes ---

// index is a secondary index that the checks need.
type index struct {
	name, set, bin string
	data           as.IndexType
	kind           as.IndexCollectionType
	context        []*as.CDTContext
}

func deep() *as.CDTContext {
	return as.CtxMapKey(as.NewValue("deep"))
}

func indexes() []index {
	return []index{
		{"by_n", querySet, "n", as.NUMERIC, as.ICT_DEFAULT, nil},
		{"by_s", querySet, "s", as.STRING, as.ICT_DEFAULT, nil},
		{"by_b", querySet, "b", as.BLOB, as.ICT_DEFAULT, nil},
		{"by_p", querySet, "p", as.GEO2DSPHERE, as.ICT_DEFAULT, nil},
		{"by_r", querySet, "r", as.GEO2DSPHERE, as.ICT_DEFAULT, nil},
		{"by_l", querySet, "l", as.NUMERIC, as.ICT_LIST, nil},
		{"by_key", querySet, "m", as.STRING, as.ICT_MAPKEYS, nil},
		{"by_value", querySet, "m", as.NUMERIC, as.ICT_MAPVALUES, nil},
		{"by_d", querySet, "d", as.NUMERIC, as.ICT_LIST, []*as.CDTContext{deep()}},
		{"changes_by_n", changesSet, "n", as.NUMERIC, as.ICT_DEFAULT, nil},
		{"background_by_n", backgroundSet, "n", as.NUMERIC, as.ICT_DEFAULT, nil},
	}
}

func create(client *as.Client, wanted index) (chan as.Error, error) {
	var task *as.IndexTask
	var err as.Error
	if wanted.kind == as.ICT_DEFAULT {
		task, err = client.CreateIndex(nil, "test", wanted.set, wanted.name, wanted.bin, wanted.data)
	} else {
		task, err = client.CreateComplexIndex(nil, "test", wanted.set, wanted.name, wanted.bin,
			wanted.data, wanted.kind, wanted.context...)
	}
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", wanted.name, err)
	}
	return task.OnComplete(), nil
}

func indexCreate(client *as.Client, _ *as.Key) error {
	var tasks []chan as.Error
	for _, wanted := range indexes() {
		task, err := create(client, wanted)
		if err != nil {
			return err
		}
		tasks = append(tasks, task)
	}
	for _, task := range tasks {
		if err := <-task; err != nil {
			return err
		}
	}
	return nil
}

func indexDrop(client *as.Client, _ *as.Key) error {
	byNumber := as.NewEqualFilter("n", 42)
	if err := finds(client, byNumber, []int{42}); err != nil {
		return err
	}
	for _, dropped := range indexes() {
		if err := client.DropIndex(nil, "test", dropped.set, dropped.name); err != nil {
			return err
		}
	}
	gone := all(
		findsNoIndex(client, querySet, byNumber),
		findsNoIndex(client, querySet, as.NewContainsFilter("l", as.ICT_LIST, 4)),
		findsNoIndex(client, querySet, as.NewContainsFilter("d", as.ICT_LIST, 6, deep())),
	)
	if gone != nil {
		return gone
	}
	// Created again, it has the records that exist already.
	again := indexes()[0]
	task, err := create(client, again)
	if err != nil {
		return err
	}
	return all(
		asError(<-task),
		finds(client, byNumber, []int{42}),
		asError(client.DropIndex(nil, "test", again.set, again.name)),
	)
}

// --- queries ---

func queryInteger(client *as.Client, _ *as.Key) error {
	return all(
		finds(client, as.NewEqualFilter("n", 42), []int{42}),
		finds(client, as.NewRangeFilter("n", 100, 149), between(100, 150)),
		finds(client, as.NewRangeFilter("n", -5, 3), between(0, 4)),
		finds(client, as.NewEqualFilter("n", recordCount), []int{}),
	)
}

func queryString(client *as.Client, _ *as.Key) error {
	expected := those(func(n int) bool { return n%7 == 3 })
	return all(
		finds(client, as.NewEqualFilter("s", "group 3"), expected),
		finds(client, as.NewEqualFilter("s", "group 7"), []int{}),
	)
}

func queryBlob(client *as.Client, _ *as.Key) error {
	expected := those(func(n int) bool { return n%5 == 2 })
	return all(
		finds(client, as.NewEqualFilter("b", []byte{2, 255}), expected),
		finds(client, as.NewEqualFilter("b", []byte{2}), []int{}),
	)
}

func queryList(client *as.Client, _ *as.Key) error {
	fours := those(func(n int) bool { return n%10 == 4 })
	ones := those(func(n int) bool { return n%3 == 1 })
	some := those(func(n int) bool { return n%10 >= 3 && n%10 <= 5 })
	return all(
		finds(client, as.NewContainsFilter("l", as.ICT_LIST, 4), fours),
		finds(client, as.NewContainsFilter("l", as.ICT_LIST, 101), ones),
		finds(client, as.NewContainsRangeFilter("l", as.ICT_LIST, 3, 5), some),
	)
}

func queryMap(client *as.Client, _ *as.Key) error {
	twos := those(func(n int) bool { return n%4 == 2 })
	fives := those(func(n int) bool { return n%6 == 5 })
	return all(
		finds(client, as.NewContainsFilter("m", as.ICT_MAPKEYS, "k2"), twos),
		finds(client, as.NewContainsFilter("m", as.ICT_MAPKEYS, "all"), between(0, recordCount)),
		finds(client, as.NewContainsFilter("m", as.ICT_MAPVALUES, 5), fives),
		finds(client, as.NewContainsRangeFilter("m", as.ICT_MAPVALUES, 1010, 1019), between(10, 20)),
	)
}

func queryNested(client *as.Client, _ *as.Key) error {
	sixes := those(func(n int) bool { return n%8 == 6 })
	some := those(func(n int) bool { return n%8 == 2 || n%8 == 3 })
	return all(
		finds(client, as.NewContainsFilter("d", as.ICT_LIST, 6, deep()), sixes),
		finds(client, as.NewContainsRangeFilter("d", as.ICT_LIST, 2, 3, deep()), some),
	)
}

func queryGeoRegion(client *as.Client, _ *as.Key) error {
	inBox := those(func(number int) bool {
		x, y := placeOf(number)
		return x >= 5 && x <= 9 && y >= 3 && y <= 6
	})
	inCircle := those(func(number int) bool {
		x, y := placeOf(number)
		return (x-10)*(x-10)+(y-5)*(y-5) <= 7
	})
	return all(
		finds(client, as.NewGeoWithinRegionFilter("p", rectangle(4.5, 2.5, 9.5, 6.5)), inBox),
		finds(client, as.NewGeoWithinRadiusFilter("p", 10, 5, 300_000), inCircle),
	)
}

func queryGeoPoint(client *as.Client, _ *as.Key) error {
	near := those(func(number int) bool {
		x, y := placeOf(number)
		return math.Abs(x-7.2) < 0.75 && math.Abs(y-4.3) < 0.75
	})
	return all(
		finds(client, as.NewGeoRegionsContainingPointFilter("r", point(7.2, 4.3)), near),
		finds(client, as.NewGeoRegionsContainingPointFilter("r", point(-40, 4.3)), []int{}),
	)
}

func queryFilter(client *as.Client, _ *as.Key) error {
	policy := as.NewQueryPolicy()
	policy.FilterExpression = isMultipleOf(5)
	records, err := collect(client.Query(policy, where(querySet, as.NewRangeFilter("n", 50, 99))))
	return areRecords(records, err, those(func(n int) bool { return n >= 50 && n < 100 && n%5 == 0 }))
}

func queryBins(client *as.Client, _ *as.Key) error {
	some := as.NewRangeFilter("n", 10, 12)
	records, err := collect(client.Query(nil, where(querySet, some, "n", "l")))
	if err := areRecords(records, err, between(10, 13)); err != nil {
		return err
	}
	for _, record := range records {
		number := record.Bins["n"].(int)
		if err := equal(record.Bins, as.BinMap{"n": number, "l": listOf(number)}); err != nil {
			return err
		}
	}
	policy := as.NewQueryPolicy()
	policy.IncludeBinData = false
	records, err = collect(client.Query(policy, where(querySet, some)))
	if err != nil {
		return err
	}
	for _, record := range records {
		if err := equal(len(record.Bins), 0); err != nil {
			return err
		}
	}
	return equal(len(records), 3)
}

func queryMaxRecords(client *as.Client, _ *as.Key) error {
	policy := as.NewQueryPolicy()
	policy.MaxRecords = 20
	records, err := collect(client.Query(policy, where(querySet, as.NewRangeFilter("n", 100, 199))))
	return areSome(records, err, 20, 100, 200)
}

func queryResume(client *as.Client, _ *as.Key) error {
	policy := as.NewQueryPolicy()
	policy.MaxRecords = 70
	records, err := inPages(func(part *as.PartitionFilter) (*as.Recordset, as.Error) {
		return client.QueryPartitions(policy, where(querySet, as.NewRangeFilter("n", 20, 279)), part)
	})
	if err := areRecords(records, err, between(20, 280)); err != nil {
		return err
	}
	records, err = inQuarters(func(part *as.PartitionFilter) (*as.Recordset, as.Error) {
		return client.QueryPartitions(nil, where(querySet, as.NewEqualFilter("s", "group 1")), part)
	})
	return areRecords(records, err, those(func(n int) bool { return n%7 == 1 }))
}

func queryShort(client *as.Client, _ *as.Key) error {
	policy := as.NewQueryPolicy()
	policy.ExpectedDuration = as.SHORT
	records, err := collect(client.Query(policy, where(querySet, as.NewRangeFilter("n", 5, 30))))
	return areRecords(records, err, between(5, 31))
}

func queryChanges(client *as.Client, _ *as.Key) error {
	keys := []*as.Key{}
	for number := range 20 {
		key, err := as.NewKey("test", changesSet, number)
		if err != nil {
			return err
		}
		if err := put(client, nil, key, as.BinMap{"n": number, "other": 1}); err != nil {
			return err
		}
		keys = append(keys, key)
	}
	every := as.NewRangeFilter("n", 0, 999)
	if err := findsIn(client, changesSet, every, between(0, 20)); err != nil {
		return err
	}
	if _, err := client.Delete(nil, keys[5]); err != nil {
		return err
	}
	return all(
		put(client, nil, keys[3], as.BinMap{"n": 103}),
		asError(client.Add(nil, keys[4], as.BinMap{"n": 100})),
		put(client, nil, keys[6], as.BinMap{"n": nil}),
		put(client, nil, keys[7], as.BinMap{"n": "text"}),
		put(client, nil, keys[8], as.BinMap{"n": 8, "more": 2}),
		findsIn(client, changesSet, as.NewEqualFilter("n", 3), []int{}),
		findsIn(client, changesSet, every,
			slices.Concat(between(0, 3), between(8, 20), between(103, 105))),
		put(client, nil, keys[5], as.BinMap{"n": 5}),
		findsIn(client, changesSet, as.NewEqualFilter("n", 5), []int{5}),
	)
}

func queryExpired(client *as.Client, _ *as.Key) error {
	for number := 2000; number < 2010; number++ {
		policy := ttl(1)
		if number%2 == 0 {
			policy = ttl(1000)
		}
		if err := putNumbered(client, policy, changesSet, number, as.BinMap{"n": number}); err != nil {
			return err
		}
	}
	time.Sleep(3 * time.Second)
	left := []int{2000, 2002, 2004, 2006, 2008}
	return findsIn(client, changesSet, as.NewRangeFilter("n", 2000, 2999), left)
}

func queryNoIndex(client *as.Client, _ *as.Key) error {
	return all(
		findsNoIndex(client, querySet, as.NewEqualFilter("none", 1)),
		findsNoIndex(client, querySet, as.NewEqualFilter("n", "text")),
		findsNoIndex(client, querySet, as.NewContainsFilter("l", as.ICT_MAPKEYS, 1)),
		findsNoIndex(client, "no-such-set", as.NewEqualFilter("n", 1)),
	)
}

// --- operations in the background ---

// backgroundRecords writes 200 records; their keys and generations.
func backgroundRecords(client *as.Client) ([]*as.Key, []uint32, error) {
	keys, generations := []*as.Key{}, []uint32{}
	for number := range 200 {
		key, err := as.NewKey("test", backgroundSet, number)
		if err != nil {
			return nil, nil, err
		}
		bins := as.BinMap{"n": number, "count": 0}
		if err := put(client, action(as.REPLACE), key, bins); err != nil {
			return nil, nil, err
		}
		header, err := client.GetHeader(nil, key)
		if err != nil {
			return nil, nil, err
		}
		keys, generations = append(keys, key), append(generations, header.Generation)
	}
	return keys, generations, nil
}

// runInBackground writes the records, applies the operations, waits until they are applied, and
// compares the records with those expected. Those that change have a higher generation then.
func runInBackground(
	client *as.Client,
	policy *as.WritePolicy,
	statement *as.Statement,
	operations []*as.Operation,
	expected func(number int) (bins as.BinMap, changed bool),
) error {
	keys, generations, err := backgroundRecords(client)
	if err != nil {
		return err
	}
	task, failure := client.QueryExecute(nil, policy, statement, operations...)
	if failure != nil {
		return failure
	}
	if err := <-task.OnComplete(); err != nil {
		return err
	}
	for number, key := range keys {
		record, err := client.Get(nil, key)
		if err != nil {
			return err
		}
		bins, changed := expected(number)
		generation := generations[number]
		if changed {
			generation++
		}
		if err := all(equal(record.Bins, bins), equal(record.Generation, generation)); err != nil {
			return err
		}
	}
	return nil
}

func backgroundScan(client *as.Client, _ *as.Key) error {
	operations := []*as.Operation{as.AddOp(as.NewBin("count", 1)), as.PutOp(as.NewBin("done", "yes"))}
	statement := as.NewStatement("test", backgroundSet)
	return runInBackground(client, nil, statement, operations, func(number int) (as.BinMap, bool) {
		return as.BinMap{"n": number, "count": 1, "done": "yes"}, true
	})
}

func backgroundQuery(client *as.Client, _ *as.Key) error {
	// Every changed record stays in the index, under another value.
	operations := []*as.Operation{as.AddOp(as.NewBin("count", 1)), as.AddOp(as.NewBin("n", 30))}
	statement := where(backgroundSet, as.NewRangeFilter("n", 50, 99))
	return runInBackground(client, nil, statement, operations, func(number int) (as.BinMap, bool) {
		if number < 50 || number >= 100 {
			return as.BinMap{"n": number, "count": 0}, false
		}
		return as.BinMap{"n": number + 30, "count": 1}, true
	})
}

func backgroundFilter(client *as.Client, _ *as.Key) error {
	policy := as.NewWritePolicy(0, 0)
	policy.FilterExpression = as.ExpLess(as.ExpIntBin("n"), as.ExpIntVal(60))
	operations := []*as.Operation{as.AddOp(as.NewBin("count", 1))}
	statement := where(backgroundSet, as.NewRangeFilter("n", 50, 99))
	return runInBackground(client, policy, statement, operations, func(number int) (as.BinMap, bool) {
		if number < 50 || number >= 60 {
			return as.BinMap{"n": number, "count": 0}, false
		}
		return as.BinMap{"n": number, "count": 1}, true
	})
}

func backgroundAbort(client *as.Client, _ *as.Key) error {
	if _, _, err := backgroundRecords(client); err != nil {
		return err
	}
	policy := as.NewQueryPolicy()
	policy.RecordsPerSecond = 20
	statement := as.NewStatement("test", backgroundSet)
	task, failure := client.QueryExecute(policy, nil, statement, as.AddOp(as.NewBin("count", 1)))
	if failure != nil {
		return failure
	}
	// Every node has its part of the job.
	allSay := func(command, part string) error {
		command = fmt.Sprintf("%s:trid=%d", command, task.TaskId())
		for _, node := range client.GetNodes() {
			reply, err := node.RequestInfo(as.NewInfoPolicy(), command)
			if err != nil {
				return err
			}
			if !strings.Contains(reply[command], part) {
				return fmt.Errorf("%s: %s lacks %s", command, reply[command], part)
			}
		}
		return nil
	}
	time.Sleep(500 * time.Millisecond)
	err := all(
		allSay("query-show", ":status=active(ok):"),
		allSay("query-abort", "ok"),
		asError(<-task.OnComplete()),
		allSay("query-show", ":status=done(user-aborted):"),
	)
	if err != nil {
		return err
	}
	records, err := collect(client.ScanAll(nil, "test", backgroundSet))
	if err != nil {
		return err
	}
	changed := 0
	for _, record := range records {
		changed += record.Bins["count"].(int)
	}
	return equal(changed > 0 && changed < 200, true)
}
