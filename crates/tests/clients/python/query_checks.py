"""Scans, secondary indexes and queries with them, and operations in the background."""

import time
from concurrent.futures import ThreadPoolExecutor

import aerospike
from aerospike import predicates as where
from aerospike_helpers import cdt_ctx
from aerospike_helpers import expressions as exp
from aerospike_helpers.operations import operations as op

from expect import bins_of, check, equal, fails, meta_of

INDEX_NOT_FOUND = 201
COUNT = 300
SET = "queries"
CHANGES = "query_changes"
BACKGROUND = "query_background"
NUMERIC, STRING, BLOB = aerospike.INDEX_NUMERIC, aerospike.INDEX_STRING, aerospike.INDEX_BLOB
GEO = aerospike.INDEX_GEO2DSPHERE
LIST, KEYS = aerospike.INDEX_TYPE_LIST, aerospike.INDEX_TYPE_MAPKEYS
VALUES = aerospike.INDEX_TYPE_MAPVALUES
DEEP = [cdt_ctx.cdt_ctx_map_key("deep")]


def place_of(number):
    """Longitude and latitude of a record's point; its region is a square around it."""
    return number % 20, number // 20


def bins_for(number):
    x, y = place_of(number)
    return {
        "n": number,
        "s": f"group {number % 7}",
        "b": bytes([number % 5, 255]),
        "l": [number % 10, 100 + number % 3],
        "m": {f"k{number % 4}": number % 6, "all": 1000 + number},
        "d": {"deep": [number % 8, 50]},
        "p": aerospike.GeoJSON({"type": "Point", "coordinates": [x, y]}),
        "r": aerospike.GeoJSON(box(x - 0.75, y - 0.75, x + 0.75, y + 0.75)),
    }


def box(left, bottom, right, top):
    corners = [[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]]
    return {"type": "Polygon", "coordinates": [corners]}


def keys_of(set_name, count=COUNT):
    return [("test", set_name, number) for number in range(count)]


def numbers(rows):
    """Which records these are, each as often as it was returned."""
    return sorted(row[2]["n"] for row in rows)


def those(condition, count=COUNT):
    return [number for number in range(count) if condition(number)]


def found(client, predicate, context=None, set_name=SET, **policy):
    """The records that a query with this where clause finds."""
    query = client.query("test", set_name)
    query.where(predicate, context) if context else query.where(predicate)
    return numbers(query.results(policy))


@check
def scan_set(client):
    for number, k in enumerate(keys_of(SET)):
        client.put(k, bins_for(number))
    rows = client.scan("test", SET).results()
    equal(numbers(rows), list(range(COUNT)))
    for key, meta, bins in rows:
        equal(key[3], aerospike.calc_digest("test", SET, bins["n"]))
        equal(meta["gen"], 1)
        equal(bins["l"], bins_for(bins["n"])["l"])
        equal(bins["s"], bins_for(bins["n"])["s"])
    equal(client.scan("test", "no_such_set").results(), [])


@check
def scan_bins(client):
    scan = client.scan("test", SET)
    scan.select("n", "s", "none")
    rows = sorted((bins for _, _, bins in scan.results()), key=lambda bins: bins["n"])
    equal(rows, [{"n": number, "s": f"group {number % 7}"} for number in range(COUNT)])


@check
def scan_no_bins(client):
    rows = []
    client.scan("test", SET).foreach(rows.append, {}, {"nobins": True})
    equal(len(rows), COUNT)
    digests = {bytes(aerospike.calc_digest(*k)) for k in keys_of(SET)}
    equal({bytes(key[3]) for key, _, _ in rows}, digests)
    equal([bins for _, _, bins in rows if bins], [])


@check
def scan_max_records(client):
    rows = client.scan("test", SET).results({"max_records": 50})
    equal(len(rows), 50)
    equal(len(set(numbers(rows))), 50)


@check
def scan_rate(client):
    rows = client.scan("test", SET).results({"records_per_second": 1000})
    equal(numbers(rows), list(range(COUNT)))


