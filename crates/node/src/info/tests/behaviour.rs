//! Commands that do something.

use std::time::Duration;

use engine::latencies::LatencyKind;
use engine::supervisor::{Supervisor, World};

use super::super::testing::{START, ask, digest, node, send, write};
use crate::host::Host as _;

const SECOND: Duration = Duration::from_secs(1);

/// `START` in ns since 1970, plus so many seconds.
fn unix_ns(seconds: u64) -> u64 {
    (START.0 + 1_262_304_000_000 + seconds * 1000) * 1_000_000
}

#[test]
fn truncation_takes_what_is_older() {
    let (host, node) = node();
    send(&node, &write(Some("s"), "old", 0));
    host.advance(10 * SECOND);
    send(&node, &write(Some("s"), "new", 0));
    let lut = unix_ns(5);
    assert_eq!(ask(&node, &format!("truncate:namespace=test;set=s;lut={lut}")), "ok");
    let since_2010 = START.0 + 5000;
    assert!(ask(&node, "sets/test/s").contains(&format!(":truncate_lut={since_2010}:")));
    assert_eq!(ask(&node, "smd-show:module=truncate"), format!("test|s={since_2010}"));
    assert!(
        ask(&node, "smd-info")
            .contains(";truncate:committed_key=E9F7134D3401,committed_tid=1,n_keys=1,")
    );

    let world = World { now: host.now(), memory_used_pct: 0 };
    let mut events = Vec::new();
    let namespace = node.namespace(b"test").unwrap();
    Supervisor::new(host.now()).step(namespace, world, || host.now(), &mut events);
    assert_eq!(ask(&node, "objects"), "1");

    assert_eq!(ask(&node, "truncate-undo:namespace=test;set=s"), "ok");
    assert_eq!(ask(&node, "smd-show:module=TRUNCATE"), "<empty>");
}

#[test]
fn a_namespace_is_truncated_as_a_whole() {
    let (host, node) = node();
    send(&node, &write(None, "k", 0));
    host.advance(SECOND);
    assert_eq!(ask(&node, "truncate-namespace:namespace=test"), "ok");
    let now = host.now().0;
    assert!(
        ask(&node, "namespace/test").contains(&format!(";truncate_lut={now};truncating=true;"))
    );
    assert!(ask(&node, "namespace/bar").contains(";truncate_lut=0;truncating=false;"));
    assert_eq!(ask(&node, "truncate-namespace-undo:namespace=test"), "ok");
    assert!(ask(&node, "namespace/test").contains(";truncate_lut=0;"));
}

#[test]
fn truncation_times_are_checked() {
    let (host, node) = node();
    let truncate = |lut: &str| ask(&node, &format!("truncate-namespace:namespace=test;lut={lut}"));
    let future = "ERROR:4:would truncate in the future";
    assert_eq!(truncate(&unix_ns(1).to_string()), future);
    host.advance(SECOND);
    assert_eq!(truncate(&format!("{:#x}", unix_ns(1))), "ok", "C notation");
    assert_eq!(truncate("1262304000000000000"), "ERROR:4:would truncate to 0");
    assert_eq!(truncate("1262304000001000000"), "ok");
    assert_eq!(truncate(&u64::MAX.to_string()), future);
    assert_eq!(truncate(""), "ERROR:4:missing 'lut' value");
}

#[test]
fn a_set_that_is_not_there_yet_is_truncated_when_it_comes() {
    let (host, node) = node();
    host.advance(SECOND);
    let time = host.now().0;
    for set in ["later", "never"] {
        assert_eq!(ask(&node, &format!("truncate:namespace=test;set={set}")), "ok");
    }
    assert_eq!(ask(&node, "truncate-undo:namespace=test;set=never"), "ok");
    assert_eq!(ask(&node, "sets/test/later"), "", "it does not come by that");
    for set in ["later", "never"] {
        send(&node, &write(Some(set), "k", 0));
    }
    assert!(ask(&node, "sets/test/later").starts_with("objects=1:"));
    assert!(ask(&node, "sets/test/later").contains(&format!(":truncate_lut={time}:")));
    assert!(ask(&node, "sets/test/never").contains(":truncate_lut=0:"));
}

