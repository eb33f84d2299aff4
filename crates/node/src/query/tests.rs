//! Queries against a node, without a network.

mod secondary;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;
use cluster::balance::PartitionVersion;
use cluster::partition::Partition;
use engine::query::{Wanted, WantedBins};
use engine::stats::NamespaceCounter;
use wire::client::{Reply, RequestBuilder};
use wire::query::Part;
use wire::{
    Digest, FieldType, Info1, Info2, Info3, OpCode, ParticleType, PartitionId, ProtoHeader,
    ProtoType, ResultCode,
};

use super::walk::{Reach, Scope, Walk};
use crate::info::testing::{CLIENT, TestHost, ask, node, send, worker};
use crate::node::Node;
use crate::unfinished::{Progress, Unfinished};
use crate::worker::{Answer, Worker};

/// Records of the node that most tests ask: more than a slice looks at.
const RECORDS: u64 = 1_000;

fn digest(number: u64) -> Digest {
    Digest::of_key(b"set", ParticleType::INTEGER, &number.to_be_bytes())
}

fn write(number: u64, bin: &[u8]) -> Vec<u8> {
    RequestBuilder::new()
        .namespace("test")
        .set("set")
        .digest(&digest(number))
        .info2(Info2::WRITE)
        .op(OpCode::WRITE, ParticleType::INTEGER, bin, &number.to_be_bytes())
        .into_body()
}

/// A node with [`RECORDS`] records in a set: those with even numbers have a bin `even`, others `odd`.
fn node_with_records() -> (Arc<TestHost>, Arc<Node>) {
    let (host, node) = node();
    for number in 0..RECORDS {
        let bin = if number % 2 == 0 { b"even" } else { &b"odd"[..] };
        assert_eq!(send(&node, &write(number, bin)), 0);
    }
    (host, node)
}

fn all_partitions() -> Vec<u8> {
    PartitionId::all().flat_map(|partition| (partition.index() as u16).to_le_bytes()).collect()
}

/// A query of all partitions.
fn query() -> RequestBuilder {
    base().field(FieldType::PARTITION_IDS, &all_partitions())
}

fn base() -> RequestBuilder {
    RequestBuilder::new()
        .namespace("test")
        .set("set")
        .info1(Info1::READ | Info1::GET_ALL)
        .info3(Info3::PARTITION_DONE)
}

/// What came of a query.
#[derive(Debug, Default)]
struct Rows {
    digests: Vec<Digest>,
    /// Name and value of the bins of each.
    bins: Vec<Vec<(Vec<u8>, u64)>>,
    result: Option<ResultCode>,
}

impl Rows {
    /// Takes in frames.
    fn read(&mut self, out: &[u8]) {
        for_each_reply(out, |reply| {
            assert_eq!(self.result, None, "nothing follows the last message");
            if reply.header.info3.contains(Info3::LAST) || reply.header.n_fields == 0 {
                self.result = Some(reply.header.result);
                return;
            }
            let digest = reply.field(FieldType::DIGEST).unwrap();
            self.digests.push(Digest(digest.try_into().unwrap()));
            let value = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
            self.bins.push(reply.ops().map(|op| (op.name.to_vec(), value(op.value))).collect());
        });
    }
}

