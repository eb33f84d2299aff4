"""Expressions: filters on commands, and operations that read and write them."""

import aerospike
from aerospike_helpers import expressions as exp
from aerospike_helpers.operations import expression_operations as exp_op
from aerospike_helpers.operations import list_operations as lists
from aerospike_helpers.operations import operations as op

from expect import bins_of, check, equal, fails, fresh

FILTERED_OUT = 27


def fresh_record(client, name):
    k = fresh(client, name)
    client.put(k, {"n": 5, "s": "text", "l": [1, 2, 3], "m": {"x": 7}})
    return k


def policy(expression):
    return {"expressions": expression.compile()}


IS_FIVE = policy(exp.Eq(exp.IntBin("n"), 5))
IS_SIX = policy(exp.Eq(exp.IntBin("n"), 6))


@check
def filter_read(client):
    k = fresh_record(client, "filter_read")
    equal(client.get(k, policy=IS_FIVE)[2]["n"], 5)
    fails(FILTERED_OUT, client.get, k, policy=IS_SIX)
    fails(FILTERED_OUT, client.select, k, ["n"], policy=IS_SIX)
    fails(2, client.get, fresh(client, "filter_missing"), policy=IS_SIX)


@check
def filter_write(client):
    k = fresh_record(client, "filter_write")
    fails(FILTERED_OUT, client.put, k, {"n": 9}, policy=IS_SIX)
    equal(bins_of(client, k)["n"], 5)
    client.put(k, {"n": 6}, policy=IS_FIVE)
    equal(bins_of(client, k)["n"], 6)


@check
def filter_delete(client):
    k = fresh_record(client, "filter_delete")
    fails(FILTERED_OUT, client.remove, k, policy=IS_SIX)
    client.remove(k, policy=IS_FIVE)
    fails(2, client.get, k)


@check
def filter_operate(client):
    k = fresh_record(client, "filter_operate")
    operations = [op.increment("n", 1), op.read("n")]
    fails(FILTERED_OUT, client.operate, k, operations, policy=IS_SIX)
    equal(client.operate(k, operations, policy=IS_FIVE)[2], {"n": 6})


@check
def filter_logic(client):
    k = fresh_record(client, "filter_logic")
    matching = [
        exp.And(exp.GT(exp.IntBin("n"), 4), exp.LT(exp.IntBin("n"), 6)),
        exp.Or(exp.Eq(exp.StrBin("s"), "no"), exp.BinExists("l")),
        exp.Not(exp.BinExists("none")),
        exp.CmpRegex(aerospike.REGEX_ICASE, "^TE.T$", exp.StrBin("s")),
        exp.Eq(exp.ListSize(None, exp.ListBin("l")), 3),
        exp.Eq(
            exp.MapGetByKey(
                None, aerospike.MAP_RETURN_VALUE, exp.ResultType.INTEGER, "x", exp.MapBin("m")
            ),
            7,
        ),
    ]
    for expression in matching:
        client.get(k, policy=policy(expression))
        fails(FILTERED_OUT, client.get, k, policy=policy(exp.Not(expression)))


@check
def filter_metadata(client):
    k = fresh(client, "filter_metadata")
    client.put(k, {"n": 1}, meta={"ttl": 1000}, policy={"key": aerospike.POLICY_KEY_SEND})
    matching = [
        exp.And(exp.GT(exp.TTL(), 900), exp.LE(exp.TTL(), 1000)),
        exp.Eq(exp.SetName(), k[1]),
        exp.KeyExists(),
        exp.Eq(exp.KeyStr(), k[2]),
        exp.LT(exp.SinceUpdateTime(), 60_000),
        exp.GT(exp.VoidTime(), exp.LastUpdateTime()),
        exp.GT(exp.RecordSize(), 0),
        exp.LT(exp.DigestMod(7), 7),
    ]
    for expression in matching:
        client.get(k, policy=policy(expression))
        fails(FILTERED_OUT, client.get, k, policy=policy(exp.Not(expression)))


@check
def expression_read(client):
    k = fresh_record(client, "expression_read")
    total = exp.Add(exp.IntBin("n"), exp.ListSize(None, exp.ListBin("l"))).compile()
    equal(client.operate(k, [exp_op.expression_read("total", total)])[2], {"total": 8})
    wrong = exp.Add(exp.IntBin("none"), 1).compile()
    fails(26, client.operate, k, [exp_op.expression_read("total", wrong)])
    quiet = exp_op.expression_read("total", wrong, aerospike.EXP_READ_EVAL_NO_FAIL)
    equal(client.operate(k, [quiet])[2], {"total": None})


@check
def expression_write(client):
    k = fresh_record(client, "expression_write")
    double = exp.Mul(exp.IntBin("n"), 2).compile()
    client.operate(k, [exp_op.expression_write("n", double), lists.list_append("l", 4)])
    equal(bins_of(client, k)["n"], 10)
    create = aerospike.EXP_WRITE_CREATE_ONLY
    fails(6, client.operate, k, [exp_op.expression_write("n", double, create)])
    client.operate(k, [exp_op.expression_write("new", double, create)])
    equal(bins_of(client, k)["new"], 20)