#[test]
fn eviction_is_told_a_void_time() {
    let (_, node) = node();
    assert_eq!(ask(&node, "eviction-reset:namespace=test;ttl=100"), "ok");
    let void_time = START.seconds().0 + 100;
    assert_eq!(ask(&node, "smd-show:module=evict"), format!("test={void_time}"));
    assert!(ask(&node, "namespace/test").contains(&format!(";smd_evict_void_time={void_time};")));
    assert_eq!(ask(&node, "eviction-reset:namespace=test"), "ok");
    assert_eq!(ask(&node, "smd-show:module=evict"), "<empty>");
    assert_eq!(ask(&node, "smd-show:module=Security"), "ERROR:22:security module forbidden");
}

#[test]
fn settings_change_and_the_log_says_so() {
    let (host, node) = node();
    let set = "set-config:context=namespace;namespace=bar;";
    assert_eq!(ask(&node, &format!("{set}set=a;stop-writes-count=5")), "ok");
    assert!(ask(&node, "sets/bar/a").contains(":stop-writes-count=5:"));
    assert_eq!(
        *host.messages.lock(),
        [
            "namespace bar set a: stop-writes-count is 5 now on all nodes, was 0",
            "namespace bar set a: changed stop-writes-count from 0 to 5 (client 127.0.0.1:40000)"
        ]
    );
    let refused = "ERROR:4:invalid set-config parameter";
    assert_eq!(ask(&node, &format!("{set}nope=1")), refused);
    assert!(host.messages.lock()[2].starts_with(&format!("{set}nope=1: refused: ")));
    assert_eq!(ask(&node, &format!("{set}default-ttl=7d")), "ok");
    assert_eq!(node.namespace(b"bar").unwrap().config().default_ttl_seconds, 7 * 86_400);
}

#[test]
fn levels_of_the_log_are_set_and_shown() {
    let (_, node) = node();
    assert_eq!(ask(&node, "log-set:id=0;any=warning"), "ok");
    assert_eq!(ask(&node, "set-log:id=0;rw=Detail"), "ok");
    assert_eq!(ask(&node, "log/0/rw"), "rw:DETAIL");
    assert!(ask(&node, "log/0").starts_with("misc:WARNING;alloc:WARNING;"));
    assert_eq!(ask(&node, "log-set:id=0;rw=loud"), "ERROR:4:bad parameter");
}

#[test]
fn messages_and_dumps_go_to_the_log() {
    let (host, node) = node();
    assert_eq!(ask(&node, "log-message:message=a=b:c;who=me"), "");
    assert_eq!(ask(&node, "log-message:message=hello"), "");
    assert_eq!(ask(&node, "dump-cluster:verbose=true"), "ok");
    assert_eq!(ask(&node, "dump-wb-summary:ns=bar"), "ok");
    assert_eq!(ask(&node, "jem-stats:"), "ok");
    assert_eq!(
        *host.messages.lock(),
        [
            "me: a=b:c",
            "unknown: hello",
            "cluster: key E9F7134D3401 size 1 principal A1 members A1",
            "{bar} write-blocks: used-bytes 0 total-bytes 1073741824",
            "heap-kbytes: (90,100,0)",
        ]
    );
}

#[test]
fn reclustering_balances_again() {
    let (host, node) = node();
    assert_eq!(ask(&node, "rebalance-generation"), "1");
    assert_eq!(ask(&node, "cluster-stable:size=1"), "E9F7134D3401");
    host.advance(10 * SECOND);
    assert!(ask(&node, "statistics").contains(";time_since_rebalance=10;"));
    assert_eq!(ask(&node, "recluster:"), "ok");
    assert_eq!(ask(&node, "rebalance-generation"), "2");
    assert_eq!(ask(&node, "partition-generation"), "0", "no partition has moved");
    let statistics = ask(&node, "statistics");
    assert!(statistics.contains(";cluster_generation=2;"));
    assert!(statistics.contains(";time_since_rebalance=0;"));
    assert!(statistics.contains(";uptime=10;system_total_cpu_pct=7;"));
}

