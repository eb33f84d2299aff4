"""Every kind of command through the official Python client.

usage: client.py HOST PORT LUA
"""

import sys
import tempfile
import time

import aerospike
from aerospike_helpers.batch import records as batch
from aerospike_helpers.operations import operations as op

from expect import CHECKS, bins_of, check, equal, fails, fresh, meta_of
import collection_checks  # noqa: F401 (registers its checks)
import expression_checks  # noqa: F401 (registers its checks)
import query_checks  # noqa: F401 (registers its checks)
import udf_checks  # noqa: F401 (registers its checks)


@check
def info_namespaces(client):
    for error, reply in client.info_all("namespaces").values():
        equal(error, None)
        names = reply.rstrip("\n").split("\t")[-1].split(";")
        equal(sorted(names), ["bar", "test"])


@check
def put_get(client):
    k = fresh(client, "put_get")
    client.put(k, {"a": 1, "b": "two", "c": 3.5})
    _, meta, bins = client.get(k)
    equal(bins, {"a": 1, "b": "two", "c": 3.5})
    equal(meta["gen"], 1)


def check_values(name, *values):
    def run(client):
        k = fresh(client, name)
        for value in values:
            client.put(k, {"v": value})
            equal(bins_of(client, k)["v"], value)

    run.__name__ = name
    check(run)


check_values("value_integer", 0, 1, -1, 2**63 - 1, -(2**63))
check_values("value_float", 0.0, 1.5, -2.25e300)
check_values("value_string", "", "plain", "żółć 🦀", "x" * 100_000)
check_values("value_blob", b"\x00\x01\xff", bytes(100_000))
check_values("value_bool", True, False)
check_values("value_list", [], [1, "two", 3.5, None, [4, [5]], {"six": 7}])
check_values("value_map", {}, {"a": 1, "b": [2, 3]}, {1: "one", 2: {"three": 4}})


@check
def value_geojson(client):
    k = fresh(client, "value_geojson")
    point = {"type": "Point", "coordinates": [21.0, 52.25]}
    client.put(k, {"v": aerospike.GeoJSON(point)})
    equal(bins_of(client, k)["v"].unwrap(), point)


@check
def delete_bin(client):
    k = fresh(client, "delete_bin")
    client.put(k, {"a": 1, "b": 2})
    client.put(k, {"a": aerospike.null()})
    equal(bins_of(client, k), {"b": 2})
    client.put(k, {"c": 3})
    client.remove_bin(k, ["b"])
    equal(bins_of(client, k), {"c": 3})


@check
def select_bins(client):
    k = fresh(client, "select_bins")
    client.put(k, {"a": 1, "b": 2, "c": 3})
    equal(client.select(k, ["a", "c", "none"])[2].get("a"), 1)
    equal("b" in client.select(k, ["a", "c"])[2], False)


@check
def exists_and_header(client):
    k = fresh(client, "exists")
    fails(2, client.get, k)
    client.put(k, {"a": 1})
    client.put(k, {"a": 2})
    equal(client.exists(k)[1]["gen"], 2)


@check
def operate_mix(client):
    k = fresh(client, "operate_mix")
    client.put(k, {"n": 1, "s": "b"})
    operations = [
        op.increment("n", 41),
        op.append("s", "c"),
        op.prepend("s", "a"),
        op.write("w", "new"),
        op.read("n"),
        op.read("s"),
        op.touch(),
    ]
    bins = client.operate(k, operations)[2]
    equal(bins["n"], 42)
    equal(bins["s"], "abc")
    equal(bins_of(client, k), {"n": 42, "s": "abc", "w": "new"})


@check
def add_append_prepend(client):
    k = fresh(client, "add")
    client.increment(k, "n", 5)
    client.increment(k, "n", -7)
    client.append(k, "s", "b")
    client.append(k, "s", "c")
    client.prepend(k, "s", "a")
    equal(bins_of(client, k), {"n": -2, "s": "abc"})


@check
def incompatible_type(client):
    k = fresh(client, "incompatible")
    client.put(k, {"s": "text", "n": 1})
    fails(12, client.increment, k, "s", 1)
    fails(12, client.append, k, "n", "x")


@check
def ttl_seconds(client):
    k = fresh(client, "ttl_seconds")
    client.put(k, {"a": 1}, meta={"ttl": 100})
    equal(97 <= meta_of(client, k)["ttl"] <= 101, True)


@check
def ttl_never(client):
    k = fresh(client, "ttl_never")
    client.put(k, {"a": 1}, meta={"ttl": 100})
    client.put(k, {"a": 2}, meta={"ttl": aerospike.TTL_NEVER_EXPIRE})
    equal(meta_of(client, k)["ttl"], aerospike.TTL_NEVER_EXPIRE)


@check
def ttl_dont_update(client):
    k = fresh(client, "ttl_dont_update")
    client.put(k, {"a": 1}, meta={"ttl": 100})
    client.put(k, {"a": 2}, meta={"ttl": aerospike.TTL_DONT_UPDATE})
    equal(97 <= meta_of(client, k)["ttl"] <= 101, True)


