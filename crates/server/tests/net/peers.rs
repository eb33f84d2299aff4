//! Links between nodes: what arrives, in which order, and what becomes of links that break.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use server::net::{LinkStep, LinkTiming, PEER_FRAME_SIZE_MAX, Remote, Route, ShutdownReport};

use crate::harness::{PATIENCE, connect, expect, expect_alive, expect_close, message};
use crate::peer_node::Node;

fn numbered(order: u8, numbers: impl Iterator<Item = u32>) -> Vec<Vec<u8>> {
    numbers.map(|number| [&[order][..], &number.to_be_bytes()].concat()).collect()
}

/// A port of this machine on which nobody listens.
fn dead_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

#[test]
fn thousands_of_frames_arrive_in_order() {
    let (one, other) = (Node::start(), Node::start());
    let frames = numbered(b'e', 0..20_000);
    one.send(other.route(), frames.clone());
    assert!(one.receive(frames.len()) == frames);
    let (ours, theirs) = (one.stats(), other.stats());
    assert_eq!((ours.fabric_connections_opened, theirs.fabric_connections_opened), (1, 1));
    assert_eq!((ours.fabric_connections, ours.client_connections), (1, 0));
    assert_eq!((theirs.fabric_connections, theirs.client_connections_opened), (1, 0));
    let bytes = 20_000 * 9;
    assert_eq!((ours.fabric_bytes_sent, ours.fabric_bytes_received), (bytes, bytes));
    assert_eq!((theirs.fabric_bytes_sent, theirs.bytes_received), (bytes, 0));
}

#[test]
fn every_route_has_a_link_of_its_own() {
    let (one, other) = (Node::start(), Node::start());
    for channel in 0..4 {
        one.send(Route { channel, ..other.route() }, [b"e".to_vec()]);
    }
    one.receive(4);
    let mut opened = std::mem::take(&mut *one.desk.opened.lock().unwrap());
    opened.sort_unstable_by_key(|route| route.channel);
    let routes = (0..4).map(|channel| Route { channel, ..other.route() });
    assert!(opened.into_iter().eq(routes), "the worker is told of each");
    // And each direction, too.
    other.send(one.route(), [b"e".to_vec()]);
    other.receive(1);
    assert_eq!((one.stats().fabric_connections, other.stats().fabric_connections), (5, 5));
}

#[test]
fn links_are_timed_while_the_worker_wants_to_know() {
    let (one, other) = (Node::start(), Node::start());
    let small = |count: u32| numbered(b'e', 0..count);
    let large = || vec![b'k'; 8 << 20];
    one.send(other.route(), small(10));
    one.receive(10);
    let timings = |node: &Node| std::mem::take(&mut *node.desk.timings.lock().unwrap());
    assert!(timings(&one).is_empty() && timings(&other).is_empty());
    for node in [&one, &other] {
        node.desk.times.store(true, Relaxed);
    }
    one.send(other.route(), [large()]);
    one.send(other.route(), small(10));
    one.receive(10);
    let (sent, received) = (timings(&one), timings(&other));
    let count = |timings: &[LinkTiming], first: u8, step: LinkStep| {
        timings.iter().filter(|timing| (timing.start[0], timing.step) == (first, step)).count()
    };
    assert_eq!(count(&sent, b'k', LinkStep::Queued), 1);
    assert!(count(&sent, b'k', LinkStep::Written) >= 8, "a call sends 1 MiB at most");
    assert_eq!(count(&sent, b'e', LinkStep::Queued), 10);
    assert!(count(&sent, b'e', LinkStep::Written) >= 10);
    assert!(count(&received, b'k', LinkStep::ReadInPart) >= 100, "a call reads 64 KiB at most");
    assert!(count(&received, b'e', LinkStep::Written) >= 9, "the last may be told of later");
}

#[test]
fn frames_of_all_sizes() {
    let (one, other) = (Node::start(), Node::start());
    let sizes = [0, 1, 65_531, 65_532, 65_533, 200_000, 8 << 20, 3, 8 << 20, 0];
    let frames: Vec<Vec<u8>> = sizes
        .iter()
        .map(|&size| (0..size).map(|place: u32| b'e' ^ (place % 251) as u8).collect())
        .collect();
    one.send(other.route(), frames.clone());
    assert!(one.receive(frames.len()) == frames);
}

#[test]
fn answers_come_in_any_order() {
    let (one, other) = (Node::start(), Node::start());
    let late = numbered(b'l', 0..100);
    one.send(other.route(), late.clone());
    one.send(other.route(), [b"early".to_vec(), b"go".to_vec()]);
    let received = one.receive(101);
    assert_eq!(received[0], b"early");
    assert!(received[1..].iter().eq(late.iter().rev()));
}

#[test]
fn frames_split_at_every_byte() {
    let node = Node::start();
    let mut other = connect(node.route().address);
    let frames = b"\x02\0\0\0e1\0\0\0\0\x03\0\0\0e23";
    for cut in 0..=frames.len() {
        let before = node.stats().fabric_bytes_received;
        other.write_all(&frames[..cut]).unwrap();
        node.wait_for("the first part", |node| {
            node.stats().fabric_bytes_received == before + cut as u64
        });
        other.write_all(&frames[cut..]).unwrap();
        expect(&mut other, frames);
    }
}

