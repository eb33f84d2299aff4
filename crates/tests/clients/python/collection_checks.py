"""Operations on lists, maps, bits and HyperLogLog."""

import aerospike
from aerospike_helpers import cdt_ctx
from aerospike_helpers.operations import bitwise_operations as bits
from aerospike_helpers.operations import hll_operations as hll
from aerospike_helpers.operations import list_operations as lists
from aerospike_helpers.operations import map_operations as maps
from aerospike_helpers.operations import operations as op

from expect import bins_of, check, equal, fails, fresh

VALUES = aerospike.LIST_RETURN_VALUE
KEYS = aerospike.MAP_RETURN_KEY
MAP_VALUES = aerospike.MAP_RETURN_VALUE
SCORES = {"ann": 30, "bob": 10, "cid": 20, "dan": 40}


def run(client, k, *operations):
    """The results of the operations, in their order."""
    return [value for _, value in client.operate_ordered(k, list(operations))[2]]


def fresh_list(client, name, items):
    k = fresh(client, name)
    client.put(k, {"l": items})
    return k


def fresh_scores(client, name):
    k = fresh(client, name)
    client.put(k, {"m": SCORES})
    return k


@check
def list_append_insert(client):
    k = fresh(client, "list_append_insert")
    equal(run(client, k, lists.list_append("l", 1), lists.list_append_items("l", [2, "x"])), [1, 3])
    equal(run(client, k, lists.list_insert("l", 0, 0), lists.list_size("l")), [4, 4])
    equal(run(client, k, lists.list_insert_items("l", 1, [8, 9])), [6])
    equal(run(client, k, lists.list_set("l", -1, "y"), lists.list_increment("l", 0, 5))[-1], 5)
    equal(bins_of(client, k), {"l": [5, 8, 9, 1, 2, "y"]})


@check
def list_pop(client):
    k = fresh_list(client, "list_pop", [0, 1, 2, 3, 4, 5])
    equal(run(client, k, lists.list_pop("l", 0), lists.list_pop_range("l", -2, 2)), [0, [4, 5]])
    equal(run(client, k, lists.list_remove("l", 0), lists.list_trim("l", 1, 1)), [1, 1])
    equal(bins_of(client, k), {"l": [3]})
    run(client, k, lists.list_clear("l"))
    equal(bins_of(client, k), {"l": []})


@check
def list_get(client):
    k = fresh_list(client, "list_get", [30, 10, 40, 20])
    got = run(
        client, k,
        lists.list_get("l", -1),
        lists.list_get_range("l", 1, 2),
        lists.list_get_by_index("l", 2, VALUES),
        lists.list_get_by_index_range("l", 2, VALUES),
        lists.list_get_by_rank("l", -1, VALUES),
        lists.list_get_by_value_range("l", VALUES, 15, 40),
    )
    equal(got, [20, [10, 40], 40, [40, 20], 40, [30, 20]])
    equal(sorted(run(client, k, lists.list_get_by_rank_range("l", 0, VALUES, 2))[0]), [10, 20])
    fails(26, run, client, k, lists.list_get_by_index("l", 4, VALUES))


@check
def list_return_types(client):
    k = fresh_list(client, "list_return_types", [30, 10, 40, 20, 10])
    types = [
        aerospike.LIST_RETURN_INDEX, aerospike.LIST_RETURN_REVERSE_INDEX,
        aerospike.LIST_RETURN_RANK, aerospike.LIST_RETURN_REVERSE_RANK,
        aerospike.LIST_RETURN_COUNT, aerospike.LIST_RETURN_EXISTS, VALUES,
    ]
    got = run(client, k, *(lists.list_get_by_value("l", 40, kind) for kind in types))
    equal(got, [[2], [2], [4], [0], 1, True, [40]])
    rest = lists.list_get_by_value_list("l", [10, 20], VALUES, inverted=True)
    equal(run(client, k, rest), [[30, 40]])


@check
def list_remove(client):
    k = fresh_list(client, "list_remove", [30, 10, 40, 20, 10])
    equal(run(client, k, lists.list_remove_by_value("l", 10, aerospike.LIST_RETURN_COUNT)), [2])
    equal(run(client, k, lists.list_remove_by_rank("l", -1, VALUES)), [40])
    equal(run(client, k, lists.list_remove_by_value_range("l", VALUES, 25, 35)), [[30]])
    equal(bins_of(client, k), {"l": [20]})


@check
def list_ordered(client):
    k = fresh_list(client, "list_ordered", [3, 1])
    run(client, k, lists.list_set_order("l", aerospike.LIST_ORDERED), lists.list_append("l", 2))
    equal(bins_of(client, k), {"l": [1, 2, 3]})
    policy = {"list_order": aerospike.LIST_ORDERED}
    run(client, k, lists.list_append_items("new", ["b", 7, "a"], policy))
    equal(bins_of(client, k)["new"], [7, "a", "b"])
    fails(26, run, client, k, lists.list_insert("l", 0, 9))