@check
def ttl_default(client):
    k = fresh(client, "ttl_default")
    client.put(k, {"a": 1}, meta={"ttl": 100})
    client.put(k, {"a": 2}, meta={"ttl": aerospike.TTL_NAMESPACE_DEFAULT})
    equal(meta_of(client, k)["ttl"], aerospike.TTL_NEVER_EXPIRE)


@check
def ttl_expires(client):
    k = fresh(client, "ttl_expires")
    client.put(k, {"a": 1}, meta={"ttl": 1})
    time.sleep(3)
    fails(2, client.get, k)


@check
def touch(client):
    k = fresh(client, "touch")
    fails(2, client.touch, k, 10)
    client.put(k, {"a": 1}, meta={"ttl": 100})
    client.touch(k, 1000)
    meta = meta_of(client, k)
    equal(meta["gen"], 2)
    equal(997 <= meta["ttl"] <= 1001, True)


@check
def generation_equal(client):
    k = fresh(client, "generation_equal")
    policy = {"gen": aerospike.POLICY_GEN_EQ}
    client.put(k, {"a": 1})
    client.put(k, {"a": 2}, meta={"gen": 1}, policy=policy)
    fails(3, client.put, k, {"a": 3}, meta={"gen": 1}, policy=policy)
    fails(3, client.remove, k, meta={"gen": 1}, policy=policy)
    equal(bins_of(client, k), {"a": 2})


@check
def generation_greater(client):
    k = fresh(client, "generation_greater")
    policy = {"gen": aerospike.POLICY_GEN_GT}
    client.put(k, {"a": 1})
    fails(3, client.put, k, {"a": 2}, meta={"gen": 1}, policy=policy)
    client.put(k, {"a": 3}, meta={"gen": 5}, policy=policy)
    equal(bins_of(client, k), {"a": 3})


@check
def create_only(client):
    k = fresh(client, "create_only")
    policy = {"exists": aerospike.POLICY_EXISTS_CREATE}
    client.put(k, {"a": 1}, policy=policy)
    fails(5, client.put, k, {"a": 2}, policy=policy)


@check
def update_only(client):
    k = fresh(client, "update_only")
    policy = {"exists": aerospike.POLICY_EXISTS_UPDATE}
    fails(2, client.put, k, {"a": 1}, policy=policy)
    client.put(k, {"a": 1})
    client.put(k, {"b": 2}, policy=policy)
    equal(bins_of(client, k), {"a": 1, "b": 2})


@check
def replace(client):
    k = fresh(client, "replace")
    policy = {"exists": aerospike.POLICY_EXISTS_CREATE_OR_REPLACE}
    client.put(k, {"a": 1, "b": 2})
    client.put(k, {"c": 3}, policy=policy)
    equal(bins_of(client, k), {"c": 3})
    equal(meta_of(client, k)["gen"], 2)


@check
def replace_only(client):
    k = fresh(client, "replace_only")
    policy = {"exists": aerospike.POLICY_EXISTS_REPLACE}
    fails(2, client.put, k, {"a": 1}, policy=policy)
    client.put(k, {"a": 1, "b": 2})
    client.put(k, {"c": 3}, policy=policy)
    equal(bins_of(client, k), {"c": 3})


@check
def delete(client):
    k = fresh(client, "delete")
    client.put(k, {"a": 1})
    client.remove(k)
    fails(2, client.get, k)
    fails(2, client.remove, k)


@check
def durable_delete(client):
    k = fresh(client, "durable_delete")
    client.put(k, {"a": 1})
    client.remove(k, policy={"durable_delete": True})
    fails(2, client.get, k)
    client.put(k, {"a": 2})
    equal(bins_of(client, k), {"a": 2})


@check
def key_stored(client):
    k = fresh(client, "key_stored")
    client.put(k, {"a": 1}, policy={"key": aerospike.POLICY_KEY_DIGEST})
    client.put(k, {"a": 2}, policy={"key": aerospike.POLICY_KEY_SEND})
    equal(bins_of(client, k), {"a": 2})
    client.get(k, {"key": aerospike.POLICY_KEY_SEND})


@check
def not_found(client):
    k = fresh(client, "not_found")
    fails(2, client.get, k)
    fails(2, client.operate, k, [op.read("a")])


@check
def record_too_big(client):
    k = fresh(client, "record_too_big")
    fails(13, client.put, k, {"a": bytes(2 << 20)})


@check
def truncate(client):
    doomed, kept = ("test", "doomed", 1), ("test", "doomed", 2)
    client.put(doomed, {"a": 1})
    # Records are truncated by the millisecond of their last update.
    time.sleep(0.05)
    client.truncate("test", "doomed", 0)
    fails(2, client.get, doomed)
    time.sleep(0.05)
    client.put(kept, {"a": 2})
    equal(bins_of(client, kept), {"a": 2})