#[test]
fn malformed_lengths_panics_and_refusals_close_the_link() {
    let node = Node::start();
    for bad in [
        &(PEER_FRAME_SIZE_MAX as u32 + 1).to_le_bytes()[..],
        &u32::MAX.to_le_bytes(),
        b"GET / HTTP/1.1\r\n",
        b"\x01\0\0\0c",
        b"\x01\0\0\0p",
    ] {
        let before = node.lost();
        let mut other = connect(node.route().address);
        other.write_all(b"\x02\0\0\0e1").unwrap();
        expect(&mut other, b"\x02\0\0\0e1");
        other.write_all(bad).unwrap();
        expect_close(&mut other);
        node.wait_for("the loss", |node| node.lost() == before + 1);
    }
    assert_eq!(node.stats().worker_panics, 1);
    // A panic in the middle of sending costs the frame, not the link.
    let mut other = connect(node.route().address);
    other.write_all(b"\x02\0\0\0e1\x01\0\0\0q").unwrap();
    expect(&mut other, b"\x02\0\0\0e1");
    other.write_all(b"\x02\0\0\0e2").unwrap();
    expect(&mut other, b"\x02\0\0\0e2");
    assert_eq!(node.stats().worker_panics, 2);
    assert_eq!(node.stats().fabric_connections, 1);
}

#[test]
fn a_dead_port_is_retried_more_and_more_rarely_until_somebody_listens() {
    let one = Node::start();
    let address = dead_address();
    let route = Route { address, channel: 7 };
    let start = Instant::now();
    for attempt in 1..=4 {
        one.send(route, [b"k never arrives".to_vec()]);
        one.wait_for("the failure", |node| node.lost() == attempt);
    }
    // 50 ms, 100 ms and 200 ms between the four.
    let elapsed = start.elapsed();
    assert!((340..2_000).contains(&elapsed.as_millis()), "{elapsed:?}");
    let lost = one.desk.lost.lock().unwrap().clone();
    assert!(lost.iter().all(|&(_, remote)| remote == Remote::Route(route)));
    // Nobody asks: nobody tries.
    thread::sleep(Duration::from_millis(600));
    assert_eq!(one.lost(), 4);

    let other = Node::start_at(address);
    one.send(route, [b"e arrives".to_vec()]);
    assert_eq!(one.receive(1), [b"e arrives"]);
    assert!(other.desk.requests.lock().unwrap().is_empty());
    assert_eq!(one.stats().fabric_connections_opened, 1);
}

#[test]
fn little_waits_for_a_link_that_cannot_be_made() {
    let one = Node::start();
    let route = Route { address: dead_address(), channel: 0 };
    one.send(route, [b"k".to_vec()]);
    one.wait_for("the failure", |node| node.lost() == 1);
    one.flood(route, vec![b'k'; 1000]);
    one.wait_for("the second failure", |node| node.lost() == 2);
    *one.desk.flood.lock().unwrap() = None;
    assert!(one.desk.full.load(Relaxed) > 0);
}

#[test]
fn a_link_that_breaks_is_told_once_on_both_sides_and_made_again() {
    let one = Node::start();
    let other = Node::start();
    let route = other.route();
    one.send(route, [b"e".to_vec()]);
    one.receive(1);
    // Dies with answers under way.
    one.flood(route, vec![b'e'; 1000]);
    one.wait_for("answers", |node| node.desk.answers.load(Relaxed) > 100);
    drop(other);
    *one.desk.flood.lock().unwrap() = None;
    one.wait_for("the loss", |node| node.lost() == 1);
    thread::sleep(Duration::from_millis(100));
    let losses = one.lost();
    let other = Node::start_at(route.address);
    one.desk.received.lock().unwrap().clear();
    thread::sleep(Duration::from_millis(200));
    one.send(route, [b"e again".to_vec()]);
    one.wait_for("the answer", |node| {
        node.desk.received.lock().unwrap().iter().any(|frame| frame == b"e again")
    });
    assert!(one.lost() <= losses + 1, "{} losses", one.lost());

    drop(one);
    other.wait_for("the other side's loss", |node| node.lost() == 1);
    assert!(matches!(other.desk.lost.lock().unwrap()[0].1, Remote::Incoming(_)));
    other.wait_for("the count", |node| node.stats().fabric_connections == 0);
}

#[test]
fn a_slow_reader_fills_its_link_and_no_more() {
    let one = Node::start();
    one.limits.set_link_unsent_bytes_max(1 << 20);
    let slow = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let route = Route { address: slow.local_addr().unwrap(), channel: 0 };
    one.flood(route, vec![b'k'; 100_000]);
    one.wait_for("fullness", |node| node.desk.full.load(Relaxed) > 0);
    let (mut socket, _) = slow.accept().unwrap();
    // Its neighbours do not notice.
    let other = Node::start();
    expect_alive(&mut connect(one.server.endpoints()[0].address));
    let mut read = 0;
    let mut buffer = vec![0; 1 << 20];
    while read < 30 << 20 {
        read += socket.read(&mut buffer).unwrap();
    }
    // The worker was asked again each time that there was room.
    *one.desk.flood.lock().unwrap() = None;
    one.send(other.route(), [b"e".to_vec()]);
    assert_eq!(one.receive(1), [b"e"]);
}

