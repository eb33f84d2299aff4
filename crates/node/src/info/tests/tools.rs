//! What clients and tools rely on (info reference, what clients need, what asadm needs).

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::super::answer;
use super::super::testing::{CLIENT, ask, node, send, write};

#[test]
fn clients_find_a_node_that_is_ready() {
    let (_, node) = node();
    let mut out = Vec::new();
    answer(&node, b"node\npartition-generation\nfeatures\nbuild\n", CLIENT, &mut out);
    let reply = String::from_utf8(out).unwrap();
    let lines: Vec<_> = reply.lines().filter_map(|line| line.split_once('\t')).collect();
    let names: Vec<_> = lines.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["node", "partition-generation", "features", "build"], "in request order");
    assert_eq!(lines[1].1, "0", "a client refuses -1");
    assert!(lines[2].1.split(';').any(|feature| feature == "pscans"));
    assert_eq!(lines[3].1.split('.').count(), 4);
}

#[test]
fn clients_learn_that_all_partitions_are_here() {
    let (_, node) = node();
    let replicas = ask(&node, "replicas");
    let namespaces: Vec<_> = replicas.split(';').collect();
    assert_eq!(namespaces.len(), 2);
    let (head, map) = namespaces[0].rsplit_once(',').unwrap();
    assert_eq!(head, "test:0,1");
    assert_eq!(map.len(), 684, "the C client takes no other length");
    assert_eq!(BASE64.decode(map).unwrap(), [0xFF; 512]);
    assert_eq!(ask(&node, "replicas:max=1"), replicas);
    assert!(ask(&node, "replicas-all").starts_with("test:1,"));
    assert!(ask(&node, "replicas-master").starts_with(&format!("test:{map};bar:")));
    assert_eq!(ask(&node, "peers-clear-std"), "0,3000,[]");
    assert_eq!(ask(&node, "peers-tls-alt:generation=3"), "0,3000,[]");
    assert_eq!(ask(&node, "peers-generation"), "0");
}

#[test]
fn the_echo_is_exact() {
    let (_, node) = node();
    for command in ["status:;", "status/a/b", "nope:x=\u{e9}", "sets/;", "get-config:context=x;;"] {
        let mut out = Vec::new();
        answer(&node, format!("{command}\n").as_bytes(), CLIENT, &mut out);
        assert!(out.starts_with(format!("{command}\t").as_bytes()), "{command}");
    }
}

#[test]
fn sets_end_in_a_semicolon() {
    let (_, node) = node();
    assert_eq!(send(&node, &write(Some("one"), "k", 0)), 0);
    assert_eq!(send(&node, &write(Some("two"), "k", 0)), 0);
    for command in ["sets", "sets/test", "sets/test/one"] {
        assert!(ask(&node, command).ends_with(';'), "{command}");
    }
    let sets = ask(&node, "sets");
    assert!(sets.starts_with("ns=test:set=one:objects=1:tombstones=0:data_used_bytes="));
    assert_eq!(sets.matches("ns=test:set=").count(), 2);
    assert_eq!(ask(&node, "sets/bar"), "");
}

#[test]
fn a_namespace_shows_statistics_and_settings_in_one() {
    let (_, node) = node();
    send(&node, &write(None, "k", 0));
    let reply = ask(&node, "namespace/test");
    let pairs: HashMap<_, _> = reply.split(';').map(|pair| pair.split_once('=').unwrap()).collect();
    for (name, value) in [
        ("objects", "1"),
        ("master_objects", "1"),
        ("client_write_success", "1"),
        ("nsup-period", "120"),
        ("storage-engine", "memory"),
        ("storage-engine.stripe[7]", "stripe-7"),
        ("storage-engine.stripe[7].free_wblocks", "14"),
        ("stop_writes", "false"),
        ("nsup_cycle_deleted_pct", "0.00"),
        ("record_proto_compression_ratio", "1.000"),
    ] {
        assert_eq!(pairs.get(name), Some(&value), "{name}");
    }
    let stripes: u64 = (0..8)
        .map(|stripe| pairs[&*format!("storage-engine.stripe[{stripe}].used_bytes")])
        .map(|used| used.parse::<u64>().unwrap())
        .sum();
    assert_eq!(stripes.to_string(), pairs["data_used_bytes"]);
    assert_eq!(ask(&node, "objects"), "1");
    assert!(ask(&node, "statistics").contains(";objects=1;tombstones=0;"));
}

#[test]
fn latency_entries_have_one_colon() {
    let (_, node) = node();
    let reply = ask(&node, "latencies:");
    assert_eq!(reply.split(';').count(), 17);
    assert!(reply.split(';').all(|entry| entry.matches(':').count() == 1));
}

#[test]
fn answers_that_tools_split_have_their_shape() {
    let (_, node) = node();
    assert!(ask(&node, "logs").split(';').all(|sink| sink.split(':').count() == 2));
    assert_eq!(ask(&node, "best-practices"), "failed_best_practices=none");
    assert_eq!(ask(&node, "query-show"), "");
    assert_eq!(ask(&node, "get-config:context=security"), "");
    assert_eq!(ask(&node, "set-config:context=service;ticker-interval=7"), "ok");
    assert_eq!(ask(&node, "cluster-stable:ignore_migrations=true"), ask(&node, "cluster-stable"));
}
