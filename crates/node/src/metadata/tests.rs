//! The store, what decides in it, its files, and the namespaces behind it.

mod devices;
mod set_settings;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use record::LastUpdateTime;

use super::file::{Committed, Contents, decode, encode};
use super::merge::{How, change, merge};
use super::{Acceptor, Item, Module, Occasion, SetError};
use crate::host::Host as _;
use crate::info::testing::{START, TestHost, ask, node, restarted, send, write};
use crate::node::Node;

const SECOND: Duration = Duration::from_secs(1);

fn item(key: &str, value: Option<&str>, generation: u32, timestamp: u64) -> Item {
    Item {
        key: key.as_bytes().into(),
        value: value.map(|value| value.as_bytes().into()),
        generation,
        timestamp: LastUpdateTime(timestamp),
    }
}

/// One of few items, so that many are alike.
fn any_item(random: &mut fastrand::Rng) -> Item {
    let value = ["1", "2", "9", "10", "x"][random.usize(..5)];
    let value = random.bool().then_some(value);
    item(["a", "b", "c"][random.usize(..3)], value, random.u32(1..4), random.u64(1..4))
}

fn any_items(random: &mut fastrand::Rng) -> Vec<Item> {
    let items: Vec<_> = (0..random.usize(..5)).map(|_| any_item(random)).collect();
    // A module has each key once.
    sorted(merge(Module::Udf, &[], &items))
}

fn sorted(mut items: Vec<Item>) -> Vec<Item> {
    items.sort_by(|a, b| a.key.cmp(&b.key));
    items
}

#[test]
fn merging_is_commutative_associative_and_idempotent() {
    let mut random = fastrand::Rng::with_seed(11);
    for module in Module::ALL {
        let merge = |a: &[Item], b: &[Item]| sorted(merge(module, a, b));
        for _ in 0..5_000 {
            let [a, b, c] = std::array::from_fn(|_| any_items(&mut random));
            assert_eq!(merge(&a, &b), merge(&b, &a));
            assert_eq!(merge(&merge(&a, &b), &c), merge(&a, &merge(&b, &c)));
            assert_eq!(merge(&a, &a), a);
            assert_eq!(merge(&merge(&a, &b), &b), merge(&a, &b));
        }
    }
}

#[test]
fn generation_then_time_then_value_decide() {
    let wins = |module, winner: &Item, loser: &Item| {
        let merged = merge(module, std::slice::from_ref(loser), std::slice::from_ref(winner));
        assert_eq!(merged, std::slice::from_ref(winner), "{winner:?} against {loser:?}");
    };
    let old = item("k", Some("5"), 2, 20);
    wins(Module::Udf, &item("k", None, 3, 10), &old);
    wins(Module::Udf, &item("k", None, 2, 21), &old);
    wins(Module::Udf, &item("k", Some("6"), 2, 20), &old);
    wins(Module::Udf, &old, &item("k", None, 2, 20));
    // Of numbers of a generation the larger one.
    wins(Module::Truncate, &item("k", Some("10"), 2, 1), &old);
    wins(Module::Truncate, &old, &item("k", None, 2, 30));
    wins(Module::Truncate, &item("k", None, 3, 1), &old);
}

/// What a key becomes by a change: value and generation.
fn changed(module: Module, old: Option<&Item>, value: Option<&str>, how: How) -> Option<Item> {
    change(module, old, (b"k", value.map(str::as_bytes)), how, LastUpdateTime(50))
}

#[test]
fn a_larger_number_wins_unless_it_is_taken_back() {
    let module = Module::Truncate;
    let by_rule = |old: &Item, value| changed(module, Some(old), value, How::ByRule);
    let old = item("k", Some("9"), 4, 70);
    assert_eq!(by_rule(&old, Some("9")), None);
    assert_eq!(by_rule(&old, Some("8")), None);
    assert_eq!(by_rule(&old, Some("10")), Some(item("k", Some("10"), 4, 70)));
    let undone = by_rule(&old, None).unwrap();
    assert_eq!(undone, item("k", None, 5, 70));
    assert_eq!(by_rule(&undone, None), None);
    assert_eq!(by_rule(&undone, Some("8")), Some(item("k", Some("8"), 6, 70)));
    let lower = changed(module, Some(&old), Some("8"), How::Anyway);
    assert_eq!(lower, Some(item("k", Some("8"), 5, 70)));
    assert_eq!(changed(module, None, None, How::ByRule), None);
    assert_eq!(changed(module, None, Some("1"), How::ByRule), Some(item("k", Some("1"), 1, 50)));
}