@check
def scan_filter(client):
    even = exp.Eq(exp.Mod(exp.IntBin("n"), 2), 0).compile()
    rows = client.scan("test", SET).results({"expressions": even})
    equal(numbers(rows), those(lambda n: n % 2 == 0))


@check
def scan_partitions(client):
    union = []
    for begin in range(0, 4096, 1024):
        part = {"begin": begin, "count": 1024}
        rows = client.scan("test", SET).results({"partition_filter": part})
        union += numbers(rows)
        equal(0 < len(rows) < COUNT, True)
    equal(sorted(union), list(range(COUNT)))


def pages(query, policy=None):
    """All that a scan or a query returns, page by page."""
    query.paginate()
    union = []
    while not query.is_done():
        rows = query.results(policy or {})
        equal(len(rows) <= 70, True)
        union += numbers(rows)
    return sorted(union)


@check
def scan_resume(client):
    scan = client.scan("test", SET)
    equal(pages(scan, {"max_records": 70}), list(range(COUNT)))


INDEXES = [
    ("n", NUMERIC, None, None),
    ("s", STRING, None, None),
    ("b", BLOB, None, None),
    ("p", GEO, None, None),
    ("r", GEO, None, None),
    ("l", NUMERIC, LIST, None),
    ("m", STRING, KEYS, None),
    ("m", NUMERIC, VALUES, None),
    ("d", NUMERIC, LIST, DEEP),
]


@check
def index_create(client):
    create = {
        None: client.index_single_value_create,
        LIST: client.index_list_create,
        KEYS: client.index_map_keys_create,
        VALUES: client.index_map_values_create,
    }
    # The client waits until an index is filled, and looks only every other second.
    with ThreadPoolExecutor(len(INDEXES) + 2) as pool:
        tasks = [
            pool.submit(create[kind], "test", SET, name, datatype, f"queries_{n}", {}, context)
            for n, (name, datatype, kind, context) in enumerate(INDEXES)
        ]
        for set_name in (CHANGES, BACKGROUND):
            create_integer = client.index_integer_create
            tasks.append(pool.submit(create_integer, "test", set_name, "n", f"{set_name}_n"))
    for task in tasks:
        task.result()


@check
def query_integer(client):
    equal(found(client, where.equals("n", 42)), [42])
    equal(found(client, where.between("n", 100, 149)), list(range(100, 150)))
    equal(found(client, where.between("n", -5, 3)), [0, 1, 2, 3])
    equal(found(client, where.equals("n", COUNT)), [])


@check
def query_string(client):
    equal(found(client, where.equals("s", "group 3")), those(lambda n: n % 7 == 3))
    equal(found(client, where.equals("s", "group 7")), [])


@check
def query_blob(client):
    equal(found(client, where.equals("b", bytes([2, 255]))), those(lambda n: n % 5 == 2))
    equal(found(client, where.equals("b", bytes([2]))), [])


@check
def query_list(client):
    equal(found(client, where.contains("l", LIST, 4)), those(lambda n: n % 10 == 4))
    equal(found(client, where.contains("l", LIST, 101)), those(lambda n: n % 3 == 1))
    equal(found(client, where.range("l", LIST, 3, 5)), those(lambda n: 3 <= n % 10 <= 5))


@check
def query_map(client):
    equal(found(client, where.contains("m", KEYS, "k2")), those(lambda n: n % 4 == 2))
    equal(found(client, where.contains("m", KEYS, "all")), list(range(COUNT)))
    equal(found(client, where.contains("m", VALUES, 5)), those(lambda n: n % 6 == 5))
    equal(found(client, where.range("m", VALUES, 1010, 1019)), list(range(10, 20)))


@check
def query_nested(client):
    equal(found(client, where.contains("d", LIST, 6), DEEP), those(lambda n: n % 8 == 6))
    equal(found(client, where.range("d", LIST, 2, 3), DEEP), those(lambda n: n % 8 in (2, 3)))


