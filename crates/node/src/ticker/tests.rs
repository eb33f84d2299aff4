//! The ticker over a node whose clock is moved by hand.

use std::time::Duration;

use wire::Info1;
use wire::client::RequestBuilder;

use super::Ticker;
use crate::info::testing::{ask, digest, node, send, write};

const TEN_SECONDS: Duration = Duration::from_secs(10);

fn texts(ticker: &mut Ticker, node: &crate::Node) -> Vec<String> {
    let lines = ticker.step(node);
    assert!(lines.iter().all(|line| line.context == "info"));
    lines.into_iter().map(|line| line.text).collect()
}

#[test]
fn an_idle_node_says_only_what_it_always_says() {
    let (_, node) = node();
    assert_eq!(
        texts(&mut Ticker::default(), &node),
        [
            "NODE-ID a1 CLUSTER-SIZE 1 CLUSTER-NAME bolide",
            "   cluster-clock: skew-ms 0",
            "   system: total-cpu-pct 7 user-cpu-pct 3 kernel-cpu-pct 4 free-mem-kbytes 0 \
             free-mem-pct 0 thp-mem-kbytes 0",
            "   process: cpu-pct 0 threads (5,0,0,0) heap-kbytes (90,100,0) \
             heap-efficiency-pct 90.0",
            "   in-progress: info-q 0 rw-hash 0 proxy-hash 0 tree-gc-q 0 long-queries 0",
            "   fds: proto (1,2,1) heartbeat (0,0,0) fabric (0,0,0)",
            "   heartbeat-received: self 0 foreign 0",
            "   fabric-bytes-per-second: bulk (0,0) ctrl (0,0) meta (0,0) rw (0,0)",
            "{test} objects: all 0 master 0 prole 0 non-replica 0",
            "{test} migrations: complete",
            "{test} index-usage: used-bytes 0",
            "{test} data-usage: used-bytes 0 avail-pct 100",
            "{bar} objects: all 0 master 0 prole 0 non-replica 0",
            "{bar} migrations: complete",
            "{bar} index-usage: used-bytes 0",
            "{bar} data-usage: used-bytes 0 avail-pct 100",
        ]
    );
}

#[test]
fn what_happened_is_said() {
    let (_, node) = node();
    send(&node, &write(Some("s"), "k", 0));
    assert_ne!(send(&node, b"rubbish"), 0);
    let texts = texts(&mut Ticker::default(), &node);
    for line in [
        "   early-fail: demarshal 1 tsvc-client 0 tsvc-from-proxy 0 tsvc-from-proxy-batch-sub 0",
        "{test} objects: all 1 master 1 prole 0 non-replica 0",
        "{test} client: tsvc (0,0) proxy (0,0,0) read (0,0,0,0,0) write (1,0,0,0) \
         delete (0,0,0,0,0) udf (0,0,0,0) lang (0,0,0,0)",
        "histogram dump: {test}-write (1 total) msec",
        " (00: 0000000001)",
    ] {
        assert!(texts.iter().any(|text| text == line), "{line}\n{texts:#?}");
    }
}

#[test]
fn indexes_are_weighed_once_there_are_any() {
    let (_, node) = node();
    assert_eq!(ask(&node, "sindex-create:ns=test;indexname=i;indexdata=b,numeric"), "ok");
    let texts = texts(&mut Ticker::default(), &node);
    let line = "{test} sindex-usage: used-bytes 196608";
    assert!(texts.iter().any(|text| text == line), "{texts:#?}");
    assert!(!texts.iter().any(|text| text.starts_with("{bar} sindex-usage")));
}

#[test]
fn slices_begin_with_the_second_step() {
    let (host, node) = node();
    let mut ticker = Ticker::default();
    let ask_write = || ask(&node, "latencies:hist={test}-write");
    send(&node, &write(None, "k", 0));
    ticker.step(&node);
    assert_eq!(ask_write(), "{test}-write:");
    send(&node, &write(None, "k", 0));
    send(&node, &write(None, "k", 0));
    host.advance(TEN_SECONDS);
    ticker.step(&node);
    let zeros = ",0.00".repeat(17);
    assert_eq!(ask_write(), format!("{{test}}-write:msec,0.2{zeros}"));
    host.advance(TEN_SECONDS);
    ticker.step(&node);
    assert_eq!(ask_write(), format!("{{test}}-write:msec,0.0{zeros}"));
}

#[test]
fn benchmarks_are_kept_while_switched_on() {
    let (host, node) = node();
    let mut ticker = Ticker::default();
    let group = || ask(&node, "latencies:hist={test}-benchmarks-write");
    let switch = |value: &str| {
        let set = "set-config:context=namespace;namespace=test;enable-benchmarks-write";
        assert_eq!(ask(&node, &format!("{set}={value}")), "ok");
    };
    switch("true");
    ticker.step(&node);
    send(&node, &write(None, "k", 0));
    host.advance(TEN_SECONDS);
    let texts = texts(&mut ticker, &node);
    for name in ["start", "restart", "dup-res", "master", "repl-write", "response"] {
        let total = u8::from(["start", "master", "response"].contains(&name));
        let dump = format!("histogram dump: {{test}}-write-{name} ({total} total) msec");
        assert!(texts.contains(&dump), "{dump}");
        let slice = format!("{{test}}-write-{name}:msec,0.{total},0.00,");
        assert!(group().contains(&slice), "{slice}\n{}", group());
    }
    switch("false");
    assert!(group().contains("{test}-write-start:;"));
    let after = ticker.step(&node);
    assert!(!after.iter().any(|line| line.text.contains("-write-start")));
}

#[test]
fn reads_are_benchmarked_too() {
    let (host, node) = node();
    let mut ticker = Ticker::default();
    let set = "set-config:context=namespace;namespace=test;enable-benchmarks-read=true";
    assert_eq!(ask(&node, set), "ok");
    assert_eq!(send(&node, &write(None, "k", 0)), 0);
    let read = RequestBuilder::new()
        .namespace("test")
        .digest(&digest(None, "k"))
        .info1(Info1::READ | Info1::GET_ALL)
        .into_body();
    assert_eq!(send(&node, &read), 0);
    ticker.step(&node);
    assert_eq!(send(&node, &read), 0);
    host.advance(TEN_SECONDS);
    ticker.step(&node);
    let slice = |hist: &str| ask(&node, &format!("latencies:hist={hist}"));
    assert!(slice("{test}-read").starts_with("{test}-read:msec,0.1,0.00,"));
    let group = slice("{test}-benchmarks-read");
    let steps = ["start", "restart", "dup-res", "repl-ping", "local", "response"];
    for (step, shown) in steps.into_iter().zip(group.split(';')) {
        let count = u8::from(["start", "local", "response"].contains(&step));
        assert!(shown.starts_with(&format!("{{test}}-read-{step}:msec,0.{count},")), "{shown}");
    }
}
