//! Queries with a where clause, and how queries of all kinds are counted.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use engine::latencies::LatencyKind;
use engine::sindex::{Predicate, SindexScan};
use engine::supervisor::{Supervisor, World};
use storage::ScanProgress;
use wire::Request;

use super::*;
use crate::host::Host as _;
use crate::ticker::Ticker;

const CREATE: &str = "sindex-create:ns=test;set=set;indexname=i;indexdata=even,numeric";
const DROP: &str = "sindex-delete:ns=test;set=set;indexname=i";
/// Records that the index has.
const INDEXED: u64 = RECORDS / 2;

const MODULE: &str = r"
function total(stream)
  local function numbers(rec) return rec.even or rec.odd end
  local function add_up(a, b) return a + b end
  return stream : map(numbers) : reduce(add_up)
end
function long(stream)
  local function text(rec) return string.rep('x', 4000) end
  return stream : map(text)
end
function broken(stream)
  local function fail(rec) error('on purpose') end
  return stream : map(fail)
end
function touch(rec) return aerospike:update(rec) end
";

/// The where clause for bin `even` between these.
fn range(low: u64, high: u64) -> Vec<u8> {
    range_of(b"even", low, high)
}

/// The where clause for a bin, or for none, between these.
fn range_of(bin: &[u8], low: u64, high: u64) -> Vec<u8> {
    let mut field = vec![1, bin.len() as u8];
    field.extend_from_slice(bin);
    field.push(ParticleType::INTEGER.0);
    for value in [low, high] {
        field.extend_from_slice(&8u32.to_be_bytes());
        field.extend_from_slice(&value.to_be_bytes());
    }
    field
}

fn indexed(message: RequestBuilder) -> RequestBuilder {
    message.field(FieldType::INDEX_RANGE, &range(0, RECORDS))
}

fn short(message: RequestBuilder) -> RequestBuilder {
    message.info1(Info1::READ | Info1::GET_ALL | Info1::SHORT_QUERY)
}

/// A request that runs a function: as an aggregation, or in the background.
fn calling(function: &str, way: u8) -> RequestBuilder {
    RequestBuilder::new()
        .namespace("test")
        .set("set")
        .info1(Info1::READ)
        .field(FieldType::UDF_FILENAME, b"m")
        .field(FieldType::UDF_FUNCTION, function.as_bytes())
        .field(FieldType::UDF_ARGUMENTS, &[0x90])
        .field(FieldType::UDF_OP, &[way])
}

fn aggregation(function: &str) -> RequestBuilder {
    calling(function, 1)
}

fn udf_job() -> RequestBuilder {
    calling("touch", 2)
}

fn ops_job() -> RequestBuilder {
    RequestBuilder::new().namespace("test").set("set").info2(Info2::WRITE).op(
        OpCode::WRITE,
        ParticleType::INTEGER,
        b"new",
        &7u64.to_be_bytes(),
    )
}

/// The node with its records and a module, before there is an index.
fn node_with_module() -> (Arc<TestHost>, Arc<Node>) {
    let (host, node) = node_with_records();
    let content = BASE64.encode(MODULE);
    let size = content.len();
    let put = format!("udf-put:filename=m.lua;content={content};content-len={size};udf-type=LUA");
    assert_eq!(ask(&node, &put), "ok");
    (host, node)
}

fn fill_indexes(host: &TestHost, node: &Node) {
    node.namespaces[0].finish_sindexes(|| host.now());
}

/// The same with an index that is filled.
fn node_with_index() -> (Arc<TestHost>, Arc<Node>) {
    let (host, node) = node_with_module();
    assert_eq!(ask(&node, CREATE), "ok");
    fill_indexes(&host, &node);
    (host, node)
}

/// What came of a request of any kind.
#[derive(Debug, Default)]
struct Came {
    /// Rows about records, or values that an aggregation yielded.
    rows: usize,
    result: Option<ResultCode>,
}