@check
def many_records(client):
    keys = [("test", "many", form(n)) for n in range(334) for form in (int, str, as_blob)]
    for number, k in enumerate(keys):
        client.put(k, {"n": number})
    for number, k in enumerate(keys):
        equal(bins_of(client, k), {"n": number})


def as_blob(number):
    return bytearray(number.to_bytes(4, "big"))  # keys must be bytearrays


def batch_keys(client, name, count):
    """Keys in a set of their own; the records of all but every seventh exist, with bins n and s."""
    keys = [("test", name, number) for number in range(count)]
    for number, k in enumerate(keys):
        if number % 7 != 3:
            client.put(k, {"n": number, "s": f"value {number}"})
    return keys


def results_of(records):
    return [row.result for row in records.batch_records]


def bins_of_row(row):
    return row.record[2] if row.result == 0 else None


@check
def batch_get(client):
    keys = batch_keys(client, "batch_get", 100)
    rows = client.batch_read(keys).batch_records
    equal(len(rows), len(keys))
    for number, row in enumerate(rows):
        whole = {"n": number, "s": f"value {number}"}
        equal(bins_of_row(row), None if number % 7 == 3 else whole)
        equal(row.result, 2 if number % 7 == 3 else 0)
    rows = client.batch_read(keys, ["s"]).batch_records
    equal(bins_of_row(rows[5]), {"s": "value 5"})
    sets = [("test", "batch_get", 1), ("test", "no_such_set", 1), ("bar", "batch_get", 1)]
    equal(results_of(client.batch_read(sets)), [0, 2, 2])


@check
def batch_header(client):
    keys = batch_keys(client, "batch_header", 20)
    for number, row in enumerate(client.batch_read(keys, []).batch_records):
        equal(row.result, 2 if number % 7 == 3 else 0)
        if row.result == 0:
            equal(row.record[1]["gen"], 1)
            equal(len(row.record), 2)


@check
def batch_mixed(client):
    keys = batch_keys(client, "batch_mixed", 6)
    records = batch.BatchRecords([
        batch.Read(keys[0], [op.read("n")]),
        batch.Write(keys[1], [op.increment("n", 10), op.read("n")]),
        batch.Write(keys[3], [op.write("n", 33)]),
        batch.Remove(keys[2]),
        batch.Read(keys[5], None, read_all_bins=True),
        batch.Remove(("test", "batch_mixed", "missing")),
    ])
    client.batch_write(records)
    equal(results_of(records), [0, 0, 0, 0, 0, 2])
    rows = records.batch_records
    equal(bins_of_row(rows[0]), {"n": 0})
    equal(bins_of_row(rows[1]), {"n": 11})
    equal(bins_of_row(rows[4]), {"n": 5, "s": "value 5"})
    equal(bins_of(client, keys[3]), {"n": 33})
    fails(2, client.get, keys[2])


@check
def batch_errors(client):
    keys = batch_keys(client, "batch_errors", 3)
    records = batch.BatchRecords([
        batch.Write(keys[0], [op.append("n", "text")]),
        batch.Write(keys[1], [op.write("n", 1)], policy={"exists": aerospike.POLICY_EXISTS_CREATE}),
        batch.Write(
            keys[2], [op.write("n", 1)],
            meta={"gen": 9}, policy={"gen": aerospike.POLICY_GEN_EQ},
        ),
        batch.Write(("test", "batch_errors", "new"), [op.write("n", 4)]),
    ])
    client.batch_write(records)
    equal(results_of(records), [12, 5, 3, 0])
    equal(bins_of(client, ("test", "batch_errors", "new")), {"n": 4})


@check
def batch_large(client):
    keys = batch_keys(client, "batch_large", 2000)
    for number, row in enumerate(client.batch_read(keys).batch_records):
        equal(row.result, 2 if number % 7 == 3 else 0)
        if row.result == 0:
            equal(row.record[2]["n"], number)
    equal(results_of(client.batch_remove(keys)), [2 if n % 7 == 3 else 0 for n in range(2000)])


def connect(host, port):
    policy = {"total_timeout": 5000}
    policies = {kind: policy for kind in ("read", "write", "operate", "remove", "apply", "batch")}
    # What changes metadata waits for the disk, which others may keep busy.
    policies["info"] = {"timeout": 30_000}
    # The client copies modules that it registers to its own folder, which is the current one otherwise.
    lua = {"user_path": tempfile.mkdtemp()}
    return aerospike.client({"hosts": [(host, port)], "policies": policies, "lua": lua})


def main():
    client = connect(sys.argv[1], int(sys.argv[2]))
    passed = failed = 0
    for function in CHECKS:
        try:
            function(client)
            passed += 1
            print("ok", function.__name__)
        except Exception as error:  # every surprise is a finding
            failed += 1
            print("FAIL", function.__name__, f"{type(error).__name__}: {error}")
    client.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