@check
def query_geo_region(client):
    def in_box(number):
        x, y = place_of(number)
        return 5 <= x <= 9 and 3 <= y <= 6

    def in_circle(number):
        x, y = place_of(number)
        return (x - 10) ** 2 + (y - 5) ** 2 <= 7

    region = aerospike.GeoJSON(box(4.5, 2.5, 9.5, 6.5)).dumps()
    equal(found(client, where.geo_within_geojson_region("p", region)), those(in_box))
    equal(found(client, where.geo_within_radius("p", 10.0, 5.0, 300_000.0)), those(in_circle))


@check
def query_geo_point(client):
    def is_near(number):
        x, y = place_of(number)
        return abs(x - 7.2) < 0.75 and abs(y - 4.3) < 0.75

    equal(found(client, where.geo_contains_point("r", 7.2, 4.3)), those(is_near))
    equal(found(client, where.geo_contains_point("r", -40.0, 4.3)), [])


@check
def query_filter(client):
    fives = exp.Eq(exp.Mod(exp.IntBin("n"), 5), 0).compile()
    got = found(client, where.between("n", 50, 99), expressions=fives)
    equal(got, those(lambda n: 50 <= n < 100 and n % 5 == 0))


@check
def query_bins(client):
    query = client.query("test", SET)
    query.select("n", "l")
    query.where(where.between("n", 10, 12))
    rows = sorted((bins for _, _, bins in query.results()), key=lambda bins: bins["n"])
    equal(rows, [{"n": n, "l": [n % 10, 100 + n % 3]} for n in range(10, 13)])
    rows = query.results({}, {"nobins": True})
    equal((len(rows), [bins for _, _, bins in rows if bins]), (3, []))


@check
def query_max_records(client):
    query = client.query("test", SET)
    query.max_records = 20
    query.where(where.between("n", 100, 199))
    got = numbers(query.results())
    equal((len(got), len(set(got))), (20, 20))
    equal([n for n in got if not 100 <= n < 200], [])


@check
def query_resume(client):
    query = client.query("test", SET)
    query.max_records = 70
    query.where(where.between("n", 20, 279))
    equal(pages(query), list(range(20, 280)))
    union = []
    for begin in range(0, 4096, 1024):
        part = {"begin": begin, "count": 1024}
        union += found(client, where.equals("s", "group 1"), partition_filter=part)
    equal(sorted(union), those(lambda n: n % 7 == 1))


@check
def query_short(client):
    short = aerospike.QUERY_DURATION_SHORT
    got = found(client, where.between("n", 5, 30), expected_duration=short)
    equal(got, list(range(5, 31)))


@check
def query_changes(client):
    keys = keys_of(CHANGES, 20)
    for number, k in enumerate(keys):
        client.put(k, {"n": number, "other": 1})
    every = where.between("n", 0, 999)
    equal(found(client, every, set_name=CHANGES), list(range(20)))
    client.put(keys[3], {"n": 103})
    client.increment(keys[4], "n", 100)
    client.remove(keys[5])
    client.remove_bin(keys[6], ["n"])
    client.put(keys[7], {"n": "text"})
    client.put(keys[8], {"n": 8, "more": 2})
    equal(found(client, where.equals("n", 3), set_name=CHANGES), [])
    left = [n for n in range(20) if n not in (3, 4, 5, 6, 7)]
    equal(found(client, every, set_name=CHANGES), left + [103, 104])
    client.put(keys[5], {"n": 5})
    equal(found(client, where.equals("n", 5), set_name=CHANGES), [5])


@check
def query_expired(client):
    keys = keys_of(CHANGES, 30)[20:]
    for number, k in enumerate(keys, start=2000):
        client.put(k, {"n": number}, meta={"ttl": 1 if number % 2 else 1000})
    time.sleep(3)
    got = found(client, where.between("n", 2000, 2999), set_name=CHANGES)
    equal(got, [2000, 2002, 2004, 2006, 2008])