@check
def list_sort(client):
    k = fresh_list(client, "list_sort", [3, 1, "x", 2, 1])
    run(client, k, lists.list_sort("l"))
    equal(bins_of(client, k), {"l": [1, 1, 2, 3, "x"]})
    run(client, k, lists.list_sort("l", aerospike.LIST_SORT_DROP_DUPLICATES))
    equal(bins_of(client, k), {"l": [1, 2, 3, "x"]})


@check
def list_add_unique(client):
    k = fresh_list(client, "list_add_unique", [1, 2])
    unique = {"write_flags": aerospike.LIST_WRITE_ADD_UNIQUE}
    fails(24, run, client, k, lists.list_append("l", 2, unique))
    no_fail = aerospike.LIST_WRITE_NO_FAIL | aerospike.LIST_WRITE_PARTIAL
    partial = {"write_flags": aerospike.LIST_WRITE_ADD_UNIQUE | no_fail}
    equal(run(client, k, lists.list_append_items("l", [2, 3], partial)), [3])
    equal(bins_of(client, k), {"l": [1, 2, 3]})


@check
def map_put(client):
    k = fresh(client, "map_put")
    got = run(client, k, maps.map_put("m", "a", 1), maps.map_put_items("m", {"b": 2, 3: [4]}))
    equal(got, [1, 3])
    equal(run(client, k, maps.map_put("m", "a", "new"), maps.map_size("m")), [3, 3])
    equal(bins_of(client, k), {"m": {"a": "new", "b": 2, 3: [4]}})
    run(client, k, maps.map_clear("m"))
    equal(bins_of(client, k), {"m": {}})


@check
def map_get(client):
    k = fresh_scores(client, "map_get")
    got = run(
        client, k,
        maps.map_get_by_key("m", "cid", MAP_VALUES),
        maps.map_get_by_key_range("m", "b", "d", aerospike.MAP_RETURN_COUNT),
        maps.map_get_by_index("m", 0, KEYS),
        maps.map_get_by_rank("m", -1, KEYS),
        maps.map_get_by_rank("m", 0, MAP_VALUES),
        maps.map_get_by_value("m", 20, KEYS),
        maps.map_get_by_key("m", "dan", aerospike.MAP_RETURN_RANK),
    )
    equal(got, [20, 2, "ann", "dan", 10, ["cid"], 3])
    got = run(client, k, maps.map_get_by_value_range("m", 20, 40, KEYS))[0]
    equal(sorted(got), ["ann", "cid"])
    fails(26, run, client, k, maps.map_get_by_index("m", 4, KEYS))


@check
def map_increment(client):
    k = fresh_scores(client, "map_increment")
    got = run(client, k, maps.map_increment("m", "ann", 5), maps.map_decrement("m", "bob", 1))
    equal(got, [35, 9])
    equal(run(client, k, maps.map_increment("m", "eve", 7)), [7])
    equal(bins_of(client, k), {"m": {**SCORES, "ann": 35, "bob": 9, "eve": 7}})


@check
def map_remove(client):
    k = fresh_scores(client, "map_remove")
    equal(run(client, k, maps.map_remove_by_key("m", "cid", MAP_VALUES)), [20])
    equal(run(client, k, maps.map_remove_by_value_range("m", 0, 15, KEYS)), [["bob"]])
    equal(run(client, k, maps.map_remove_by_rank_range("m", -1, 1, KEYS)), [["dan"]])
    gone = maps.map_remove_by_key_range("m", "a", "z", aerospike.MAP_RETURN_COUNT)
    equal(run(client, k, gone), [1])
    equal(bins_of(client, k), {"m": {}})


@check
def map_key_ordered(client):
    k = fresh(client, "map_key_ordered")
    policy = {"map_order": aerospike.MAP_KEY_ORDERED}
    run(client, k, maps.map_put_items("m", {"c": 1, "a": 2, "b": 3}, policy))
    equal(list(bins_of(client, k)["m"]), ["a", "b", "c"])
    equal(run(client, k, maps.map_get_by_index_range("m", 1, 2, KEYS)), [["b", "c"]])


@check
def map_create_only(client):
    k = fresh_scores(client, "map_create_only")
    create = {"map_write_flags": aerospike.MAP_WRITE_FLAGS_CREATE_ONLY}
    update = {"map_write_flags": aerospike.MAP_WRITE_FLAGS_UPDATE_ONLY}
    fails(24, run, client, k, maps.map_put("m", "ann", 1, create))
    fails(23, run, client, k, maps.map_put("m", "eve", 1, update))
    run(client, k, maps.map_put("m", "eve", 1, create))
    equal(bins_of(client, k), {"m": {**SCORES, "eve": 1}})


