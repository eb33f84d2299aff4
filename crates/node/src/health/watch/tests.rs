//! Peers and devices, watched by a clock that is moved by hand.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

fn peers(ids: impl IntoIterator<Item = u64>) -> Vec<NodeId> {
    ids.into_iter().map(NodeId).collect()
}

/// Over a namespace in memory and one on devices, begun one second after the start.
fn watch() -> Watch {
    let devices = ["/dev/a", "/dev/b", "/dev/c"].map(str::to_owned).to_vec();
    Watch::new(SECOND, [("test", Vec::new()), ("bar", devices)])
}

fn shown(items: &[impl fmt::Display]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

#[test]
fn all_members_have_readings_from_the_start() {
    let mut watch = watch();
    watch.count(NodeId(0xB2), PeerEvent::Proxy);
    watch.replicated(NodeId(0xB2), 1, 1500 * MILLISECOND / 1000);
    watch.replicated(NodeId(0xB2), 1, Duration::from_nanos(1_600_999));
    watch.replicated(NodeId(0xB2), 7, SECOND);
    watch.device_read("/dev/b", 80 * MILLISECOND);
    watch.device_read("/dev/none", SECOND);
    assert_eq!(
        shown(&watch.readings(&peers([0xB2, 0xA1]))),
        [
            "stat=fabric_connections_opened:value=0:node=a1",
            "stat=proxies:value=0:node=a1",
            "stat=node_arrivals:value=0:node=a1",
            "stat=test_replication_latency:value=0:node=a1:namespace=test",
            "stat=bar_replication_latency:value=0:node=a1:namespace=bar",
            "stat=fabric_connections_opened:value=0:node=b2",
            "stat=proxies:value=1:node=b2",
            "stat=node_arrivals:value=0:node=b2",
            "stat=test_replication_latency:value=0:node=b2:namespace=test",
            "stat=bar_replication_latency:value=1550:node=b2:namespace=bar",
            "stat=bar_device_read_latency:value=0:device=/dev/a:namespace=bar",
            "stat=bar_device_read_latency:value=80000:device=/dev/b:namespace=bar",
            "stat=bar_device_read_latency:value=0:device=/dev/c:namespace=bar",
        ]
    );
}

#[test]
fn values_are_compared_when_a_minute_is_over() {
    let mut watch = watch();
    let members = peers(1..=4);
    for node in &members {
        watch.replicated(*node, 0, MILLISECOND);
        watch.count(*node, PeerEvent::Arrival);
    }
    watch.replicated(NodeId(3), 0, 99 * MILLISECOND);
    (0..5).for_each(|_| watch.count(NodeId(2), PeerEvent::ConnectionOpened));
    (0..9).for_each(|_| watch.count(NodeId(4), PeerEvent::ConnectionOpened));
    for (device, took) in [("/dev/a", 9), ("/dev/b", 200), ("/dev/c", 10)] {
        watch.device_read(device, took * MILLISECOND);
    }
    assert!(watch.step(60 * SECOND, &members).is_empty(), "one second is missing");
    assert!(watch.outliers().is_empty());
    let found = watch.step(61 * SECOND, &members).to_vec();
    assert_eq!(
        shown(&found),
        [
            "id=3:namespace=test:confidence_pct=98:reason=replication_latency",
            "id=/dev/b:namespace=bar:confidence_pct=95:reason=device_read_latency",
        ],
        "connections of two among four are not far apart"
    );
    assert_eq!(watch.outliers(), found);
    let line = "outlier 3: namespace test confidence-pct 98 reason replication_latency";
    assert_eq!(found[0].log_line(), line);
    assert!(watch.step(62 * SECOND, &members).is_empty(), "said once a minute");
    assert_eq!(watch.outliers(), found, "and known until the next");
}

#[test]
fn counters_are_compared_with_their_thresholds() {
    let mut watch = watch();
    let members = peers(1..=5);
    for (event, counts) in [
        (PeerEvent::ConnectionOpened, [6, 5]),
        (PeerEvent::Proxy, [3, 2]),
        (PeerEvent::Arrival, [2, 1]),
    ] {
        for (count, is_found) in counts.into_iter().zip([true, false]) {
            (0..count).for_each(|_| watch.count(NodeId(1), event));
            let found = shown(watch.step(watch.minute_ends, &members));
            let expected = format!("id=1:confidence_pct=100:reason={}", event.stat().name());
            assert_eq!(found.contains(&expected), is_found, "{count} {event:?}: {found:?}");
            // Forgotten by the next round.
            watch.step(watch.minute_ends + 40 * MINUTE, &members);
        }
    }
}

#[test]
fn two_peers_are_not_compared() {
    let mut watch = watch();
    watch.replicated(NodeId(1), 0, MILLISECOND);
    watch.replicated(NodeId(2), 0, SECOND);
    assert!(watch.step(61 * SECOND, &peers([1, 2])).is_empty());
    // A third one that has answered nothing yet is the quickest of all.
    assert_eq!(watch.step(121 * SECOND, &peers([1, 2, 3])).len(), 1);
}

#[test]
fn who_has_left_is_shown_for_half_an_hour() {
    let mut watch = watch();
    let gone = NodeId(9);
    watch.count(gone, PeerEvent::Arrival);
    watch.count(gone, PeerEvent::Proxy);
    let stats = |watch: &mut Watch| -> Vec<&str> {
        let readings = watch.readings(&[]);
        let of_gone = readings.iter().filter(|of| of.subject == Subject::Peer(gone));
        of_gone.map(|of| of.stat.name()).collect()
    };
    let without_membership = ["fabric_connections_opened", "node_arrivals"];
    assert_eq!(stats(&mut watch), without_membership);
    for minute in 1..30 {
        watch.step(SECOND + minute * MINUTE, &[]);
    }
    assert_eq!(stats(&mut watch), without_membership);
    watch.step(SECOND + 30 * MINUTE, &[]);
    assert!(stats(&mut watch).is_empty());
    assert!(watch.peers.is_empty(), "nothing is kept of it");
}

#[test]
fn minutes_go_on_while_nobody_looks() {
    let mut watch = watch();
    let members = peers([1]);
    watch.count(NodeId(1), PeerEvent::Arrival);
    watch.step(SECOND + 20 * MINUTE + 30 * SECOND, &members);
    assert_eq!(watch.minute_ends, SECOND + 21 * MINUTE, "minutes keep their beginnings");
    assert_eq!(watch.readings(&members)[2].value, 1.0);
    watch.step(SECOND + 31 * MINUTE, &members);
    assert_eq!(watch.readings(&members)[2].value, 0.0);
}
