//! Settings of sets, which the nodes of a cluster have in common and keep.

use config::SetOverride;

use super::*;

const COUNT: &str = "set-config:context=namespace;namespace=test;set=a|b;stop-writes-count=";

/// The setting `stop-writes-count` of that set, as configured and as it is in force.
fn count_of(node: &Node) -> u64 {
    let config = node.config();
    let configured = config.namespace("test").unwrap().set("a|b").unwrap().stop_writes_count;
    assert!(ask(node, "sets/test/a|b").contains(&format!(":stop-writes-count={configured}:")));
    configured
}

#[test]
fn they_hold_after_a_restart() {
    let (host, node) = node();
    assert_eq!(ask(&node, &format!("{COUNT}10")), "ok");
    assert_eq!(ask(&node, &format!("{COUNT}10")), "ok", "again");
    assert_eq!(count_of(&node), 10);
    let ttl = "config-set:context=namespace;id=test;set=s;default-ttl=-1";
    assert_eq!(ask(&node, ttl), "ok");
    assert_eq!(
        ask(&node, "smd-show:module=set-settings"),
        "test|a|b|stop-writes-count=10;test|s|default-ttl=-1"
    );
    assert_eq!(node.metadata.committed(Module::SetSettings).tid, 2);
    host.messages.lock().clear();

    let node = restarted(&host).unwrap();
    assert_eq!(count_of(&node), 10);
    let config = node.config();
    let set = config.namespace("test").unwrap().set("s").unwrap().clone();
    assert_eq!(set.default_ttl, SetOverride::Never);
    assert_eq!(
        host.messages.lock()[0],
        "namespace test set a|b: stop-writes-count is 10, as set-config said, instead of 0, as the \
         configuration file says"
    );
    assert_eq!(ask(&node, &format!("{COUNT}0")), "ok");
    assert_eq!(count_of(&restarted(&host).unwrap()), 0);
}

#[test]
fn one_that_is_refused_or_cannot_be_kept_changes_nothing() {
    let (host, node) = node();
    assert_eq!(ask(&node, &format!("{COUNT}10")), "ok");
    for refused in [
        format!("{COUNT}many"),
        COUNT.replace("stop-writes-count", "nsup-period") + "1",
        COUNT.replace("test", "nowhere") + "1",
    ] {
        assert!(ask(&node, &refused).starts_with("ERROR:"), "{refused}");
    }
    host.full.store(true, Ordering::Relaxed);
    let answer = ask(&node, &format!("{COUNT}20"));
    assert!(answer.starts_with("ERROR::cannot be kept through a restart: "), "{answer}");
    assert_eq!(count_of(&node), 10);
}

#[test]
fn those_of_other_nodes_take_effect() {
    let (host, node) = node();
    let theirs = [
        item("test|a|b|stop-writes-count", Some("7"), 1, 1),
        item("elsewhere|s|enable-index", Some("true"), 1, 1),
    ];
    assert_eq!(node.metadata.merge(Module::SetSettings, &theirs).unwrap(), 2);
    assert_eq!(count_of(&node), 7);
    assert_eq!(
        host.messages.lock().last().unwrap(),
        "namespace test set a|b: stop-writes-count is 7 now on all nodes, was 0"
    );
    // One of a later version is kept for whoever knows it.
    let later = [item("test|s|of-a-later-version", Some("1"), 1, 1)];
    let merged = node.metadata.merge(Module::SetSettings, &later);
    assert!(matches!(merged, Err(SetError::NotInForce(_))), "{merged:?}");
    assert!(node.metadata.get(Module::SetSettings, b"test|s|of-a-later-version").is_some());
}

#[test]
fn settings_of_a_namespace_are_not_kept() {
    let (host, node) = node();
    let command = "set-config:context=namespace;namespace=test;nsup-threads=3";
    assert_eq!(ask(&node, command), "ok");
    assert!(host.files.lock().is_empty());
    assert_eq!(restarted(&host).unwrap().config().namespaces[0].nsup_threads, 1);
}