@check
def nested(client):
    k = fresh(client, "nested")
    client.put(k, {"m": {"list": [1, [2, 3]], "map": {"x": 1}}})
    in_list = [cdt_ctx.cdt_ctx_map_key("list"), cdt_ctx.cdt_ctx_list_index(-1)]
    in_map = [cdt_ctx.cdt_ctx_map_key("map")]
    got = run(
        client, k,
        lists.list_append("m", 4, ctx=in_list),
        maps.map_increment("m", "x", 9, ctx=in_map),
        lists.list_get_by_rank("m", -1, VALUES, ctx=in_list),
    )
    equal(got, [3, 10, 4])
    equal(bins_of(client, k), {"m": {"list": [1, [2, 3, 4]], "map": {"x": 10}}})
    missing = [cdt_ctx.cdt_ctx_map_key("missing")]
    fails(26, run, client, k, lists.list_append("m", 1, ctx=missing))


@check
def nested_create(client):
    k = fresh(client, "nested_create")
    path = [
        cdt_ctx.cdt_ctx_map_key_create("a", aerospike.MAP_KEY_ORDERED),
        cdt_ctx.cdt_ctx_map_key_create("b", aerospike.MAP_KEY_ORDERED),
    ]
    run(client, k, maps.map_put("m", "c", 1, ctx=path))
    equal(bins_of(client, k), {"m": {"a": {"b": {"c": 1}}}})


@check
def bits_resize_set(client):
    k = fresh(client, "bits_resize_set")
    run(client, k, bits.bit_resize("b", 4), bits.bit_set("b", 4, 8, 1, bytearray(b"\xff")))
    equal(bins_of(client, k), {"b": b"\x0f\xf0\x00\x00"})
    run(client, k, bits.bit_insert("b", 1, 1, bytearray(b"\xaa")), bits.bit_remove("b", 3, 2))
    equal(bins_of(client, k), {"b": b"\x0f\xaa\xf0"})
    shrink = bits.bit_resize("b", 2, resize_flags=aerospike.BIT_RESIZE_FROM_FRONT)
    run(client, k, shrink)
    equal(bins_of(client, k), {"b": b"\xaa\xf0"})


@check
def bits_logic(client):
    k = fresh(client, "bits_logic")
    client.put(k, {"b": b"\x0f\xf0\x55"})
    run(
        client, k,
        bits.bit_or("b", 0, 8, 1, bytearray(b"\x80")),
        bits.bit_and("b", 8, 8, 1, bytearray(b"\x3c")),
        bits.bit_xor("b", 16, 8, 1, bytearray(b"\xff")),
        bits.bit_not("b", 0, 4),
        bits.bit_lshift("b", 8, 8, 1),
    )
    equal(bins_of(client, k), {"b": b"\x7f\x60\xaa"})
    fails(26, run, client, k, bits.bit_or("b", 24, 8, 1, bytearray(b"\x01")))


@check
def bits_get_count(client):
    k = fresh(client, "bits_get_count")
    client.put(k, {"b": b"\x0f\xf0\x55"})
    got = run(
        client, k,
        bits.bit_get("b", 4, 8),
        bits.bit_count("b", 0, 24),
        bits.bit_get_int("b", 4, 8, True),
        bits.bit_lscan("b", 0, 24, True),
        bits.bit_rscan("b", 0, 16, True),
    )
    equal(got, [b"\xff", 12, -1, 4, 11])


@check
def hll_add_count(client):
    k = fresh(client, "hll_add_count")
    run(client, k, hll.hll_init("h", 12))
    equal(run(client, k, hll.hll_add("h", ["a", "b", "c"]), hll.hll_add("h", ["a", "d"])), [3, 1])
    equal(run(client, k, hll.hll_get_count("h")), [4])


@check
def hll_union(client):
    k = fresh(client, "hll_union")
    run(client, k, hll.hll_add("h", ["a", "b", "c"], 12), hll.hll_add("other", ["c", "d"], 12))
    other = [bins_of(client, k)["other"]]
    got = run(
        client, k, hll.hll_get_union_count("h", other), hll.hll_get_intersect_count("h", other)
    )
    equal(got, [4, 1])
    run(client, k, hll.hll_set_union("h", other))
    equal(run(client, k, hll.hll_get_count("h")), [4])


@check
def hll_describe(client):
    k = fresh(client, "hll_describe")
    run(client, k, hll.hll_init("h", 10, 6), op.write("n", 1))
    equal(run(client, k, hll.hll_describe("h")), [[10, 6]])
    create = {"flags": aerospike.HLL_WRITE_CREATE_ONLY}
    fails(6, run, client, k, hll.hll_init("h", 10, policy=create))
