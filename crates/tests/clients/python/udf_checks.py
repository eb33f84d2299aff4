"""Functions in Lua: on records, in batches, in the background, and aggregations that this client reduces."""

import os
import tempfile
import time

import aerospike
from aerospike_helpers.batch import records as batch

from expect import bins_of, check, equal, fails, fresh

UDF_EXECUTION = 100
COUNT = 200
SET = "udfs"
MODULE = "checks"
SOURCE = """
function echo(rec, value) return value end

function add(rec, name, amount)
  rec[name] = (rec[name] or 0) + amount
  if aerospike:exists(rec) then aerospike:update(rec) else aerospike:create(rec) end
  return rec[name]
end

function fail(rec) error('on purpose') end

function loop(rec) while true do end end

local function numbers(rec) return rec.n end
local function add_up(a, b) return a + b end

function total(stream) return stream : map(numbers) : reduce(add_up) end

local function count_by(counts, rec)
  counts[rec.group] = (counts[rec.group] or 0) + 1
  return counts
end

local function merged(a, b) return map.merge(a, b, add_up) end

function groups(stream) return stream : aggregate(map(), count_by) : reduce(merged) end

function large(stream, limit)
  local function is_large(rec) return rec.n >= limit end
  return stream : filter(is_large) : map(numbers)
end
"""


def keys():
    return [("test", SET, number) for number in range(COUNT)]


def folder_with_module():
    """A folder for the client's own Lua, with the module in it."""
    folder = tempfile.mkdtemp()
    with open(os.path.join(folder, f"{MODULE}.lua"), "w") as file:
        file.write(SOURCE)
    return folder


@check
def udf_put_list_get_remove(client):
    folder = folder_with_module()
    client.udf_put(os.path.join(folder, f"{MODULE}.lua"))
    equal([module["name"] for module in client.udf_list()], [f"{MODULE}.lua"])
    equal(client.udf_get(f"{MODULE}.lua"), SOURCE)
    client.udf_remove(f"{MODULE}.lua")
    equal(client.udf_list(), [])
    client.udf_put(os.path.join(folder, f"{MODULE}.lua"))
    for number, k in enumerate(keys()):
        client.put(k, {"n": number, "group": f"g{number % 3}"})


@check
def udf_apply(client):
    k = fresh(client, "udf_apply")
    equal(client.apply(k, MODULE, "add", ["n", 5]), 5)
    equal(client.apply(k, MODULE, "add", ["n", 2]), 7)
    equal(bins_of(client, k), {"n": 7})
    for value in [1, 2.5, "text", b"\x00\xff", True, None, [1, ["a"]], {"k": [1, {"x": 2.5}]}]:
        equal(client.apply(k, MODULE, "echo", [value]), value)
    fails(UDF_EXECUTION, client.apply, k, MODULE, "fail", [])
    fails(UDF_EXECUTION, client.apply, k, MODULE, "none", [])
    fails(UDF_EXECUTION, client.apply, k, "nowhere", "echo", [])


@check
def udf_that_loops_hurts_nobody(client):
    k = fresh(client, "udf_loop")
    begun = time.monotonic()
    fails(UDF_EXECUTION, client.apply, k, MODULE, "loop", [], {"total_timeout": 0})
    assert time.monotonic() - begun < 4
    equal(client.apply(k, MODULE, "echo", [3]), 3)


@check
def udf_in_a_batch(client):
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
    equal(mixed.batch_records[1].record[2]["extra"], 5)


@check
def udf_in_the_background(client):
    query = client.query("test", SET)
    query.apply(MODULE, "add", ["background", 9])
    job = query.execute_background()
    until = time.monotonic() + 20
    while client.job_info(job, aerospike.JOB_QUERY)["status"] != aerospike.JOB_STATUS_COMPLETED:
        assert time.monotonic() < until, "the job is not over"
        time.sleep(0.05)
    for k in keys():
        equal(bins_of(client, k)["background"], 9)


@check
def udf_aggregations(client):
    host = client.get_nodes()[0]
    reducing = aerospike.client({"hosts": [host[:2]], "lua": {"user_path": folder_with_module()}})

    def values(function, arguments=()):
        query = reducing.query("test", SET)
        query.apply(MODULE, function, list(arguments))
        return query.results()

    equal(values("total"), [sum(range(COUNT))])
    groups = {f"g{group}": len(range(group, COUNT, 3)) for group in range(3)}
    equal(values("groups"), [groups])
    equal(sorted(values("large", [150])), list(range(150, COUNT)))
    reducing.close()
