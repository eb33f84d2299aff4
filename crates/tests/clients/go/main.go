// Every kind of command through the official Go client.
//
// usage: client HOST PORT LUA
package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	as "github.com/aerospike/aerospike-client-go/v8"
	"github.com/aerospike/aerospike-client-go/v8/types"
)

// check is one named test on a key whose record does not exist.
type check struct {
	name string
	run  func(*as.Client, *as.Key) error
}

func main() {
	port, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fail("connect", err)
	}
	client, failure := as.NewClient(os.Args[1], port)
	if failure != nil {
		fail("connect", failure)
	}
	defer client.Close()
	passed, failed := 0, 0
	for _, c := range checks() {
		if err := runOn(client, c); err != nil {
			failed++
			fmt.Println("FAIL", c.name, strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			passed++
			fmt.Println("ok", c.name)
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func runOn(client *as.Client, c check) error {
	key, err := as.NewKey("test", "go", c.name)
	if err != nil {
		return err
	}
	if _, err := client.Delete(nil, key); err != nil {
		return err
	}
	return c.run(client, key)
}

func fail(name string, err error) {
	fmt.Println("FAIL", name, err)
	os.Exit(1)
}

func checks() []check {
	all := []check{
		{"info_namespaces", infoNamespaces},
		{"put_get", putGet},
		{"delete_bin", deleteBin},
		{"select_bins", selectBins},
		{"exists_and_header", existsAndHeader},
		{"operate_mix", operateMix},
		{"add_append_prepend", addAppendPrepend},
		{"incompatible_type", incompatibleType},
		{"ttl_seconds", ttlSeconds},
		{"ttl_never", ttlNever},
		{"ttl_dont_update", ttlDontUpdate},
		{"ttl_default", ttlDefault},
		{"ttl_expires", ttlExpires},
		{"touch", touch},
		{"generation_equal", generationEqual},
		{"generation_greater", generationGreater},
		{"create_only", createOnly},
		{"update_only", updateOnly},
		{"replace", replace},
		{"replace_only", replaceOnly},
		{"delete", deleteRecord},
		{"durable_delete", durableDelete},
		{"key_stored", keyStored},
		{"key_mismatch", keyMismatch},
		{"not_found", notFound},
		{"record_too_big", recordTooBig},
		{"truncate", truncate},
		{"many_records", manyRecords},
	}
	return slices.Concat(all, batchChecks(), valueChecks(), queryChecks(), udfChecks())
}

func valueChecks() []check {
	point := as.GeoJSONValue(`{"type":"Point","coordinates":[21.0,52.25]}`)
	list := []any{1, "two", 3.5, nil, []any{4, []any{5}}, map[any]any{"six": 7}}
	return []check{
		values("value_integer", 0, 1, -1, math.MaxInt64, math.MinInt64),
		values("value_float", 0.0, 1.5, -2.25e300),
		values("value_string", "", "plain", "żółć 🦀", strings.Repeat("x", 100_000)),
		values("value_blob", []byte{0, 1, 255}, make([]byte, 100_000)),
		values("value_bool", true, false),
		values("value_list", []any{}, list),
		values("value_map", map[any]any{}, map[any]any{"a": 1, "b": []any{2, 3}}),
		values("value_geojson", point),
	}
}

// values writes and reads each of these values.
func values(name string, all ...any) check {
	return check{name, func(client *as.Client, key *as.Key) error {
		for _, value := range all {
			if err := put(client, nil, key, as.BinMap{"v": value}); err != nil {
				return err
			}
			if err := hasBins(client, key, as.BinMap{"v": value}); err != nil {
				return err
			}
		}
		return nil
	}}
}

func infoNamespaces(client *as.Client, _ *as.Key) error {
	for _, node := range client.GetNodes() {
		reply, err := node.RequestInfo(as.NewInfoPolicy(), "namespaces")
		if err != nil {
			return err
		}
		names := strings.Split(reply["namespaces"], ";")
		sort.Strings(names)
		if err := equal(names, []string{"bar", "test"}); err != nil {
			return err
		}
	}
	return nil
}

func putGet(client *as.Client, key *as.Key) error {
	bins := as.BinMap{"a": 1, "b": "two", "c": 3.5}
	if err := put(client, nil, key, bins); err != nil {
		return err
	}
	record, err := client.Get(nil, key)
	if err != nil {
		return err
	}
	return all(equal(record.Bins, bins), equal(record.Generation, uint32(1)))
}

func deleteBin(client *as.Client, key *as.Key) error {
	return all(
		put(client, nil, key, as.BinMap{"a": 1, "b": 2}),
		put(client, nil, key, as.BinMap{"a": nil}),
		hasBins(client, key, as.BinMap{"b": 2}),
	)
}

func selectBins(client *as.Client, key *as.Key) error {
	if err := put(client, nil, key, as.BinMap{"a": 1, "b": 2, "c": 3}); err != nil {
		return err
	}
	record, err := client.Get(nil, key, "a", "c", "none")
	if err != nil {
		return err
	}
	return equal(record.Bins, as.BinMap{"a": 1, "c": 3})
}

func existsAndHeader(client *as.Client, key *as.Key) error {
	before, err := client.Exists(nil, key)
	if err != nil {
		return err
	}
	if err := put(client, nil, key, as.BinMap{"a": 1}); err != nil {
		return err
	}
	after, err := client.Exists(nil, key)
	if err != nil {
		return err
	}
	header, err := client.GetHeader(nil, key)
	if err != nil {
		return err
	}
	return all(
		equal(before, false),
		equal(after, true),
		equal(header.Generation, uint32(1)),
		equal(len(header.Bins), 0),
	)
}

func operateMix(client *as.Client, key *as.Key) error {
	if err := put(client, nil, key, as.BinMap{"n": 1, "s": "b"}); err != nil {
		return err
	}
	record, err := client.Operate(nil, key,
		as.AddOp(as.NewBin("n", 41)),
		as.AppendOp(as.NewBin("s", "c")),
		as.PrependOp(as.NewBin("s", "a")),
		as.PutOp(as.NewBin("w", "new")),
		as.GetBinOp("n"),
		as.GetBinOp("s"),
		as.TouchOp(),
	)
	if err != nil {
		return err
	}
	return all(
		equal(last(record.Bins["n"]), any(42)),
		equal(last(record.Bins["s"]), any("abc")),
		hasBins(client, key, as.BinMap{"n": 42, "s": "abc", "w": "new"}),
	)
}

func addAppendPrepend(client *as.Client, key *as.Key) error {
	return all(
		asError(client.Add(nil, key, as.BinMap{"n": 5})),
		asError(client.Add(nil, key, as.BinMap{"n": -7})),
		asError(client.Append(nil, key, as.BinMap{"s": "b"})),
		asError(client.Append(nil, key, as.BinMap{"s": "c"})),
		asError(client.Prepend(nil, key, as.BinMap{"s": "a"})),
		hasBins(client, key, as.BinMap{"n": -2, "s": "abc"}),
	)
}

func incompatibleType(client *as.Client, key *as.Key) error {
	return all(
		put(client, nil, key, as.BinMap{"s": "text", "n": 1}),
		hasCode(12, asError(client.Add(nil, key, as.BinMap{"s": 1}))),
		hasCode(12, asError(client.Append(nil, key, as.BinMap{"n": "x"}))),
	)
}

func ttlSeconds(client *as.Client, key *as.Key) error {
	return all(put(client, ttl(100), key, as.BinMap{"a": 1}), hasTTL(client, key, 100))
}

func ttlNever(client *as.Client, key *as.Key) error {
	return all(
		put(client, ttl(100), key, as.BinMap{"a": 1}),
		put(client, ttl(as.TTLDontExpire), key, as.BinMap{"a": 2}),
		hasTTL(client, key, math.MaxUint32),
	)
}

func ttlDontUpdate(client *as.Client, key *as.Key) error {
	return all(
		put(client, ttl(100), key, as.BinMap{"a": 1}),
		put(client, ttl(as.TTLDontUpdate), key, as.BinMap{"a": 2}),
		hasTTL(client, key, 100),
	)
}

func ttlDefault(client *as.Client, key *as.Key) error {
	return all(
		put(client, ttl(100), key, as.BinMap{"a": 1}),
		put(client, ttl(as.TTLServerDefault), key, as.BinMap{"a": 2}),
		hasTTL(client, key, math.MaxUint32),
	)
}

func ttlExpires(client *as.Client, key *as.Key) error {
	if err := put(client, ttl(1), key, as.BinMap{"a": 1}); err != nil {
		return err
	}
	time.Sleep(3 * time.Second)
	return isGone(client, key)
}

func touch(client *as.Client, key *as.Key) error {
	missing := hasCode(2, asError(client.Touch(ttl(10), key)))
	if err := all(missing, put(client, ttl(100), key, as.BinMap{"a": 1})); err != nil {
		return err
	}
	if err := client.Touch(ttl(1000), key); err != nil {
		return err
	}
	header, err := client.GetHeader(nil, key)
	if err != nil {
		return err
	}
	return all(equal(header.Generation, uint32(2)), hasTTL(client, key, 1000))
}

func generationEqual(client *as.Client, key *as.Key) error {
	policy := as.NewWritePolicy(1, 0)
	policy.GenerationPolicy = as.EXPECT_GEN_EQUAL
	return all(
		put(client, nil, key, as.BinMap{"a": 1}),
		put(client, policy, key, as.BinMap{"a": 2}),
		hasCode(3, put(client, policy, key, as.BinMap{"a": 3})),
		hasBins(client, key, as.BinMap{"a": 2}),
	)
}

func generationGreater(client *as.Client, key *as.Key) error {
	policy := as.NewWritePolicy(1, 0)
	policy.GenerationPolicy = as.EXPECT_GEN_GT
	higher := *policy
	higher.Generation = 5
	return all(
		put(client, nil, key, as.BinMap{"a": 1}),
		hasCode(3, put(client, policy, key, as.BinMap{"a": 2})),
		put(client, &higher, key, as.BinMap{"a": 3}),
		hasBins(client, key, as.BinMap{"a": 3}),
	)
}

func createOnly(client *as.Client, key *as.Key) error {
	policy := action(as.CREATE_ONLY)
	return all(
		put(client, policy, key, as.BinMap{"a": 1}),
		hasCode(5, put(client, policy, key, as.BinMap{"a": 2})),
	)
}

func updateOnly(client *as.Client, key *as.Key) error {
	policy := action(as.UPDATE_ONLY)
	return all(
		hasCode(2, put(client, policy, key, as.BinMap{"a": 1})),
		put(client, nil, key, as.BinMap{"a": 1}),
		put(client, policy, key, as.BinMap{"b": 2}),
		hasBins(client, key, as.BinMap{"a": 1, "b": 2}),
	)
}

func replace(client *as.Client, key *as.Key) error {
	return all(
		put(client, nil, key, as.BinMap{"a": 1, "b": 2}),
		put(client, action(as.REPLACE), key, as.BinMap{"c": 3}),
		hasBins(client, key, as.BinMap{"c": 3}),
	)
}

func replaceOnly(client *as.Client, key *as.Key) error {
	policy := action(as.REPLACE_ONLY)
	return all(
		hasCode(2, put(client, policy, key, as.BinMap{"a": 1})),
		put(client, nil, key, as.BinMap{"a": 1, "b": 2}),
		put(client, policy, key, as.BinMap{"c": 3}),
		hasBins(client, key, as.BinMap{"c": 3}),
	)
}

func deleteRecord(client *as.Client, key *as.Key) error {
	if err := put(client, nil, key, as.BinMap{"a": 1}); err != nil {
		return err
	}
	first, err := client.Delete(nil, key)
	if err != nil {
		return err
	}
	second, err := client.Delete(nil, key)
	if err != nil {
		return err
	}
	return all(equal(first, true), equal(second, false), isGone(client, key))
}

func durableDelete(client *as.Client, key *as.Key) error {
	if err := put(client, nil, key, as.BinMap{"a": 1}); err != nil {
		return err
	}
	policy := as.NewWritePolicy(0, 0)
	policy.DurableDelete = true
	existed, err := client.Delete(policy, key)
	if err != nil {
		return err
	}
	return all(
		equal(existed, true),
		isGone(client, key),
		put(client, nil, key, as.BinMap{"a": 2}),
		hasBins(client, key, as.BinMap{"a": 2}),
	)
}

func keyStored(client *as.Client, key *as.Key) error {
	policy := as.NewWritePolicy(0, 0)
	policy.SendKey = true
	return all(
		put(client, policy, key, as.BinMap{"a": 1}),
		put(client, policy, key, as.BinMap{"a": 2}),
		hasBins(client, key, as.BinMap{"a": 2}),
	)
}

func keyMismatch(client *as.Client, key *as.Key) error {
	policy := as.NewWritePolicy(0, 0)
	policy.SendKey = true
	other, err := as.NewKeyWithDigest("test", "go", "another key", key.Digest())
	if err != nil {
		return err
	}
	return all(
		put(client, policy, key, as.BinMap{"a": 1}),
		hasCode(19, put(client, policy, other, as.BinMap{"a": 2})),
	)
}

func notFound(client *as.Client, key *as.Key) error {
	_, err := client.Operate(nil, key, as.GetBinOp("a"))
	return all(isGone(client, key), hasCode(2, asError(err)))
}

func recordTooBig(client *as.Client, key *as.Key) error {
	return hasCode(13, put(client, nil, key, as.BinMap{"a": make([]byte, 2<<20)}))
}

func truncate(client *as.Client, _ *as.Key) error {
	doomed, err := as.NewKey("test", "go-doomed", 1)
	if err != nil {
		return err
	}
	kept, err := as.NewKey("test", "go-doomed", 2)
	if err != nil {
		return err
	}
	if err := put(client, nil, doomed, as.BinMap{"a": 1}); err != nil {
		return err
	}
	// Records are truncated by the millisecond of their last update.
	time.Sleep(50 * time.Millisecond)
	if err := client.Truncate(nil, "test", "go-doomed", nil); err != nil {
		return err
	}
	if err := isGone(client, doomed); err != nil {
		return err
	}
	time.Sleep(50 * time.Millisecond)
	return all(
		put(client, nil, kept, as.BinMap{"a": 2}),
		hasBins(client, kept, as.BinMap{"a": 2}),
	)
}

func manyRecords(client *as.Client, _ *as.Key) error {
	for n := range 334 {
		for _, form := range []any{n, strconv.Itoa(n), []byte{byte(n >> 8), byte(n)}} {
			key, err := as.NewKey("test", "go-many", form)
			if err != nil {
				return err
			}
			bins := as.BinMap{"n": n}
			if err := all(put(client, nil, key, bins), hasBins(client, key, bins)); err != nil {
				return err
			}
		}
	}
	return nil
}

// --- what the checks are made of ---

func put(client *as.Client, policy *as.WritePolicy, key *as.Key, bins as.BinMap) error {
	return asError(client.Put(policy, key, bins))
}

func hasBins(client *as.Client, key *as.Key, expected as.BinMap) error {
	record, err := client.Get(nil, key)
	if err != nil {
		return err
	}
	return equal(record.Bins, expected)
}

func hasTTL(client *as.Client, key *as.Key, expected uint32) error {
	header, err := client.GetHeader(nil, key)
	if err != nil {
		return err
	}
	got := int64(header.Expiration)
	if got < int64(expected)-3 || got > int64(expected)+1 {
		return fmt.Errorf("ttl %d, expected about %d", got, expected)
	}
	return nil
}

func isGone(client *as.Client, key *as.Key) error {
	_, err := client.Get(nil, key)
	return hasCode(2, asError(err))
}

// hasCode demands that a call ended with this result code.
func hasCode(code types.ResultCode, err error) error {
	if err == nil {
		return fmt.Errorf("succeeded, expected result code %d", code)
	}
	var failure *as.AerospikeError
	if !errors.As(err, &failure) {
		return err
	}
	if !failure.Matches(code) {
		return fmt.Errorf("expected result code %d, got %w", code, err)
	}
	return nil
}

func equal(got, expected any) error {
	if !reflect.DeepEqual(got, expected) {
		return fmt.Errorf("got %.200v (%T), expected %.200v (%T)", got, got, expected, expected)
	}
	return nil
}

func ttl(seconds uint32) *as.WritePolicy {
	return as.NewWritePolicy(0, seconds)
}

func action(action as.RecordExistsAction) *as.WritePolicy {
	policy := as.NewWritePolicy(0, 0)
	policy.RecordExistsAction = action
	return policy
}

// last is the last result of a bin that answered more than once in one request.
func last(value any) any {
	if results, many := value.(as.OpResults); many && len(results) > 0 {
		return results[len(results)-1]
	}
	return value
}

// all is the first failure; its arguments have run in order by then.
func all(results ...error) error {
	return errors.Join(results...)
}

// asError turns the client's own interface into a plain error, so that no failure is nil.
func asError(failure as.Error) error {
	if failure == nil {
		return nil
	}
	return failure
}