/// Visits the messages in some frames.
fn for_each_reply(mut out: &[u8], mut visit: impl FnMut(&Reply<'_>)) {
    while !out.is_empty() {
        let size = u64::from_be_bytes(*out.first_chunk().unwrap()) & ((1 << 48) - 1);
        let (mut body, rest) = out[ProtoHeader::SIZE..].split_at(size as usize);
        out = rest;
        while !body.is_empty() {
            let (reply, rest) = Reply::parse(body).unwrap();
            body = rest;
            visit(&reply);
        }
    }
}

fn begin(worker: &mut Worker, message: &[u8]) -> (Rows, Option<Box<Unfinished>>) {
    let (mut out, mut rows) = (Vec::new(), Rows::default());
    let answer = worker.answer(ProtoType::Message, message, CLIENT, &mut out).unwrap();
    rows.read(&out);
    match answer {
        Answer::Whole { .. } => (rows, None),
        Answer::Partial(rest) => (rows, Some(rest)),
    }
}

fn run(node: &Arc<Node>, message: &[u8]) -> Rows {
    let mut worker = worker(node);
    let (mut rows, rest) = begin(&mut worker, message);
    let Some(mut rest) = rest else { return rows };
    loop {
        let mut out = Vec::new();
        let progress = rest.advance(&mut worker, &mut out);
        rows.read(&out);
        match progress {
            Progress::More => {}
            Progress::Over => return rows,
            Progress::Waits(_) => panic!("there is nothing to wait for"),
        }
    }
}

fn counter(node: &Node, counter: NamespaceCounter) -> u64 {
    node.namespaces[0].counters.sum(counter)
}

#[test]
fn every_record_is_returned_once_and_in_order() {
    let (_, node) = node_with_records();
    let rows = run(&node, &query().into_body());
    assert_eq!(rows.result, Some(ResultCode::OK));
    assert_eq!(rows.digests.len() as u64, RECORDS);
    let expected: BTreeSet<Digest> = (0..RECORDS).map(digest).collect();
    assert_eq!(rows.digests.iter().copied().collect::<BTreeSet<_>>(), expected);
    for [one, next] in rows.digests.array_windows() {
        assert!(one.partition() < next.partition() || one > next);
    }
    assert_eq!(counter(&node, NamespaceCounter::PiQueryLongBasicComplete), 1);
}

#[test]
fn a_query_goes_on_after_a_record() {
    let (_, node) = node_with_records();
    let all = run(&node, &query().into_body()).digests;
    let crowded = all.array_windows().find(|[one, next]| one.partition() == next.partition());
    let [first, second] = crowded.unwrap();
    let after = base().field(FieldType::DIGESTS, &first.0).into_body();
    let rows = run(&node, &after).digests;
    let of_partition = |digest: &&Digest| digest.partition() == first.partition();
    assert!(rows.contains(second) && !rows.contains(first));
    assert!(rows.iter().all(|digest| of_partition(&digest) && digest < first));
}

/// A client hears of such a partition and asks another node for it: what it got here would come twice, and it
/// would go on behind the last of that. Jobs and aggregations find it on the node that serves it.
#[test]
fn nothing_is_listed_of_partitions_that_are_not_here() {
    let (host, node) = node_with_records();
    let absent = digest(0).partition();
    let table = node.cluster.table(0);
    table.set(absent, Partition::nowhere(NodeId(1), PartitionVersion::NONE));
    for scope in [Scope::Complete, Scope::Relaxed, Scope::Served] {
        let parts = PartitionId::all().map(|partition| Part { partition, after: None });
        let mut walk = Walk::new(parts.collect());
        let begun = crate::host::Host::now(&*host);
        let wanted =
            Wanted { set: None, bins: WantedBins::None, filter: None, matching: None, begun };
        let (mut listed, mut told) = (BTreeSet::new(), Vec::new());
        loop {
            let step = walk.list(&node.namespaces[0], &wanted, Reach { table, scope });
            told.extend(step.absent);
            listed.extend(walk.ahead().iter().map(|of| of.digest));
            if step.is_over {
                break;
            }
            walk.ahead().to_vec().iter().for_each(|_| walk.pass());
        }
        assert_eq!(told, [absent], "{scope:?}");
        let here = (0..RECORDS).map(digest).filter(|digest| digest.partition() != absent);
        assert_eq!(listed, here.collect(), "{scope:?}");
    }
}

#[test]
fn a_query_returns_no_more_than_is_asked_for() {
    let (_, node) = node_with_records();
    let message = query().field(FieldType::RECORDS_MAX, &5u64.to_be_bytes()).into_body();
    let rows = run(&node, &message);
    assert_eq!((rows.digests.len(), rows.result), (5, Some(ResultCode::OK)));
}

#[test]
fn bins_are_selected() {
    let (_, node) = node_with_records();
    let select = |names: &[&[u8]]| {
        let mut message = query().info1(Info1::READ);
        for name in names {
            message = message.op(OpCode::READ, ParticleType::NULL, name, &[]);
        }
        run(&node, &message.into_body())
    };
    let rows = select(&[b"even"]);
    assert_eq!(rows.digests.len() as u64, RECORDS / 2, "others have nothing that was asked for");
    assert!(rows.bins.iter().all(|bins| bins.len() == 1 && bins[0].0 == b"even"));
    assert_eq!(select(&[b"none"]).digests.len(), 0);
    let list = query().field(FieldType::QUERY_BINS, b"\x02\x03odd\x04even").into_body();
    assert_eq!(run(&node, &list).digests.len() as u64, RECORDS);
    let message = query().info1(Info1::READ | Info1::GET_NO_BINS).into_body();
    let rows = run(&node, &message);
    assert_eq!(rows.digests.len() as u64, RECORDS);
    assert!(rows.bins.iter().all(Vec::is_empty));
}

#[test]
fn requests_are_refused() {
    let (_, node) = node_with_records();
    let refused = |message: RequestBuilder, result| {
        assert_eq!(run(&node, &message.into_body()).result, Some(result));
    };
    refused(query().info3(Info3::empty()), ResultCode::UNSUPPORTED_FEATURE);
    refused(base(), ResultCode::UNSUPPORTED_FEATURE);
    refused(query().namespace("other"), ResultCode::OK);
    refused(RequestBuilder::new().namespace("none"), ResultCode::NAMESPACE);
    refused(query().field(FieldType::RECORDS_MAX, &[1]), ResultCode::PARAMETER);
    refused(query().field(FieldType::SOCKET_TIMEOUT, &[1]), ResultCode::PARAMETER);
    refused(query().field(FieldType::FILTER, &[0xC1]), ResultCode::PARAMETER);
    let rate = query().field(FieldType::RECORDS_PER_SECOND, &9u32.to_be_bytes());
    refused(rate.info1(Info1::READ | Info1::SHORT_QUERY), ResultCode::PARAMETER);
    assert_eq!(counter(&node, NamespaceCounter::PiQueryLongBasicError), 5);
    assert_eq!(counter(&node, NamespaceCounter::PiQueryShortBasicError), 1);
}

#[test]
fn a_short_query_has_a_deadline() {
    let (host, node) = node_with_records();
    let mut worker = worker(&node);
    let message = query().info1(Info1::READ | Info1::GET_ALL | Info1::SHORT_QUERY).into_body();
    let (mut rows, rest) = begin(&mut worker, &message);
    assert_eq!(ask(&node, "query-show"), "");
    host.advance(Duration::from_secs(2));
    let mut out = Vec::new();
    assert_eq!(rest.unwrap().advance(&mut worker, &mut out), Progress::Over);
    rows.read(&out);
    assert_eq!(rows.result, Some(ResultCode::TIMEOUT));
    assert!(!rows.digests.is_empty());
    assert_eq!(counter(&node, NamespaceCounter::PiQueryShortBasicTimeout), 1);
}

#[test]
fn a_long_query_is_listed_and_can_be_aborted() {
    let (host, node) = node_with_records();
    let mut worker = worker(&node);
    let message = query().field(FieldType::QUERY_ID, &77u64.to_be_bytes()).into_body();
    let (mut rows, rest) = begin(&mut worker, &message);
    let shown = ask(&node, "query-show:trid=77");
    assert!(shown.starts_with("trid=77:ns=test:set=set:n-pids-requested=4096:"), "{shown}");
    assert!(shown.contains(":status=active(ok):"), "{shown}");
    assert_eq!(run(&node, &message).result, Some(ResultCode::PARAMETER), "the id is taken");
    assert_eq!(ask(&node, "query-abort:trid=78"), "ERROR:2:trid not active");
    assert_eq!(ask(&node, "query-abort:trid=77"), "ok");
    host.advance(Duration::from_millis(30));
    let mut out = Vec::new();
    assert_eq!(rest.unwrap().advance(&mut worker, &mut out), Progress::Over);
    rows.read(&out);
    assert_eq!(rows.result, Some(ResultCode::QUERY_ABORT));
    let shown = ask(&node, "query-show:trid=77");
    assert!(shown.contains(":status=done(user-aborted):"), "{shown}");
    assert!(shown.contains(":run-time=30:") && shown.contains(":job-type=basic:"), "{shown}");
    assert_eq!(counter(&node, NamespaceCounter::PiQueryLongBasicAbort), 1);
    assert_eq!(ask(&node, "query-abort-all"), "number-of-queries-killed:0");
}

#[test]
fn a_namespace_can_make_all_queries_long() {
    let (_, node) = node_with_records();
    let short = query().info1(Info1::READ | Info1::GET_ALL | Info1::SHORT_QUERY).into_body();
    for (is_forced, long, short_ones) in [(false, 0, 1), (true, 1, 1), (false, 1, 2)] {
        let command = "set-config:context=namespace;namespace=test;force-long-queries=";
        assert_eq!(ask(&node, &format!("{command}{is_forced}")), "ok");
        assert_eq!(run(&node, &short).result, Some(ResultCode::OK));
        assert_eq!(counter(&node, NamespaceCounter::PiQueryLongBasicComplete), long);
        assert_eq!(counter(&node, NamespaceCounter::PiQueryShortBasicComplete), short_ones);
    }
}

#[test]
fn a_query_whose_client_has_gone_has_failed() {
    let (_, node) = node_with_records();
    let (_, rest) = begin(&mut worker(&node), &query().into_body());
    assert_eq!(node.jobs.active_count(), 1);
    drop(rest);
    assert_eq!(node.jobs.active_count(), 0);
    assert!(ask(&node, "query-show").contains(":status=done(abandoned-response-error):"));
    assert_eq!(counter(&node, NamespaceCounter::PiQueryLongBasicError), 1);
}

#[test]
fn a_client_that_takes_nothing_for_too_long_is_told_from_one_that_has_gone() {
    let (host, node) = node_with_records();
    let message = query().field(FieldType::SOCKET_TIMEOUT, &700u32.to_be_bytes()).into_body();
    let (_, rest) = begin(&mut worker(&node), &message);
    let mut rest = rest.unwrap();
    assert_eq!(rest.send_timeout_ms(), 700);
    rest.delayed();
    host.advance(Duration::from_millis(700));
    drop(rest);
    assert!(ask(&node, "query-show").contains(":status=done(abandoned-response-timeout):"));
}

#[test]
fn a_query_keeps_its_pace() {
    let (host, node) = node_with_records();
    let mut worker = worker(&node);
    let message = query().field(FieldType::RECORDS_PER_SECOND, &100u32.to_be_bytes()).into_body();
    let (mut rows, rest) = begin(&mut worker, &message);
    let mut rest = rest.unwrap();
    assert_eq!((rows.digests.len(), worker.wake_after()), (0, Some(Duration::from_millis(10))));
    let mut ready = Vec::new();
    for number in 1..=50 {
        host.advance(Duration::from_millis(20));
        worker.reap(&mut ready);
        assert_eq!(ready.drain(..).count(), 1);
        let mut out = Vec::new();
        assert!(matches!(rest.advance(&mut worker, &mut out), Progress::Waits(_)));
        rows.read(&out);
        assert_eq!(rows.digests.len(), 2 * number);
    }
    assert!(ask(&node, "query-show").contains(":rps=100:"));
}

/// Carries out all jobs until they are over or wait for time.
fn work(node: &Node) {
    while node.work_on_jobs().is_none() {}
}

#[test]
fn a_job_applies_operations_to_all_records() {
    let (host, node) = node_with_records();
    let job_in = |set: &str, rate: u32| {
        RequestBuilder::new()
            .namespace("test")
            .set(set)
            .info2(Info2::WRITE)
            .field(FieldType::QUERY_ID, &5u64.to_be_bytes())
            .field(FieldType::RECORDS_PER_SECOND, &rate.to_be_bytes())
            .op(OpCode::WRITE, ParticleType::INTEGER, b"new", &7u64.to_be_bytes())
    };
    let job = |rate| job_in("set", rate);
    for bad in [
        job(0).info1(Info1::READ),
        job(0).op(OpCode::READ, ParticleType::NULL, b"a", &[]),
        job(1_000_001),
        job(0).field(FieldType::FILTER, &[0xC1]),
    ] {
        assert_eq!(run(&node, &bad.into_body()).result, Some(ResultCode::PARAMETER));
    }
    let of_nothing = job_in("unheard", 0).into_body();
    assert_eq!(run(&node, &of_nothing).result, Some(ResultCode::NOT_FOUND));
    assert_eq!(counter(&node, NamespaceCounter::PiQueryOpsBgError), 5);

    assert_eq!(run(&node, &job(0).into_body()).result, Some(ResultCode::OK));
    work(&node);
    host.advance(Duration::from_secs(1));
    assert!(ask(&node, "query-show:trid=5").contains(":status=active(ok):"));
    while node.jobs.active_count() > 0 {
        host.advance(Duration::from_millis(50));
        work(&node);
    }
    let shown = ask(&node, "query-show:trid=5");
    assert!(shown.contains(":status=done(ok):job-progress=100.00:"), "{shown}");
    assert!(shown.contains(":recs-succeeded=1000:recs-failed=0:"), "{shown}");
    assert!(shown.contains(":job-type=background-ops:"), "{shown}");
    assert!(shown.contains(":rps=10000:"), "{shown}");
    let rows = run(&node, &query().into_body());
    assert!(rows.bins.iter().all(|bins| bins.contains(&(b"new".to_vec(), 7))));
    assert_eq!(counter(&node, NamespaceCounter::OpsSubWriteSuccess), RECORDS);
    assert_eq!(counter(&node, NamespaceCounter::PiQueryOpsBgComplete), 1);
}
