//! Peers that are worse than the others.

use std::time::Duration;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn switch(town: &mut Town, node: usize, value: bool) {
    let command = format!("set-config:context=service;enable-health-check={value}");
    assert_eq!(town.ask(node, &command), "ok");
}

/// A peer's value of a statistic; `None` if it is not shown.
fn stat(town: &mut Town, peer: u64, name: &str) -> Option<u64> {
    let stats = town.ask(0, "health-stats");
    let start = format!("stat={name}:value=");
    let of_peer = format!("node={peer:x}");
    let mut values = stats.split(';').filter_map(|row| {
        let fields = row.strip_prefix(&start)?;
        let is_it = fields.split(':').any(|field| field == of_peer);
        is_it.then(|| fields.split(':').next().unwrap().parse().unwrap())
    });
    values.next()
}

#[test]
fn a_slow_peer_is_an_outlier() {
    let mut town = Town::of(4, |_, config| config.namespaces.truncate(1));
    switch(&mut town, 0, true);
    town.slow = Some(3);
    for number in 0..1000 {
        assert_eq!(town.send(0, put(number, number)).0, ResultCode::OK);
    }
    let latencies =
        [0xA2, 0xA3, 0xA4].map(|peer| stat(&mut town, peer, "test_replication_latency"));
    assert_eq!(
        latencies,
        [Some(0), Some(0), Some(5000)],
        "a step of the town is five milliseconds"
    );
    assert_eq!(town.ask(0, "health-outliers"), "", "nobody has compared them yet");
    town.slow = None;
    town.pass(MINUTE);
    assert_eq!(
        town.ask(0, "health-outliers"),
        "id=a4:namespace=test:confidence_pct=100:reason=replication_latency"
    );
    assert_eq!(town.ask(1, "health-outliers"), "", "the others do not watch");
    switch(&mut town, 0, false);
    assert_eq!(town.ask(0, "health-outliers") + &town.ask(0, "health-stats"), "");
    switch(&mut town, 0, true);
    assert_eq!(stat(&mut town, 0xA4, "test_replication_latency"), Some(0), "all is forgotten");
}

#[test]
fn what_peers_have_to_do_with_is_counted() {
    let mut town = Town::of(2, |_, config| {
        config.namespaces.truncate(1);
        config.service.enable_health_check = true;
    });
    assert_eq!(stat(&mut town, 0xA2, "node_arrivals"), Some(1));
    assert_eq!(stat(&mut town, 0xA2, "proxies"), Some(0));
    let before = stat(&mut town, 0xA2, "fabric_connections_opened").unwrap();
    assert!(before <= 1, "one for migrations");
    for number in 0..60 {
        assert_eq!(town.send(0, put(number, number)).0, ResultCode::OK);
    }
    let passed_on = town.nodes[0].namespaces[0].counters.sum(NamespaceCounter::ClientProxyComplete);
    assert!(passed_on > 20);
    assert_eq!(stat(&mut town, 0xA2, "proxies"), Some(passed_on));
    let opened = stat(&mut town, 0xA2, "fabric_connections_opened");
    assert_eq!(opened, Some(before + 1), "one for records");
    town.kill(1);
    town.settle();
    assert_eq!(stat(&mut town, 0xA2, "node_arrivals"), Some(1), "it is still remembered");
    assert_eq!(stat(&mut town, 0xA2, "proxies"), None, "which says something of members only");
}
