//! Connections that come and go: limits, idleness, shutdown.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use server::net::{Echo, Endpoint, Limits, Options, Protocol, Server, ShutdownReport, StartError};

use crate::harness::{Rig, expect, expect_alive, expect_close, message};

#[test]
fn the_connection_limit() {
    let rig = Rig::start();
    rig.limits.set_connections_max(2);
    let mut first = rig.connect();
    let mut second = rig.connect();
    expect_alive(&mut first);
    expect_alive(&mut second);
    expect_close(&mut rig.connect());
    expect_alive(&mut first);

    // The text port has a budget of its own.
    let mut text = rig.connect_text();
    text.write_all(b"build\n").unwrap();
    expect(&mut text, b"dliub\n");
    let stats = rig.stats();
    assert_eq!((stats.client_connections, stats.text_connections), (2, 1));

    drop(second);
    rig.wait_for("one connection", |stats| stats.client_connections == 1);
    expect_alive(&mut rig.connect());
    rig.limits.set_connections_max(10);
    expect_alive(&mut rig.connect());
    rig.wait_for("the counts", |stats| {
        (stats.client_connections_opened, stats.client_connections_closed) == (4, 3)
    });
}

#[test]
fn idle_connections_are_reaped_once_the_limit_is_set() {
    let rig = Rig::start();
    let mut idle = rig.connect();
    let mut halfway = rig.connect();
    expect_alive(&mut idle);
    halfway.write_all(&message(b"begun")[..10]).unwrap();
    thread::sleep(Duration::from_millis(100));
    assert_eq!(rig.stats().client_connections, 2, "the default is never");

    // The loops sleep without a timeout now and must hear of the change.
    rig.limits.set_idle_ms(300);
    expect_close(&mut idle);
    expect_close(&mut halfway);
    assert_eq!(rig.stats().reaped_fds, 2);

    rig.limits.set_idle_ms(1_500);
    let mut busy = rig.connect();
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2_500) {
        expect_alive(&mut busy);
        thread::sleep(Duration::from_millis(30));
    }
    assert_eq!(rig.stats().reaped_fds, 2);

    rig.limits.set_idle_ms(0);
    thread::sleep(Duration::from_millis(500));
    expect_alive(&mut busy);
    rig.limits.set_idle_ms(60_000);
    expect_alive(&mut busy);
    rig.limits.set_idle_ms(50);
    expect_close(&mut busy);
}

#[test]
fn shutdown_answers_what_has_been_read() {
    let rig = Rig::start_with(1);
    let mut idle = rig.connect();
    expect_alive(&mut idle);
    let mut client = rig.connect();
    let requests = [message(b"sleep 500"), message(b"two"), message(b"reply 1000000")].concat();
    client.write_all(&requests).unwrap();
    // The loop has read all of them and is about to sleep in the first.
    let already = message(b"ping").len() + requests.len();
    rig.wait_for("the requests", |stats| stats.bytes_received == already as u64);
    client.write_all(&message(b"too late")).unwrap();
    let reader = thread::spawn(move || {
        expect(&mut client, &message(b"sleep 500"));
        expect(&mut client, &message(b"two"));
        // Comes after the server has begun to stop, in several pieces.
        expect(&mut client, &message(&[b'r'; 1_000_000]));
        expect_close(&mut client);
    });
    let address = rig.server.endpoints()[0].address;
    let stats = Arc::clone(rig.server.stats());
    let report = rig.server.shutdown(Duration::from_secs(10));
    assert_eq!(report, ShutdownReport { cut_off: 0, stuck: false });
    reader.join().unwrap();
    expect_close(&mut idle);
    assert!(TcpStream::connect(address).is_err(), "nothing listens any more");
    assert_eq!(stats.snapshot().client_connections, 0);
}

#[test]
fn shutdown_cuts_off_what_does_not_end() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    client.write_all(&message(b"reply 50000000")).unwrap();
    client.read_exact(&mut [0; 8]).unwrap();
    let start = Instant::now();
    let report = rig.server.shutdown(Duration::from_millis(200));
    assert_eq!(report, ShutdownReport { cut_off: 1, stuck: false });
    assert!((200..5_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

#[test]
fn shutdown_does_not_wait_for_a_stuck_worker() {
    let rig = Rig::start_with(1);
    rig.connect().write_all(&message(b"sleep 5000")).unwrap();
    rig.wait_for("the request", |stats| stats.bytes_received > 0);
    let start = Instant::now();
    assert!(rig.server.shutdown(Duration::from_millis(10)).stuck);
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

#[test]
fn dropping_a_server_stops_it() {
    let rig = Rig::start();
    let mut client = rig.connect();
    expect_alive(&mut client);
    drop(rig);
    expect_close(&mut client);
}

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let options = Options {
        endpoints: vec![Endpoint { address, protocol: Protocol::Frames }],
        threads: 1,
        pin: true,
    };
    let started = Server::start(Echo, &options, &Arc::default());
    match started.map(|_| ()) {
        Err(StartError::Listen { address: named, .. }) => assert_eq!(named, address),
        other => panic!("{other:?}"),
    }
}

#[test]
fn several_addresses_and_pinned_loops() {
    let endpoint = |address: &str| Endpoint {
        address: format!("{address}:0").parse::<SocketAddr>().unwrap(),
        protocol: Protocol::Frames,
    };
    let options = Options {
        endpoints: vec![endpoint("127.0.0.1"), endpoint("127.0.0.2")],
        threads: 0,
        pin: true,
    };
    let server = Server::start(Echo, &options, &Arc::new(Limits::default())).unwrap();
    for endpoint in server.endpoints() {
        let mut client = TcpStream::connect(endpoint.address).unwrap();
        expect_alive(&mut client);
    }
    assert!(!server.shutdown(Duration::from_secs(1)).stuck);
}
