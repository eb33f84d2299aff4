"""Functions in Lua: on records, in batches, in the background, and aggregations that this client reduces."""

import os
import sys

import aerospike
from aerospike import predicates as where
from aerospike_helpers.batch import records as batch

from expect import bins_of, check, equal, fails, fresh, meta_of
from query_checks import wait_for

UDF_EXECUTION = 100
CLIENT_ERROR = -1  # the client's own code for an aggregation that ended with a failure
COUNT = 200
SET = "udfs"
MODULE = "checks"
FILE = f"{MODULE}.lua"
TOTAL = COUNT * (COUNT - 1) // 2


def keys():
    return [("test", SET, number) for number in range(COUNT)]


def path_of(file):
    return os.path.join(sys.argv[3], file)


def put_all(client):
    for number, k in enumerate(keys()):
        client.put(k, {"n": number, "group": f"g{number % 3}"},
                   policy={"exists": aerospike.POLICY_EXISTS_CREATE_OR_REPLACE})


def names(client):
    return [module["name"] for module in client.udf_list()]


def fails_with(code, text, function, *arguments):
    """The call must end with this code, and with this text."""
    try:
        function(*arguments)
    except aerospike.exception.AerospikeError as error:
        equal(error.code, code)
        assert text in error.msg, f"{error.msg} lacks {text}"
        return
    raise AssertionError(f"succeeded, expected {text}")


@check
def udf_modules(client):
    client.udf_put(path_of(FILE))
    equal(names(client), [FILE])
    with open(path_of(FILE)) as file:
        equal(client.udf_get(FILE), file.read())


@check
def udf_compile_error(client):
    fails_with(UDF_EXECUTION, "compile_error", client.udf_put, path_of("unfinished.lua"))
    equal(names(client), [FILE])


@check
def udf_values(client):
    k = fresh(client, "udf_values")
    values = [1, -(2**63), 2.5, "text", b"\x00\xff\x07", True, None, [1, ["a"], None], {"k": [1, {"x": 2.5}]}]
    for value in values:
        equal(client.apply(k, MODULE, "echo", [value]), value)
    equal(client.apply(k, MODULE, "bytes_of", ["made"]), b"made")
    client.put(k, {"n": 7})
    equal(client.apply(k, MODULE, "described", []), {"n": 7, "names": ["n", "group"]})


@check
def udf_writes(client):
    k = fresh(client, "udf_writes")
    equal(client.apply(k, MODULE, "add", ["n", 5]), 5)
    equal(client.apply(k, MODULE, "add", ["n", 2]), 7)
    equal(bins_of(client, k), {"n": 7})
    equal(meta_of(client, k)["gen"], 2)
    equal(client.apply(k, MODULE, "remove", []), 0)
    fails(2, client.get, k)


@check
def udf_fails(client):
    k = fresh(client, "udf_fails")
    fails_with(UDF_EXECUTION, "checks.lua:28: on purpose", client.apply, k, MODULE, "fail", [])
    fails_with(UDF_EXECUTION, "function not found", client.apply, k, MODULE, "none", [])
    fails_with(UDF_EXECUTION, "UDF: Execution Error 1", client.apply, k, "nowhere", "echo", [])
    fails(2, client.get, k)


@check
def udf_loops(client):
    k = fresh(client, "udf_loops")
    patient = {"total_timeout": 0}
    fails_with(UDF_EXECUTION, "UDF Execution Timeout", client.apply, k, MODULE, "loop", [], patient)
    equal(client.apply(k, MODULE, "echo", [3]), 3)


@check
def udf_batch(client):
    put_all(client)
    records = client.batch_apply(keys()[:50], MODULE, "add", ["extra", 4]).batch_records
    equal([record.result for record in records], [0] * 50)
    equal([record.record[2]["SUCCESS"] for record in records], [4] * 50)
    mixed = batch.BatchRecords([
        batch.Apply(keys()[0], MODULE, "add", ["extra", 1]),
        batch.Read(keys()[0], None, read_all_bins=True),
        batch.Apply(keys()[1], MODULE, "fail", []),
    ])
    client.batch_write(mixed)
    equal([record.result for record in mixed.batch_records], [0, 0, UDF_EXECUTION])
    equal(mixed.batch_records[1].record[2], {"n": 0, "group": "g0", "extra": 5})


def apply_in_the_background(client, predicate, name, amount):
    query = client.query("test", SET)
    if predicate:
        query.where(predicate)
    query.apply(MODULE, "add", [name, amount])
    wait_for(client, query.execute_background(), aerospike.JOB_QUERY)


@check
def udf_background(client):
    put_all(client)
    client.index_integer_create("test", SET, "n", "udfs_by_n")
    apply_in_the_background(client, None, "all", 1)
    apply_in_the_background(client, where.between("n", 50, 99), "some", 9)
    for number, k in enumerate(keys()):
        expected = {"n": number, "group": f"g{number % 3}", "all": 1}
        if 50 <= number < 100:
            expected["some"] = 9
        equal(bins_of(client, k), expected)


def yields(client, predicate, function, arguments=()):
    """All that an aggregation yields once this client has reduced it with a Lua of its own."""
    query = client.query("test", SET)
    if predicate:
        query.where(predicate)
    query.apply(MODULE, function, list(arguments))
    return query.results()


@check
def udf_aggregate(client):
    equal(yields(client, None, "total"), [TOTAL])
    equal(yields(client, None, "groups"), [{"g0": 67, "g1": 67, "g2": 66}])
    equal(sorted(yields(client, None, "large", [150])), list(range(150, COUNT)))
    equal(yields(client, None, "large", [COUNT]), [])


@check
def udf_aggregate_where(client):
    some = where.between("n", 10, 19)
    equal(yields(client, some, "total"), [145])
    equal(yields(client, some, "groups"), [{"g0": 3, "g1": 4, "g2": 3}])
    equal(sorted(yields(client, some, "large", [15])), [15, 16, 17, 18, 19])
    equal(yields(client, where.equals("n", COUNT), "total"), [])


@check
def udf_aggregate_fails(client):
    fails_with(CLIENT_ERROR, "on purpose", yields, client, None, "broken")
    equal(yields(client, None, "total"), [TOTAL])


@check
def udf_remove(client):
    client.udf_remove(FILE)
    equal(names(client), [])
    k = fresh(client, "udf_remove")
    fails(UDF_EXECUTION, client.apply, k, MODULE, "echo", [1])
    # There is nothing to say about a module that is not there.
    client.udf_remove(FILE)