#[test]
fn histograms_follow_the_supervisor() {
    let (host, node) = node();
    send(&node, &write(Some("s"), "k", 1000));
    send(&node, &write(None, "k", 500));
    send(&node, &write(Some("empty"), "k", 0));
    let histogram = |rest: &str| ask(&node, &format!("histogram:namespace=test;type={rest}"));
    assert_eq!(histogram("ttl"), "");
    assert_eq!(histogram("ttl;set=s"), "hist-unavailable");
    let world = World { now: host.now(), memory_used_pct: 0 };
    let namespace = node.namespace(b"test").unwrap();
    Supervisor::default().step(namespace, world, || host.now(), &mut Vec::new());
    let ttl = histogram("ttl");
    assert!(ttl.starts_with("units=seconds:hist-width=1000:bucket-width=10:buckets=0,0,"));
    let (_, buckets) = ttl.rsplit_once('=').unwrap();
    let buckets: Vec<_> = buckets.split(',').collect();
    assert_eq!((buckets.len(), buckets[50], buckets[99]), (100, "1", "1"));
    let linear = histogram("object-size-linear");
    assert!(linear.starts_with("units=bytes:hist-width=1048576:bucket-width=1024:buckets=3,0,"));
    assert_eq!(histogram("object-size"), "units=bytes:[64-128)=3");
    assert_eq!(histogram("object-size;set=s"), "units=bytes:[64-128)=1");
}

#[test]
fn a_record_is_looked_into() {
    let (_, node) = node();
    send(&node, &write(Some("s"), "k", 100));
    let keyd = digest(Some("s"), "k");
    let ask_record =
        |name: &str, rest: &str| ask(&node, &format!("{name}:namespace=test;keyd={keyd}{rest}"));
    let full = ask_record("debug-record", "");
    let void_time = START.seconds().0 + 100;
    let lut = START.0;
    assert!(full.starts_with(&format!("pid={};repl-ix=0;index=rc=0,", keyd.partition().index())));
    assert!(full.contains(&format!(
        ",void-time={void_time},lut={lut},generation=1,rblock-id=0,n-rblocks=3,"
    )));
    assert!(full.ends_with(
        ";key=flat-size=2,type=3,value=6b;n-bins=2;bins=bin-name=a,xdr-write=0,lut=0,src-id=0,\
         state=1,type=1,value=7:bin-name=s,xdr-write=0,lut=0,src-id=0,state=3,type=3,data-size=1,\
         value=76"
    ));
    let meta = ask_record("debug-record-meta", "");
    assert_eq!(
        full.replace(",value=6b", "").replace(",value=76", "").replace(",value=7", ""),
        meta
    );
    let raw = ask_record("debug-record", ";mode=raw");
    let (_, hex) = raw.split_once(";raw-bytes=").unwrap();
    assert!(raw.contains(&format!(";raw-size={};", hex.len() / 2)));
    assert!(ask_record("debug-record", ";mode=pickle").contains(";pickle-size="));
    let bad = "debug-record:namespace=test;keyd=zz00000000000000000000000000000000000000";
    assert_eq!(ask(&node, bad), "ERROR:4:keyd");
}

#[test]
fn histograms_start_afresh_in_another_unit() {
    let (_, node) = node();
    send(&node, &write(None, "k", 0));
    let writes = node.namespace(b"test").unwrap().latencies.of(LatencyKind::Write);
    assert_eq!(writes.counts().total(), 1);
    ask(&node, "set-config:context=service;microsecond-histograms=true");
    assert_eq!(writes.counts().total(), 0);
}

#[test]
fn times_of_info_requests_are_kept_on_demand() {
    let (_, node) = node();
    ask(&node, "status");
    assert_eq!(node.info_latency.counts().total(), 0);
    ask(&node, "set-config:context=service;enable-hist-info=true");
    ask(&node, "status");
    assert_eq!(node.info_latency.counts().total(), 2, "the request that switched it on, and one");
    ask(&node, "set-config:context=service;enable-hist-info=false");
    assert_eq!(node.info_latency.counts().total(), 0);
}