#[test]
fn a_node_that_takes_no_answers_is_not_heard_until_it_does() {
    let node = Node::start();
    node.limits.set_link_unsent_bytes_max(1 << 20);
    let mut other = connect(node.route().address);
    let frame = [&100_000u32.to_le_bytes()[..], &[b'e'; 100_000]].concat();
    let mut writer = other.try_clone().unwrap();
    let writing = thread::spawn(move || {
        for _ in 0..500 {
            writer.write_all(&frame).unwrap();
        }
    });
    thread::sleep(Duration::from_millis(700));
    let received = node.stats().fabric_bytes_received;
    assert!(received < 40_000_000, "{received} bytes");
    let mut answers = vec![0; 500 * 100_004];
    other.read_exact(&mut answers).unwrap();
    writing.join().unwrap();
    assert_eq!(node.lost(), 0);
}

#[test]
fn nodes_that_flood_each_other_do_not_wait_for_each_other() {
    let (one, other) = (Node::start(), Node::start());
    for node in [&one, &other] {
        node.limits.set_link_unsent_bytes_max(256 << 10);
    }
    one.flood(other.route(), vec![b'e'; 5_000]);
    other.flood(one.route(), vec![b'e'; 5_000]);
    for node in [&one, &other] {
        let mut before = 0;
        for _ in 0..5 {
            node.wait_for("answers", |node| node.desk.answers.load(Relaxed) >= before + 2_000);
            before = node.desk.answers.load(Relaxed);
        }
        assert_eq!(node.lost(), 0);
    }
}

#[test]
fn clients_are_served_beside_a_link_that_is_much_work() {
    let (one, other) = (Node::start(), Node::start());
    one.flood(other.route(), vec![b't'; 100]);
    one.wait_for("answers", |node| node.desk.answers.load(Relaxed) > 0);
    let mut client = connect(other.server.endpoints()[0].address);
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let start = Instant::now();
        expect_alive(&mut client);
        slowest = slowest.max(start.elapsed());
    }
    // A turn of ordinary frames would take 65 ms and more.
    assert!(slowest < Duration::from_millis(50), "{slowest:?}");
}

#[test]
fn idle_limits_and_connection_limits_are_for_clients() {
    let (one, other) = (Node::start(), Node::start());
    other.limits.set_connections_max(0);
    other.limits.set_idle_ms(50);
    one.send(other.route(), [b"e".to_vec()]);
    one.receive(1);
    thread::sleep(Duration::from_millis(300));
    one.send(other.route(), [b"e".to_vec()]);
    one.receive(1);
    assert_eq!((one.lost(), other.stats().fabric_connections), (0, 1));
    assert_eq!(other.stats().reaped_fds, 0);
}

#[test]
fn requests_of_clients_that_need_another_node() {
    let (one, other) = (Node::start(), Node::start());
    one.relay_to(other.route());
    let mut clients: Vec<TcpStream> =
        (0..20).map(|_| connect(one.server.endpoints()[0].address)).collect();
    for round in 0..20 {
        for client in &mut clients {
            client.write_all(&message(format!("round {round}").as_bytes()).repeat(3)).unwrap();
        }
        for client in &mut clients {
            expect(client, &message(format!("round {round}").as_bytes()).repeat(3));
        }
    }
}

#[test]
fn a_shutdown_lets_links_serve_the_clients_that_are_left() {
    let (one, other) = (Node::start(), Node::start());
    one.relay_to(other.route());
    let mut client = connect(one.server.endpoints()[0].address);
    client.write_all(&message(b"warm")).unwrap();
    expect(&mut client, &message(b"warm"));
    other.desk.sulks.store(true, Relaxed);
    let before = other.stats().fabric_bytes_received;
    client.write_all(&message(b"late")).unwrap();
    other.wait_for("the request", |node| node.stats().fabric_bytes_received > before);
    let answering = thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        other.desk.sulks.store(false, Relaxed);
        other.desk.wake();
        expect(&mut client, &message(b"late"));
        expect_close(&mut client);
    });
    let start = Instant::now();
    let report = one.server.shutdown(PATIENCE);
    assert_eq!(report, ShutdownReport { cut_off: 0, stuck: false });
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    answering.join().unwrap();
}

#[test]
fn a_shutdown_does_not_wait_for_links() {
    let one = Node::start();
    let slow = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    one.flood(Route { address: slow.local_addr().unwrap(), channel: 0 }, vec![b'k'; 100_000]);
    one.wait_for("fullness", |node| node.desk.full.load(Relaxed) > 1);
    let (stats, start) = (one.server.stats().clone(), Instant::now());
    let report = one.server.shutdown(PATIENCE);
    assert_eq!(report, ShutdownReport { cut_off: 0, stuck: false });
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(stats.snapshot().fabric_connections, 0);
}
