package main

import (
	"fmt"

	as "github.com/aerospike/aerospike-client-go/v8"
	"github.com/aerospike/aerospike-client-go/v8/types"
)

func batchChecks() []check {
	return []check{
		{"batch_get", batchGet},
		{"batch_header", batchHeader},
		{"batch_mixed", batchMixed},
		{"batch_errors", batchErrors},
		{"batch_large", batchLarge},
	}
}

func batchGet(client *as.Client, _ *as.Key) error {
	keys, err := batchKeys(client, "batch_get", 100)
	if err != nil {
		return err
	}
	records, failure := client.BatchGet(nil, keys)
	if failure != nil {
		return failure
	}
	for n, record := range records {
		if err := equal(record == nil, isMissing(n)); err != nil {
			return err
		}
		if record == nil {
			continue
		}
		whole := as.BinMap{"n": n, "s": fmt.Sprint("value ", n)}
		if err := equal(record.Bins, whole); err != nil {
			return err
		}
	}
	records, failure = client.BatchGet(nil, keys[5:7], "s")
	if failure != nil {
		return failure
	}
	return all(
		equal(records[0].Bins, as.BinMap{"s": "value 5"}),
		equal(records[1].Bins, as.BinMap{"s": "value 6"}),
	)
}

func batchHeader(client *as.Client, _ *as.Key) error {
	keys, err := batchKeys(client, "batch_header", 20)
	if err != nil {
		return err
	}
	records, failure := client.BatchGetHeader(nil, keys)
	if failure != nil {
		return failure
	}
	exists, failure := client.BatchExists(nil, keys)
	if failure != nil {
		return failure
	}
	for n, record := range records {
		err := all(equal(record == nil, isMissing(n)), equal(exists[n], !isMissing(n)))
		if err == nil && record != nil {
			err = all(equal(record.Generation, uint32(1)), equal(len(record.Bins), 0))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func batchMixed(client *as.Client, _ *as.Key) error {
	keys, err := batchKeys(client, "batch_mixed", 6)
	if err != nil {
		return err
	}
	missing, err := as.NewKey("test", "batch_mixed", "missing")
	if err != nil {
		return err
	}
	read := as.NewBatchReadOps(nil, keys[0], as.GetBinOp("n"))
	add := as.NewBatchWrite(nil, keys[1], as.AddOp(as.NewBin("n", 10)), as.GetBinOp("n"))
	create := as.NewBatchWrite(nil, keys[3], as.PutOp(as.NewBin("n", 33)))
	remove := as.NewBatchDelete(nil, keys[2])
	whole := as.NewBatchRead(nil, keys[5], nil)
	whole.ReadAllBins = true
	rows := []as.BatchRecordIfc{
		read, add, create, remove, whole, as.NewBatchDelete(nil, missing),
	}
	if err := client.BatchOperate(nil, rows); err != nil {
		return err
	}
	return all(
		equal(codes(rows), []types.ResultCode{0, 0, 0, 0, 0, 2}),
		equal(read.Record.Bins["n"], 0),
		equal(last(add.Record.Bins["n"]), 11),
		equal(whole.Record.Bins, as.BinMap{"n": 5, "s": "value 5"}),
		hasBins(client, keys[3], as.BinMap{"n": 33}),
		isGone(client, keys[2]),
	)
}

func batchErrors(client *as.Client, _ *as.Key) error {
	keys, err := batchKeys(client, "batch_errors", 3)
	if err != nil {
		return err
	}
	created, err := as.NewKey("test", "batch_errors", "new")
	if err != nil {
		return err
	}
	createOnly := as.NewBatchWritePolicy()
	createOnly.RecordExistsAction = as.CREATE_ONLY
	generation := as.NewBatchWritePolicy()
	generation.GenerationPolicy = as.EXPECT_GEN_EQUAL
	generation.Generation = 9
	one := as.PutOp(as.NewBin("n", 1))
	rows := []as.BatchRecordIfc{
		as.NewBatchWrite(nil, keys[0], as.AppendOp(as.NewBin("n", "text"))),
		as.NewBatchWrite(createOnly, keys[1], one),
		as.NewBatchWrite(generation, keys[2], one),
		as.NewBatchWrite(nil, created, as.PutOp(as.NewBin("n", 4))),
	}
	if err := client.BatchOperate(nil, rows); err != nil {
		return err
	}
	return all(
		equal(codes(rows), []types.ResultCode{12, 5, 3, 0}),
		hasBins(client, created, as.BinMap{"n": 4}),
	)
}

func batchLarge(client *as.Client, _ *as.Key) error {
	keys, err := batchKeys(client, "batch_large", 2000)
	if err != nil {
		return err
	}
	records, failure := client.BatchGet(nil, keys)
	if failure != nil {
		return failure
	}
	for n, record := range records {
		if err := equal(record == nil, isMissing(n)); err != nil {
			return err
		}
		if record != nil {
			if err := equal(record.Bins["n"], n); err != nil {
				return err
			}
		}
	}
	removed, failure := client.BatchDelete(nil, nil, keys)
	if failure != nil {
		return failure
	}
	for n, row := range removed {
		expected := types.OK
		if isMissing(n) {
			expected = types.KEY_NOT_FOUND_ERROR
		}
		if err := equal(row.ResultCode, expected); err != nil {
			return err
		}
	}
	return nil
}

// batchKeys makes keys in a set of their own; the records that are not missing exist.
func batchKeys(client *as.Client, name string, count int) ([]*as.Key, error) {
	keys := make([]*as.Key, count)
	for n := range keys {
		key, err := as.NewKey("test", name, n)
		if err != nil {
			return nil, err
		}
		keys[n] = key
		if isMissing(n) {
			continue
		}
		bins := as.BinMap{"n": n, "s": fmt.Sprint("value ", n)}
		if err := put(client, nil, key, bins); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func isMissing(number int) bool {
	return number%7 == 3
}

func codes(rows []as.BatchRecordIfc) []types.ResultCode {
	var codes []types.ResultCode
	for _, row := range rows {
		codes = append(codes, row.BatchRec().ResultCode)
	}
	return codes
}
