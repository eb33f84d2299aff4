//! What is counted and timed of all that.

use cluster::fabric::migration::{Step, What};
use engine::latencies::LatencyKind;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::FrameStep;
use crate::ticker::Ticker;

/// Two nodes of which one stood still while the other wrote. Nothing moves between them since.
fn with_duplicates() -> Town {
    let mut town = Town::of(2, |_, _| {});
    for node in 0..2 {
        assert_eq!(town.ask(node, "set-config:context=service;migrate-threads=0"), "ok");
    }
    for number in 0..40 {
        assert_eq!(town.send(0, put(number, 1)).0, ResultCode::OK);
    }
    town.freeze(1);
    town.until(|town| town.nodes[0].cluster.state().members.len() == 1);
    for number in 0..20 {
        assert_eq!(town.send(0, put(number, 2)).0, ResultCode::OK);
    }
    town.thaw(1);
    town.until(|town| {
        town.nodes.iter().all(|node| {
            let state = node.cluster.state();
            state.members.len() == 2 && state.is_balanced
        })
    });
    town
}

/// A read of the last of all versions, wherever it is.
fn get_last(number: u64) -> RequestBuilder {
    about(number).info1(Info1::READ | Info1::GET_ALL | Info1::CONSISTENCY_LEVEL_ALL)
}

#[test]
fn whoever_serves_asks_for_newer_versions_while_partitions_move() {
    let mut town = with_duplicates();
    for number in 0..40 {
        let expected = if number < 20 { 2 } else { 1 };
        let (result, reply) = town.send(1, get_last(number));
        assert_eq!((result, value_of(&reply)), (ResultCode::OK, Some(expected)));
        assert_eq!(town.send(0, add(number)).0, ResultCode::OK, "writes always ask");
    }
    for number in 0..40 {
        let expected = if number < 20 { 3 } else { 2 };
        let (_, reply) = town.send(0, get_last(number));
        assert_eq!(value_of(&reply), Some(expected), "no increment is lost");
    }
    let asked = sum(&town, NamespaceCounter::DupResAsk);
    let answered = sum(&town, NamespaceCounter::DupResRespondRead)
        + sum(&town, NamespaceCounter::DupResRespondNoRead);
    assert!(asked > 0, "some had to be asked for");
    assert_eq!(asked, answered);
    assert!(sum(&town, NamespaceCounter::DupResRespondRead) > 0, "some were newer");
}