impl Came {
    fn read(&mut self, out: &[u8]) {
        for_each_reply(out, |reply| {
            if reply.header.n_fields + reply.header.n_ops > 0 {
                self.rows += 1;
                return;
            }
            assert_eq!(self.result, None, "nothing follows the last message");
            self.result = Some(reply.header.result);
        });
    }
}

/// A request of any kind that has begun.
struct Under<'n> {
    host: &'n TestHost,
    node: &'n Arc<Node>,
    worker: Worker,
    rest: Option<Box<Unfinished>>,
    came: Came,
}

impl<'n> Under<'n> {
    fn begin(host: &'n TestHost, node: &'n Arc<Node>, message: RequestBuilder) -> Self {
        let (mut worker, mut out, mut came) = (worker(node), Vec::new(), Came::default());
        let body = message.into_body();
        let answer = worker.answer(ProtoType::Message, &body, CLIENT, &mut out).unwrap();
        came.read(&out);
        let rest = match answer {
            Answer::Whole { .. } => None,
            Answer::Partial(rest) => Some(rest),
        };
        Self { host, node, worker, rest, came }
    }

    /// Takes a step of what the client waits for.
    fn advance(&mut self) {
        let Some(rest) = &mut self.rest else { return };
        while self.node.work_on_calls() {}
        self.worker.reap(&mut Vec::new());
        let mut out = Vec::new();
        if rest.advance(&mut self.worker, &mut out) == Progress::Over {
            self.rest = None;
        }
        self.came.read(&out);
    }

    /// Goes through to the end, that of a job in the background included.
    fn end(mut self) -> Came {
        while self.rest.is_some() {
            self.advance();
        }
        while self.node.jobs.active_count() > 0 {
            self.host.advance(Duration::from_millis(50));
            work(self.node);
        }
        self.came
    }
}

/// How a request of any kind ends.
fn result(host: &TestHost, node: &Arc<Node>, message: RequestBuilder) -> ResultCode {
    Under::begin(host, node, message).end().result.unwrap()
}

/// Statistics of the namespace whose names begin so.
fn statistics(node: &Node, prefixes: &[&str]) -> BTreeMap<String, u64> {
    let all = ask(node, "namespace/test");
    let pairs = all.split(';').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
        .map(|(name, value)| (name.into(), value.parse().unwrap()))
        .collect()
}

/// What of these has moved meanwhile, and by how much.
fn moved(node: &Node, prefixes: &[&str], meanwhile: impl FnOnce()) -> BTreeMap<String, u64> {
    let before = statistics(node, prefixes);
    meanwhile();
    let mut after = statistics(node, prefixes);
    assert_eq!(before.len(), after.len());
    for (name, value) in &mut after {
        *value -= before[name];
    }
    after.retain(|_, by| *by > 0);
    after
}

/// The statistics that count how queries end: `name` moves by one meanwhile, and no other.
fn counts(node: &Node, name: &str, meanwhile: impl FnOnce()) {
    let moved = moved(node, &["pi_query_", "si_query_"], meanwhile);
    assert_eq!(moved, BTreeMap::from([(name.into(), 1)]));
}