#[test]
fn other_values_replace_each_other() {
    let old = item("k", Some("9"), 4, 30);
    let by_rule = |value| changed(Module::Udf, Some(&old), value, How::ByRule);
    assert_eq!(by_rule(Some("9")), None);
    assert_eq!(by_rule(Some("8")), Some(item("k", Some("8"), 5, 50)));
    assert_eq!(by_rule(None), Some(item("k", None, 5, 50)));
}

#[test]
fn what_follows_here_counts_more_elsewhere() {
    let mut random = fastrand::Rng::with_seed(3);
    for module in [Module::Udf, Module::Truncate] {
        for _ in 0..2000 {
            let old = any_item(&mut random);
            let value = any_item(&mut random).value;
            let how = if random.bool() { How::ByRule } else { How::Anyway };
            let now = LastUpdateTime(random.u64(..5));
            let new = change(module, Some(&old), (&old.key, value.as_deref()), how, now);
            if let Some(new) = new {
                assert_eq!(merge(module, &[old], std::slice::from_ref(&new)), [new]);
            }
        }
    }
}

#[test]
fn a_file_is_as_the_original_writes_it() {
    let contents = Contents {
        committed: Committed { cluster_key: 201_928_282_904, tid: 2 },
        items: vec![item("test|s", Some("533"), 1, 77), item("test", None, 2, 78)],
    };
    let text = "[\n   [\n      201928282904,\n      2\n   ],\n   {\n      \"key\": \"test|s\",\n      \
                \"value\": \"533\",\n      \"generation\": 1,\n      \"timestamp\": 77\n   },\n   {\n      \
                \"key\": \"test\",\n      \"value\": null,\n      \"generation\": 2,\n      \
                \"timestamp\": 78\n   }\n]\n";
    assert_eq!(String::from_utf8(encode(&contents)).unwrap(), text);
    assert_eq!(decode(Module::Truncate, text.as_bytes()), Ok(contents));
}

#[test]
fn any_bytes_have_their_place_in_a_file() {
    let item = Item {
        key: (*b"test|\xFF\x00\"").into(),
        value: Some((*b"\xFE").into()),
        generation: u32::MAX,
        timestamp: LastUpdateTime(u64::MAX),
    };
    let contents = Contents { items: vec![item], ..Contents::default() };
    let bytes = encode(&contents);
    assert!(String::from_utf8_lossy(&bytes).contains("\"key64\""));
    assert_eq!(decode(Module::Roster, &bytes), Ok(contents));
}

#[test]
fn a_file_that_is_none_is_refused_with_its_line() {
    let good =
        "[\n[1, 2],\n{\"key\": \"a\", \"value\": \"1\", \"generation\": 1, \"timestamp\": 1}\n]";
    assert!(decode(Module::Truncate, good.as_bytes()).is_ok());
    for (old, new, line, reason) in [
        (good, "", 1, "EOF"),
        (good, "{}", 1, "an array"),
        (good, "[]", 1, "invalid length"),
        ("\n]", "", 3, "EOF"),
        ("\n]", "\n]\nx", 5, "trailing"),
        ("[1, 2]", "[1]", 2, "invalid length"),
        ("[1, 2]", "[-1, 2]", 2, "invalid value"),
        ("\"key\": \"a\", ", "", 3, "either \"key\""),
        ("\"value\": \"1\", ", "", 3, "either \"value\""),
        ("\"value\": \"1\"", "\"value\": 1", 3, "invalid type"),
        ("\"value\": \"1\"", "\"value\": \"x\"", 3, "not a number"),
        ("\"generation\": 1", "\"generation\": 4294967296", 3, "invalid value"),
        ("\"timestamp\": 1", "\"time\": 1", 3, "unknown field"),
        ("\"key\": \"a\"", "\"key64\": \"?\"", 3, "not base64"),
        (
            "}",
            "},\n{\"key\": \"a\", \"value\": null, \"generation\": 1, \"timestamp\": 1}",
            4,
            "already",
        ),
    ] {
        let text = good.replacen(old, new, 1);
        let corrupt = decode(Module::Truncate, text.as_bytes()).unwrap_err();
        assert_eq!(corrupt.line, line, "{text}: {corrupt}");
        assert!(corrupt.reason.contains(reason), "{text}: {corrupt}");
        assert!(!corrupt.reason.contains(" at line "), "{corrupt}");
    }
    assert!(decode(Module::Truncate, b"[[1,2],{\"key\":\"\xFF\"}]").is_err());
    for module in [Module::Sindex, Module::Udf] {
        assert!(decode(module, good.as_bytes()).is_err(), "{module:?}");
    }
}