@check
def query_no_index(client):
    fails(INDEX_NOT_FOUND, found, client, where.equals("none", 1))
    fails(INDEX_NOT_FOUND, found, client, where.equals("n", "text"))
    fails(INDEX_NOT_FOUND, found, client, where.contains("l", KEYS, 1))
    fails(INDEX_NOT_FOUND, found, client, where.equals("n", 1), set_name="no_such_set")


def background_records(client):
    keys = keys_of(BACKGROUND, 200)
    replace = {"exists": aerospike.POLICY_EXISTS_CREATE_OR_REPLACE}
    for number, k in enumerate(keys):
        client.put(k, {"n": number, "count": 0}, policy=replace)
    return keys, [meta_of(client, k)["gen"] for k in keys]


def wait_for(client, job, kind):
    for _ in range(600):
        if client.job_info(job, kind)["status"] == aerospike.JOB_STATUS_COMPLETED:
            return
        time.sleep(0.05)
    raise AssertionError("the job does not end")


@check
def background_scan(client):
    keys, generations = background_records(client)
    scan = client.scan("test", BACKGROUND)
    scan.add_ops([op.increment("count", 1), op.write("done", "yes")])
    wait_for(client, scan.execute_background(), aerospike.JOB_SCAN)
    for number, k in enumerate(keys):
        equal(bins_of(client, k), {"n": number, "count": 1, "done": "yes"})
        equal(meta_of(client, k)["gen"], generations[number] + 1)


@check
def background_query(client):
    keys, generations = background_records(client)
    query = client.query("test", BACKGROUND)
    query.where(where.between("n", 50, 99))
    # Every changed record stays in the index, under another value.
    query.add_ops([op.increment("count", 1), op.increment("n", 30)])
    wait_for(client, query.execute_background(), aerospike.JOB_QUERY)
    for number, k in enumerate(keys):
        changed = 50 <= number < 100
        expected = {"n": number + 30, "count": 1} if changed else {"n": number, "count": 0}
        equal(bins_of(client, k), expected)
        equal(meta_of(client, k)["gen"], generations[number] + changed)


@check
def background_filter(client):
    keys, _ = background_records(client)
    query = client.query("test", BACKGROUND)
    query.where(where.between("n", 50, 99))
    query.add_ops([op.increment("count", 1)])
    below = exp.LT(exp.IntBin("n"), 60).compile()
    wait_for(client, query.execute_background({"expressions": below}), aerospike.JOB_QUERY)
    for number, k in enumerate(keys):
        equal(bins_of(client, k), {"n": number, "count": int(50 <= number < 60)})


@check
def background_abort(client):
    background_records(client)
    scan = client.scan("test", BACKGROUND)
    scan.add_ops([op.increment("count", 1)])
    job = scan.execute_background({"records_per_second": 20})
    time.sleep(0.5)
    all_say(client, f"query-show:trid={job}", ":status=active(ok):")
    all_say(client, f"query-abort:trid={job}", "ok")
    wait_for(client, job, aerospike.JOB_SCAN)
    all_say(client, f"query-show:trid={job}", ":status=done(user-aborted):")
    changed = sum(bins["count"] for _, _, bins in client.scan("test", BACKGROUND).results())
    equal(0 < changed < 200, True)


def all_say(client, command, part):
    """The answers of all nodes have this part."""
    for error, reply in client.info_all(command).values():
        equal(error, None)
        assert part in reply.split("\t")[-1], f"{reply} lacks {part}"


@check
def index_drop(client):
    equal(found(client, where.equals("n", 42)), [42])
    names = [f"queries_{number}" for number in range(len(INDEXES))]
    for name in [*names, f"{CHANGES}_n", f"{BACKGROUND}_n"]:
        client.index_remove("test", name)
    for predicate in (where.equals("n", 42), where.contains("l", LIST, 4)):
        fails(INDEX_NOT_FOUND, found, client, predicate)
    fails(INDEX_NOT_FOUND, found, client, where.contains("d", LIST, 6), DEEP)
    client.index_integer_create("test", SET, "n", "queries_0")
    equal(found(client, where.equals("n", 42)), [42])
    client.index_remove("test", "queries_0")