#[test]
fn what_is_sent_again_is_counted() {
    let mut town = Town::of(2, |_, _| {});
    let writes: fn(&Frame<'_>) -> bool = |frame| frame.kind == Kind::Write;
    let removes: fn(&Frame<'_>) -> bool = |frame| frame.kind == Kind::Remove;
    for (request, is_meant, counter) in [
        (put(1, 1), writes, NamespaceCounter::RetransmitAllWriteReplWrite),
        (delete(1), removes, NamespaceCounter::RetransmitAllDeleteReplWrite),
    ] {
        assert_eq!(sum(&town, counter), 0);
        town.damages = Some(is_meant);
        assert_eq!(town.send(0, request).0, ResultCode::OK);
        assert_eq!(sum(&town, counter), 1);
    }
    for number in 0..60 {
        assert_eq!(town.send(0, put(number, number)).0, ResultCode::OK);
    }
    town.damages = Some(|frame| {
        let step = (frame.kind == Kind::Migration).then(|| Step::decode(frame.body)).flatten();
        matches!(step.map(|step| step.what), Some(What::Records(..) | What::Packed(..)))
    });
    town.add(2, |_, _| {});
    town.settle();
    assert!(town.damages.is_none());
    let resent =
        |node: usize| town.nodes[node].migrations.counts(0).records_resent.load(Ordering::Relaxed);
    assert!((0..3).map(resent).sum::<u64>() > 0);
    for node in 0..3 {
        let all = town.ask(node, "namespace/test");
        let value = |name: &str| {
            let pair = all.split(';').find_map(|pair| pair.strip_prefix(name));
            pair.unwrap().to_owned()
        };
        for idle in ["migrate_signals_active=", "migrate_tx_instances=", "migrate_rx_instances="] {
            assert_eq!(value(idle), "0", "{idle}");
        }
        assert_eq!(value("migrate_records_unreadable="), "0");
    }
}

#[test]
fn frames_between_nodes_are_timed_while_that_is_wanted() {
    let mut town = Town::of(2, |_, config| config.namespaces.truncate(1));
    let mut ticker = Ticker::default();
    let set = |town: &mut Town, setting: &str| {
        assert_eq!(town.ask(0, &format!("set-config:context=service;{setting}")), "ok");
    };
    let handled = |town: &Town| -> Vec<String> {
        let counts = town.nodes[0].fabric_latencies.counts();
        // Of metadata nodes tell each other now and then.
        let counts = counts.filter(|(name, _)| !name.starts_with("fabric-meta"));
        counts.filter(|(_, counts)| counts.total() != 0).map(|(name, _)| name).collect()
    };
    assert_eq!(town.send(0, put(1, 1)).0, ResultCode::OK);
    assert!(handled(&town).is_empty());
    set(&mut town, "enable-benchmarks-fabric=true");
    ticker.step(&town.nodes[0]);
    for number in 0..20 {
        assert_eq!(town.send(0, put(number, 1)).0, ResultCode::OK);
    }
    town.tell_of_a_write(0, FrameStep::SendInit, Duration::from_millis(3));
    assert_eq!(handled(&town), ["fabric-ctrl-recv-cb", "fabric-rw-send-init", "fabric-rw-recv-cb"]);
    town.pass(Duration::from_secs(1));
    let lines = ticker.step(&town.nodes[0]);
    let dump = "histogram dump: fabric-rw-send-init (1 total) msec";
    assert!(lines.iter().any(|line| line.text == dump), "{lines:#?}");
    assert!(lines.iter().any(|line| line.text.contains("fabric-bulk-recv-fragment (0 total)")));
    let group = town.ask(0, "latencies:hist=benchmarks-fabric");
    assert_eq!(group.split(';').count(), 16);
    let slice = |name: &str| group.split(';').find_map(|shown| shown.strip_prefix(name)).unwrap();
    assert!(slice("fabric-rw-send-init:").contains(",100.00,100.00,0.00,"), "from 2 to 4 ms");
    assert!(slice("fabric-bulk-send-init:").starts_with("msec,0.0,"));
    set(&mut town, "enable-benchmarks-fabric=false");
    assert!(handled(&town).is_empty(), "they start from zero");
    assert!(town.ask(0, "latencies:hist=benchmarks-fabric").contains("fabric-rw-send-init:;"));
    assert_eq!(town.send(0, put(1, 1)).0, ResultCode::OK);
    assert!(handled(&town).is_empty());
}

#[test]
fn proxied_and_replicated_requests_are_timed_when_that_is_wanted() {
    let mut town = Town::of(2, |_, _| {});
    let total = |town: &Town, kind| {
        let of = |node: &std::sync::Arc<crate::node::Node>| {
            node.namespaces[0].latencies.of(kind).counts().total()
        };
        town.nodes.iter().map(of).sum::<u64>()
    };
    for number in 0..20 {
        town.send(0, put(number, 1));
    }
    assert_eq!(total(&town, LatencyKind::Proxy) + total(&town, LatencyKind::WriteReplWrite), 0);
    for node in 0..2 {
        for setting in ["enable-hist-proxy", "enable-benchmarks-write"] {
            let command = format!("set-config:context=namespace;id=test;{setting}=true");
            assert_eq!(town.ask(node, &command), "ok");
        }
    }
    for number in 0..20 {
        town.send(0, put(number, 1));
    }
    let proxied = total(&town, LatencyKind::Proxy);
    assert!((1..20).contains(&proxied), "{proxied}");
    assert_eq!(total(&town, LatencyKind::WriteReplWrite), 20, "wherever they were carried out");
    assert!(town.ask(0, "latencies:hist={test}-proxy").starts_with("{test}-proxy:"));
}