/// Key, value, why, and whether it was durable by then.
type Seen = (String, Option<String>, Occasion, bool);

/// Writes down what it is told, and may refuse it.
#[derive(Default)]
struct Witness {
    seen: Mutex<Vec<Seen>>,
    host: Option<Arc<TestHost>>,
    refuses: bool,
}

impl Acceptor for Witness {
    fn accept(&self, item: &Item, occasion: Occasion) -> io::Result<()> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let value = item.value.as_deref().map(text);
        // Whether it was durable by then.
        let files = self.host.as_ref().map(|host| host.files.lock().clone()).unwrap_or_default();
        let file = files.get("XDR").cloned().unwrap_or_default();
        let is_durable =
            decode(Module::Xdr, &file).is_ok_and(|contents| contents.items.contains(item));
        self.seen.lock().push((text(&item.key), value, occasion, is_durable));
        if self.refuses { Err(io::ErrorKind::NotConnected.into()) } else { Ok(()) }
    }
}

fn watched(host: &Arc<TestHost>, node: &Node, refuses: bool) -> Arc<Witness> {
    let seen = Mutex::default();
    let witness = Arc::new(Witness { seen, host: Some(Arc::clone(host)), refuses });
    node.metadata.register(Module::Xdr, witness.clone());
    witness
}

#[test]
fn a_change_is_durable_then_holds_then_is_acted_on() {
    let (host, node) = node();
    let witness = watched(&host, &node, false);
    let set = |key: &str, value: Option<&str>| {
        node.metadata.set(Module::Xdr, key.as_bytes(), value.map(str::as_bytes))
    };
    assert!(set("a", Some("1")).unwrap());
    assert!(!set("a", Some("1")).unwrap(), "no change");
    assert!(!set("b", None).unwrap(), "nothing to delete");
    assert!(set("a", None).unwrap());
    let change = Occasion::Change;
    assert_eq!(
        *witness.seen.lock(),
        [("a".into(), Some("1".into()), change, true), ("a".into(), None, change, true)]
    );
    let committed = node.metadata.committed(Module::Xdr);
    assert_eq!(committed, Committed { cluster_key: 0xE9F7_134D_3401, tid: 2 });

    host.full.store(true, Ordering::Relaxed);
    let error = set("c", Some("1")).unwrap_err();
    assert!(matches!(error, SetError::NotKept { .. }));
    assert!(error.to_string().starts_with("smd/XDR.smd cannot be written: "));
    assert_eq!(node.metadata.get(Module::Xdr, b"c"), None);
    assert_eq!(witness.seen.lock().len(), 2);

    host.full.store(false, Ordering::Relaxed);
    let other = watched(&host, &node, true);
    assert!(matches!(set("d", Some("1")), Err(SetError::NotInForce(_))));
    assert!(node.metadata.get(Module::Xdr, b"d").is_some(), "it holds all the same");
    assert_eq!((witness.seen.lock().len(), other.seen.lock().len()), (3, 1));
}