/// A request, and how the counter that tells of its end begins.
type Kind = (&'static str, fn() -> RequestBuilder);

const BASIC: [Kind; 2] = [("long_basic", query), ("short_basic", || short(query()))];
const JOBS: [Kind; 2] = [("ops_bg", ops_job), ("udf_bg", udf_job)];
const AGGREGATION: Kind = ("aggr", || aggregation("total"));

fn kinds() -> impl Iterator<Item = Kind> {
    BASIC.into_iter().chain([AGGREGATION]).chain(JOBS)
}

#[test]
fn an_index_that_is_being_filled_is_not_readable() {
    let (host, node) = node_with_module();
    assert_eq!(ask(&node, CREATE), "ok");
    let load_pct = || {
        let stat = ask(&node, "sindex-stat:ns=test;indexname=i");
        let (_, rest) = stat.split_once("load_pct=").unwrap();
        rest.split(';').next().unwrap().parse::<u64>().unwrap()
    };
    let refuse_all = || {
        for (kind, message) in kinds() {
            counts(&node, &format!("si_query_{kind}_error"), || {
                let result = result(&host, &node, indexed(message()));
                assert_eq!(result, ResultCode::SINDEX_NOT_READABLE, "{kind}");
            });
        }
    };
    assert_eq!(load_pct(), 0);
    refuse_all();
    let world = World { now: host.now(), memory_used_pct: 0 };
    let mut supervisor = Supervisor::new(host.now());
    supervisor.step(&node.namespaces[0], world, || host.now(), &mut Vec::new());
    assert!((1..100).contains(&load_pct()), "{} %", load_pct());
    refuse_all();
    fill_indexes(&host, &node);
    assert_eq!(load_pct(), 100);
    let rows = run(&node, &indexed(query()).into_body());
    assert_eq!((rows.digests.len() as u64, rows.result), (INDEXED, Some(ResultCode::OK)));
}

#[test]
fn an_index_tells_what_it_has() {
    let (host, node) = node_with_module();
    assert_eq!(ask(&node, CREATE), "ok");
    let world = World { now: host.now(), memory_used_pct: 0 };
    let mut supervisor = Supervisor::new(host.now());
    supervisor.step(&node.namespaces[0], world, || host.now(), &mut Vec::new());
    // Then the machine has other things to do.
    host.advance(Duration::from_secs(5));
    fill_indexes(&host, &node);
    let used_bytes = statistics(&node, &["sindex_used_bytes"])["sindex_used_bytes"];
    let bytes_each = used_bytes / INDEXED;
    assert!(bytes_each > 13, "{bytes_each}");
    let stat = ask(&node, "sindex-stat:ns=test;indexname=i");
    let expected = format!(
        "entries={INDEXED};used_bytes={used_bytes};entries_per_bval=1;entries_per_rec=1;\
         load_pct=100;load_time=5;stat_gc_recs=0"
    );
    assert_eq!(stat, expected);
    // Records that go take their entries with them, and nothing is left to collect.
    for number in 0..10 {
        let delete = RequestBuilder::new().namespace("test").digest(&digest(number));
        let delete = delete.info2(Info2::WRITE | Info2::DELETE).into_body();
        assert_eq!(send(&node, &delete), 0);
    }
    let stat = ask(&node, "sindex-stat:ns=test;indexname=i");
    assert!(stat.starts_with(&format!("entries={};", INDEXED - 5)), "{stat}");
    assert!(stat.ends_with(";stat_gc_recs=0"), "{stat}");
}

#[test]
fn long_queries_are_counted_while_they_run() {
    let (host, node) = node_with_module();
    let active = || {
        let all = ask(&node, "statistics");
        let (_, rest) = all.split_once(";long_queries_active=").unwrap();
        rest.split(';').next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(active(), 0);
    let long = Under::begin(&host, &node, query());
    let aggregation = Under::begin(&host, &node, aggregation("total"));
    let job = Under::begin(&host, &node, ops_job());
    let short = Under::begin(&host, &node, short(query()));
    assert_eq!(active(), 3, "a short query is none");
    drop(long);
    assert_eq!(active(), 2);
    for under in [aggregation, short, job] {
        assert_eq!(under.end().result, Some(ResultCode::OK));
    }
    assert_eq!(active(), 0);
}

#[test]
fn queries_are_counted_by_kind_and_ending() {
    for family in ["pi_query", "si_query"] {
        let (host, node) = node_with_index();
        let of = |message| if family == "si_query" { indexed(message) } else { message };
        // The request ends so, if this happens when it has begun.
        let ends =
            |(kind, message): (&str, RequestBuilder), ending, expected, meanwhile: &dyn Fn()| {
                counts(&node, &format!("{family}_{kind}_{ending}"), || {
                    let under = Under::begin(&host, &node, of(message));
                    meanwhile();
                    assert_eq!(under.end().result, Some(expected), "{family} {kind} {ending}");
                });
            };
        let nothing = || {};
        let abort = || assert_eq!(ask(&node, "query-abort-all"), "number-of-queries-killed:1");
        for (kind, message) in kinds() {
            ends((kind, message()), "complete", ResultCode::OK, &nothing);
            // A number of records a second has four bytes.
            let bad = message().field(FieldType::RECORDS_PER_SECOND, &[1]);
            ends((kind, bad), "error", ResultCode::PARAMETER, &nothing);
        }
        for (kind, message) in JOBS {
            // The client has its answer before the job ends.
            ends((kind, message()), "abort", ResultCode::OK, &abort);
        }
        for (kind, message) in [BASIC[0], AGGREGATION] {
            ends((kind, message()), "abort", ResultCode::QUERY_ABORT, &abort);
        }
        ends(("aggr", aggregation("broken")), "error", ResultCode::UNKNOWN, &nothing);
        let late = || host.advance(Duration::from_secs(2));
        ends((BASIC[1].0, BASIC[1].1()), "timeout", ResultCode::TIMEOUT, &late);
        for (kind, message) in BASIC.into_iter().chain([AGGREGATION]) {
            // The client goes.
            counts(&node, &format!("{family}_{kind}_error"), || {
                drop(Under::begin(&host, &node, of(message())));
            });
        }
    }
}

#[test]
fn a_query_ends_when_its_index_is_dropped() {
    let (host, node) = node_with_index();
    for (kind, message) in BASIC {
        counts(&node, &format!("si_query_{kind}_error"), || {
            let mut worker = worker(&node);
            let (mut rows, rest) = begin(&mut worker, &indexed(message()).into_body());
            assert_eq!(ask(&node, DROP), "ok");
            let mut out = Vec::new();
            assert_eq!(rest.unwrap().advance(&mut worker, &mut out), Progress::Over);
            rows.read(&out);
            assert_eq!(rows.result, Some(ResultCode::UNKNOWN));
            assert!((1..INDEXED).contains(&(rows.digests.len() as u64)));
        });
        let again = run(&node, &indexed(message()).into_body());
        assert_eq!(again.result, Some(ResultCode::SINDEX_NOT_FOUND));
        assert_eq!(ask(&node, CREATE), "ok");
        fill_indexes(&host, &node);
        let rows = run(&node, &indexed(message()).into_body());
        assert_eq!((rows.digests.len() as u64, rows.result), (INDEXED, Some(ResultCode::OK)));
    }
    assert!(ask(&node, "query-show").contains(":status=done(abandoned-unknown):"));
}

#[test]
fn an_aggregation_ends_when_its_index_is_dropped() {
    let (host, node) = node_with_index();
    counts(&node, "si_query_aggr_error", || {
        let mut under = Under::begin(&host, &node, indexed(aggregation("long")));
        under.advance();
        assert_eq!(ask(&node, DROP), "ok");
        let Came { rows, result } = under.end();
        assert_eq!(result, Some(ResultCode::UNKNOWN));
        assert!((1..INDEXED).contains(&(rows as u64)), "{rows} of {INDEXED}");
    });
    assert_eq!(result(&host, &node, indexed(aggregation("long"))), ResultCode::SINDEX_NOT_FOUND);
}

#[test]
fn an_aggregation_has_the_patience_that_its_client_asks_for() {
    let (host, node) = node_with_module();
    let patient = aggregation("long").field(FieldType::SOCKET_TIMEOUT, &700u32.to_be_bytes());
    for (message, timeout_ms) in [(patient, 700), (aggregation("long"), 10_000)] {
        for (waits_ms, ending) in
            [(timeout_ms - 1, "response-error"), (timeout_ms, "response-timeout")]
        {
            let mut under = Under::begin(&host, &node, message.clone());
            under.advance();
            let mut rest = under.rest.unwrap();
            assert_eq!(rest.send_timeout_ms(), timeout_ms);
            rest.delayed();
            host.advance(Duration::from_millis(waits_ms.into()));
            drop(rest);
            let shown = ask(&node, "query-show");
            let last = shown.split(';').next().unwrap();
            assert!(last.contains(&format!(":status=done(abandoned-{ending}):")), "{shown}");
        }
    }
}

#[test]
fn a_job_ends_when_its_index_is_dropped() {
    for (kind, message) in JOBS {
        let (host, node) = node_with_index();
        counts(&node, &format!("si_query_{kind}_error"), || {
            let under = Under::begin(&host, &node, indexed(message()));
            host.advance(Duration::from_millis(50));
            assert_eq!(node.work_on_jobs(), None);
            assert_eq!(ask(&node, DROP), "ok");
            assert_eq!(under.end().result, Some(ResultCode::OK), "it has begun");
        });
        let shown = ask(&node, "query-show");
        assert!(shown.contains(":status=done(abandoned-unknown):"), "{shown}");
        let succeeded = counter(&node, NamespaceCounter::OpsSubWriteSuccess)
            + counter(&node, NamespaceCounter::UdfSubLangWriteSuccess);
        assert!((1..INDEXED).contains(&succeeded), "{succeeded} of {INDEXED}");
        assert_eq!(result(&host, &node, indexed(message())), ResultCode::SINDEX_NOT_FOUND);
    }
}

#[test]
fn records_that_an_index_cannot_tell_apart_are_returned_once() {
    let (host, node) = node();
    // It knows of a digest no more than its first bytes.
    let alike = |number: u64| {
        let mut bytes = [7; Digest::SIZE];
        bytes[Digest::SIZE - 1] = number as u8;
        Digest(bytes)
    };
    let write = |number: u64, value: u64| {
        let message = RequestBuilder::new().namespace("test").set("set").digest(&alike(number));
        let op = (OpCode::WRITE, ParticleType::INTEGER, b"even");
        let message = message.info2(Info2::WRITE).op(op.0, op.1, op.2, &value.to_be_bytes());
        assert_eq!(send(&node, &message.into_body()), 0);
    };
    (0..20).for_each(|number| write(number, number / 2));
    assert_eq!(ask(&node, CREATE), "ok");
    fill_indexes(&host, &node);
    host.advance(Duration::from_millis(1));
    let rows = run(&node, &indexed(query()).into_body());
    assert_eq!(rows.digests, (0..20).map(alike).collect::<Vec<_>>());
    let values: Vec<_> = rows.bins.iter().map(|bins| bins[0].1).collect();
    assert_eq!(values, (0..20).map(|number| number / 2).collect::<Vec<_>>());
    // One that moves while it is listed is still found.
    let mut worker = worker(&node);
    let rate = 1_000u32.to_be_bytes();
    let slow = indexed(query()).field(FieldType::RECORDS_PER_SECOND, &rate).into_body();
    let (mut rows, rest) = begin(&mut worker, &slow);
    write(19, 0);
    let mut rest = rest.unwrap();
    loop {
        host.advance(Duration::from_millis(10));
        worker.reap(&mut Vec::new());
        let mut out = Vec::new();
        let progress = rest.advance(&mut worker, &mut out);
        rows.read(&out);
        if progress == Progress::Over {
            break;
        }
    }
    let all: BTreeSet<Digest> = rows.digests.iter().copied().collect();
    assert_eq!(all, (0..20).map(alike).collect());
}

/// Writes a point, in bin `p`.
fn write_point(number: u64, longitude: f64, latitude: f64) -> Vec<u8> {
    // Before the text: flags and a number of cells, which only the server fills in.
    let mut value = vec![0, 0, 0];
    let point = format!(r#"{{"type":"Point","coordinates":[{longitude},{latitude}]}}"#);
    value.extend_from_slice(point.as_bytes());
    RequestBuilder::new()
        .namespace("test")
        .set("set")
        .digest(&digest(number))
        .info2(Info2::WRITE)
        .op(OpCode::WRITE, ParticleType::GEOJSON, b"p", &value)
        .into_body()
}

/// A query for the points in a region, or the regions around a point; without bins.
fn geo_query(geometry: &str) -> RequestBuilder {
    let mut field = b"\x01\x01p\x17".to_vec();
    for _ in 0..2 {
        field.extend_from_slice(&(geometry.len() as u32).to_be_bytes());
        field.extend_from_slice(geometry.as_bytes());
    }
    query().info1(Info1::READ | Info1::GET_NO_BINS).field(FieldType::INDEX_RANGE, &field)
}

#[test]
fn queries_of_regions_are_counted_by_what_they_look_at() {
    let (host, node) = node();
    // A point each quarter of a degree; the region's borders lie between them.
    let inside = |place: f64| (5.1..8.1).contains(&place);
    let places = || (0..20).map(|step| 4.0 + f64::from(step) * 0.25);
    let points = places().flat_map(|x| places().map(move |y| (x, y)));
    for (number, (x, y)) in (0..).zip(points.clone()) {
        assert_eq!(send(&node, &write_point(number, x, y)), 0);
    }
    let expected = points.filter(|&(x, y)| inside(x) && inside(y)).count();
    let create = "sindex-create:ns=test;set=set;indexname=g;indexdata=p,geo2dsphere";
    assert_eq!(ask(&node, create), "ok");
    fill_indexes(&host, &node);

    let region = r#"{"type":"Polygon",
        "coordinates":[[[5.1,5.1],[8.1,5.1],[8.1,8.1],[5.1,8.1],[5.1,5.1]]]}"#;
    let message = geo_query(region).into_body();
    let namespace = &node.namespaces[0];
    let request = Request::parse(&message).unwrap();
    let predicate = Predicate::parse(&request, &namespace.config()).unwrap().unwrap();
    let cells = predicate.region_cells().unwrap();
    let index = namespace.sindexes.by_name(b"g").unwrap();
    let (mut scan, mut candidates) = (SindexScan::new(&predicate), Vec::new());
    for partition in PartitionId::all() {
        let all = &mut candidates;
        let progress = namespace.candidates(&index, &mut scan, partition, None, 1_000, all);
        assert_eq!(progress, ScanProgress::Done);
    }
    let falsepos = candidates.len() - expected;
    assert!(cells > 1 && expected > 100 && falsepos > 0, "{cells} {expected} {falsepos}");

    let moves = |message: &[u8], rows| {
        moved(&node, &["geo_region_query_"], || {
            let came = run(&node, message);
            assert_eq!((came.digests.len(), came.result), (rows, Some(ResultCode::OK)));
        })
    };
    let by = [
        ("geo_region_query_reqs", 1),
        ("geo_region_query_cells", cells),
        ("geo_region_query_points", expected),
        ("geo_region_query_falsepos", falsepos),
    ];
    assert_eq!(moves(&message, expected), by.map(|(name, by)| (name.into(), by as u64)).into());
    // So are queries that do not get as far as records: there is no index on this bin.
    let mut other = request.field(FieldType::INDEX_RANGE).unwrap().to_vec();
    other[2] = b'q';
    let refused = query().field(FieldType::INDEX_RANGE, &other).into_body();
    let looked_for = moved(&node, &["geo_region_query_"], || {
        assert_eq!(run(&node, &refused).result, Some(ResultCode::SINDEX_NOT_FOUND));
    });
    assert_eq!(looked_for, [by[0], by[1]].map(|(name, by)| (name.into(), by as u64)).into());
    // A point asks for regions, of which there are none, and is none itself.
    let point = geo_query(r#"{"type":"Point","coordinates":[6.0,6.0]}"#).into_body();
    assert_eq!(moves(&point, 0), BTreeMap::new());
    let all = query().info1(Info1::READ | Info1::GET_NO_BINS).into_body();
    assert_eq!(moves(&all, 400), BTreeMap::new());
}

#[test]
fn indexes_on_expressions_are_found_by_them_and_by_their_name() {
    let (host, node) = node_with_records();
    // The integer bin even + 0: of records that have no such bin there is nothing to index.
    let expression = [&[0x93, 20, 0x93, 81, 2, 0xa4], &b"even"[..], &[0]].concat();
    let create = "sindex-create:ns=test;indexname=sum;type=numeric;exp=kxSTUQKkZXZlbgA=";
    assert_eq!(ask(&node, create), "ok");
    let asks = |fields: &[(FieldType, &[u8])]| {
        let query = query().field(FieldType::INDEX_RANGE, &range_of(b"", 10, 19));
        fields.iter().fold(query, |query, (field, data)| query.field(*field, data)).into_body()
    };
    let by_expression = asks(&[(FieldType::INDEX_EXPRESSION, &expression)]);
    let refusal = run(&node, &by_expression).result;
    assert_eq!(refusal, Some(ResultCode::SINDEX_NOT_READABLE));
    fill_indexes(&host, &node);
    for message in [by_expression, asks(&[(FieldType::INDEX_NAME, b"sum")])] {
        let rows = run(&node, &message);
        assert_eq!(rows.result, Some(ResultCode::OK));
        let found: BTreeSet<_> = rows.bins.iter().map(|bins| bins[0].1).collect();
        assert_eq!(found, BTreeSet::from([10, 12, 14, 16, 18]));
    }
    let other = asks(&[(FieldType::INDEX_EXPRESSION, &expression[..9])]);
    assert_eq!(run(&node, &other).result, Some(ResultCode::SINDEX_NOT_FOUND));
    let nothing = asks(&[]);
    assert_eq!(run(&node, &nothing).result, Some(ResultCode::PARAMETER));
}

#[test]
fn queries_and_functions_show_in_lines_and_histograms() {
    let (host, node) = node_with_index();
    let mut ticker = Ticker::default();
    let lines = |ticker: &mut Ticker| -> Vec<String> {
        ticker.step(&node).into_iter().map(|line| line.text).collect()
    };
    let _ = lines(&mut ticker);
    let messages = [query(), indexed(query()), short(indexed(query())), udf_job(), ops_job()];
    for message in messages {
        assert_eq!(result(&host, &node, message), ResultCode::OK);
    }
    host.advance(Duration::from_secs(10));
    let lines = lines(&mut ticker);
    for line in [
        "{test} pi-query: short-basic (0,0,0) long-basic (1,0,0) aggr (0,0,0) udf-bg (1,0,0) \
         ops-bg (1,0,0)",
        "{test} si-query: short-basic (1,0,0) long-basic (1,0,0) aggr (0,0,0) udf-bg (0,0,0) \
         ops-bg (0,0,0)",
        "{test} udf-sub: tsvc (0,0) udf (1000,0,0,0) lang (0,1000,0,0)",
        "{test} ops-sub: tsvc (0,0) write (1000,0,0,0)",
        "histogram dump: {test}-pi-query (1 total) msec",
        "histogram dump: {test}-si-query (2 total) msec",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line}\n{lines:#?}");
    }
}

/// Steps of what a job does are timed while its namespace is told to.
#[test]
fn jobs_are_benchmarked_while_switched_on() {
    let (host, node) = node_with_module();
    let timed = |kind| node.namespaces[0].latencies.of(kind).counts().total();
    for (setting, message, kind) in [
        ("udf-sub", udf_job(), LatencyKind::UdfSubMaster),
        ("ops-sub", ops_job(), LatencyKind::OpsSubMaster),
    ] {
        for (is_on, expected) in [(false, 0), (true, RECORDS), (false, 0)] {
            let set = "set-config:context=namespace;namespace=test;enable-benchmarks-";
            assert_eq!(ask(&node, &format!("{set}{setting}={is_on}")), "ok");
            assert_eq!(result(&host, &node, message.clone()), ResultCode::OK);
            assert_eq!(timed(kind), expected, "{setting}, on: {is_on}");
        }
    }
}