#[test]
fn what_a_file_may_not_hold_is_not_set() {
    let (host, node) = node();
    for (module, key, value) in [
        (Module::Truncate, "test", "soon"),
        (Module::Evict, "test", "-1"),
        (Module::Sindex, "test|b", "name"),
        (Module::Udf, "a.lua", "{}"),
        (Module::SetSettings, "test|enable-index", "true"),
    ] {
        let set = node.metadata.set(module, key.as_bytes(), Some(value.as_bytes()));
        assert!(matches!(set, Err(SetError::Invalid(_))), "{module:?}");
        let merged = node.metadata.merge(module, &[item(key, Some(value), 1, 1)]);
        assert!(matches!(merged, Err(SetError::Invalid(_))), "{module:?}");
    }
    assert!(host.files.lock().is_empty());
    restarted(&host).unwrap();
}

#[test]
fn a_change_may_depend_on_what_is_there() {
    let (_, node) = node();
    // Each name once, as indexes have it.
    let create = |key: &str, name: &str| {
        node.metadata.set_with(Module::Xdr, |items| {
            let taken = items.iter().any(|item| item.value.as_deref() == Some(name.as_bytes()));
            if taken { Err(SetError::Full) } else { Ok((key.into(), Some(name.into()))) }
        })
    };
    assert!(create("a", "first").unwrap());
    assert!(matches!(create("b", "first"), Err(SetError::Full)));
    assert!(create("b", "second").unwrap());
    let threads = std::thread::scope(|scope| {
        let threads = [0; 8].map(|_| scope.spawn(|| create("c", "third").is_ok_and(|new| new)));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(threads.iter().filter(|new| **new).count(), 1);
    assert_eq!(node.metadata.committed(Module::Xdr).tid, 3);
}

#[test]
fn acceptors_see_all_at_the_start() {
    let (host, node) = node();
    for key in ["b", "a", "c"] {
        node.metadata.set(Module::Xdr, key.as_bytes(), Some(b"v")).unwrap();
    }
    node.metadata.set(Module::Xdr, b"a", None).unwrap();
    let config = (*node.config()).clone();
    let next = Node::new(config, host.clone(), 1);
    let witness = watched(&host, &next, true);
    next.restore_metadata().unwrap();
    let seen = witness.seen.lock();
    let keys: Vec<_> = seen.iter().map(|(key, value, ..)| (&key[..], value.is_some())).collect();
    assert_eq!(keys, [("b", true), ("a", false), ("c", true)]);
    assert!(seen.iter().all(|(_, _, occasion, _)| *occasion == Occasion::Start));
    let messages = host.messages.lock();
    assert!(messages[0].starts_with("system metadata: filters of shipping of b: "), "{messages:?}");
    assert_eq!(next.metadata.committed(Module::Xdr).tid, 4);
}

#[test]
fn items_of_another_node_are_taken_over() {
    let (host, node) = node();
    let witness = watched(&host, &node, false);
    node.metadata.set(Module::Xdr, b"a", Some(b"1")).unwrap();
    node.metadata.set(Module::Xdr, b"b", Some(b"1")).unwrap();
    let theirs = [item("b", Some("2"), 9, 9), item("c", None, 1, 9), item("a", Some("0"), 1, 9)];
    assert_eq!(node.metadata.merge(Module::Xdr, &theirs).unwrap(), 2);
    assert_eq!(node.metadata.merge(Module::Xdr, &theirs).unwrap(), 0, "nothing new");
    let keys: Vec<_> = witness.seen.lock().iter().map(|(key, ..)| key.clone()).collect();
    assert_eq!(keys, ["a", "b", "b", "c"]);
    assert!(witness.seen.lock().iter().all(|(.., is_durable)| *is_durable));
    assert_eq!(node.metadata.get(Module::Xdr, b"b"), Some(theirs[0].clone()));
    assert_eq!(node.metadata.committed(Module::Xdr).tid, 3);
}

#[test]
fn another_nodes_truncation_replaces_ours_only_behind_an_undo() {
    let (host, node) = node();
    send(&node, &write(Some("s"), "k", 0));
    host.advance(SECOND);
    assert_eq!(ask(&node, "truncate:namespace=test;set=s"), "ok");
    let lut = |time: u64| format!(":truncate_lut={time}:");
    let now = host.now().0;
    assert!(ask(&node, "sets/test/s").contains(&lut(now)));
    let earlier = |generation| [item("test|s", Some("7"), generation, now + 9)];
    node.metadata.merge(Module::Truncate, &earlier(1)).unwrap();
    assert!(ask(&node, "sets/test/s").contains(&lut(now)));
    node.metadata.merge(Module::Truncate, &earlier(3)).unwrap();
    assert!(ask(&node, "sets/test/s").contains(&lut(7)));
}

#[test]
fn truncations_and_thresholds_hold_after_a_restart_in_memory() {
    let (host, node) = node();
    send(&node, &write(Some("s"), "k", 0));
    host.advance(SECOND);
    let now = host.now();
    for command in [
        "truncate:namespace=test;set=s",
        "truncate:namespace=test;set=undone",
        "truncate-undo:namespace=test;set=undone",
        "truncate-namespace:namespace=bar",
        "truncate:namespace=elsewhere;set=s",
        "eviction-reset:namespace=bar;ttl=100",
    ] {
        assert_eq!(ask(&node, command), "ok", "{command}");
    }
    let shown = ["smd-show:module=truncate", "smd-show:module=evict", "smd-info"];
    let show = |node: &Node| {
        // A node that restarts agrees with itself anew.
        let key = format!(",cluster_key={:X};", node.cluster.state().cluster_key);
        shown.map(|command| ask(node, command).replace(&key, ",cluster_key=;"))
    };
    let before = show(&node);
    assert_eq!(before[0], format!("test|s={0};bar={0};elsewhere|s={0}", now.0));

    let node = restarted(&host).unwrap();
    assert_eq!(show(&node), before);
    let bar = ask(&node, "namespace/bar");
    let void_time = now.seconds().0 + 100;
    assert!(bar.contains(&format!(";truncate_lut={};truncating=false;", now.0)), "{bar}");
    assert!(bar.contains(&format!(";evict_void_time={void_time};")), "{bar}");
    send(&node, &write(Some("s"), "k", 0));
    assert!(ask(&node, "sets/test/s").contains(&format!(":truncate_lut={}:", now.0)));
    assert_eq!(ask(&node, "truncate-undo:namespace=test;set=s"), "ok");
    assert_eq!(ask(&node, "eviction-reset:namespace=bar"), "ok");

    let node = restarted(&host).unwrap();
    assert!(!ask(&node, "smd-show:module=truncate").contains("test"));
    assert_eq!(ask(&node, "smd-show:module=evict"), "<empty>");
    assert!(ask(&node, "namespace/bar").contains(";evict_void_time=0;"));
}

#[test]
fn a_threshold_can_be_lowered() {
    let (_, node) = node();
    for ttl in [100, 50, 200] {
        assert_eq!(ask(&node, &format!("eviction-reset:namespace=test;ttl={ttl}")), "ok");
        let void_time = START.seconds().0 + ttl;
        assert_eq!(ask(&node, "smd-show:module=evict"), format!("test={void_time}"));
        assert!(ask(&node, "namespace/test").contains(&format!(";evict_void_time={void_time};")));
    }
    assert_eq!(node.metadata.get(Module::Evict, b"test").unwrap().generation, 2);
}

#[test]
fn a_file_that_cannot_be_read_keeps_the_node_from_starting() {
    let (host, _) = node();
    host.files.lock().insert("truncate".into(), b"[\n[1, 1],\n{}]".to_vec());
    let refusal = restarted(&host).unwrap_err().to_string();
    assert_eq!(
        refusal,
        "cannot read the system metadata in smd/truncate.smd, line 3: missing field `generation`; \
         put back a good copy, or move the file away to start without the truncations"
    );
}

#[test]
fn what_cannot_be_written_is_not_truncated() {
    let (host, node) = node();
    host.full.store(true, Ordering::Relaxed);
    let answer = ask(&node, "truncate-namespace:namespace=test");
    assert!(
        answer.starts_with(
            "ERROR::cannot be kept through a restart: smd/truncate.smd cannot be written: "
        ),
        "{answer}"
    );
    assert!(ask(&node, "namespace/test").contains(";truncate_lut=0;truncating=false;"));
    assert_eq!(ask(&node, "smd-show:module=truncate"), "<empty>");
}
