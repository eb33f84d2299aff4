//! Clients that send more than they read, or more than their share.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Rig, expect, expect_alive, expect_close, frame, header, message};

#[test]
fn a_slow_reader_is_not_read_and_loses_nothing() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    let mut bystander = rig.connect();
    // 400 MB of replies are asked for and not read.
    let request = message(b"reply 100000");
    client.write_all(&request.repeat(4_000)).unwrap();
    let sent = sent_when_settled(&rig);
    assert!(sent < 50_000_000, "{sent} bytes sent to a client that reads nothing");
    expect_alive(&mut bystander);

    let reply = message(&[b'r'; 100_000]);
    for _ in 0..4_000 {
        expect(&mut client, &reply);
    }
    expect_alive(&mut client);
}

/// Waits until the server can send no more, and says how much it has sent.
pub fn sent_when_settled(rig: &Rig) -> u64 {
    let mut before = 0;
    loop {
        thread::sleep(Duration::from_millis(100));
        let sent = rig.stats().bytes_sent;
        if sent > 0 && sent == before {
            return sent;
        }
        before = sent;
    }
}

#[test]
fn a_client_that_never_reads_is_not_read_without_end() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    client.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let requests = message(&[b'm'; 10_000]).repeat(100);
    let mut written = 0;
    let error = loop {
        match client.write(&requests) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
        assert!(written < 200_000_000, "everything is read and kept somewhere");
    };
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[test]
fn a_pipelining_client_does_not_starve_another() {
    let rig = Rig::start_with(1);
    let mut greedy = rig.connect();
    let mut greedy_reader = greedy.try_clone().unwrap();
    let mut modest = rig.connect();
    // 2,000 requests of a millisecond each; a turn ends with its 256 KiB of replies.
    let requests = [message(b"sleep 1"), message(b"reply 30000")].concat().repeat(2_000);
    greedy.write_all(&requests).unwrap();
    let reader = thread::spawn(move || {
        for _ in 0..2_000 {
            expect(&mut greedy_reader, &message(b"sleep 1"));
            expect(&mut greedy_reader, &message(&[b'r'; 30_000]));
        }
    });
    for _ in 0..20 {
        let start = Instant::now();
        expect_alive(&mut modest);
        assert!(start.elapsed() < Duration::from_millis(800), "{:?}", start.elapsed());
    }
    assert!(!reader.is_finished(), "the greedy client was still at it");
    reader.join().unwrap();
}

/// Everybody waits for everybody's turn: a crowd of those who pipeline must not make another wait
/// for all that each of them has sent, nor for more than a few info requests, which take long.
#[test]
fn a_crowd_that_pipelines_does_not_starve_another() {
    for request in [message(b"sleep 1"), frame(1, b"sleep 1")] {
        let rig = Rig::start_with(1);
        let mut crowd: Vec<_> = (0..50).map(|_| rig.connect()).collect();
        let mut modest = rig.connect();
        let requests = request.repeat(200);
        for client in &mut crowd {
            client.write_all(&requests).unwrap();
        }
        for _ in 0..3 {
            let start = Instant::now();
            expect_alive(&mut modest);
            assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
        }
    }
}

#[test]
fn a_request_that_is_much_work_ends_the_turn() {
    let rig = Rig::start_with(1);
    let mut greedy = rig.connect();
    let mut modest = rig.connect();
    expect_alive(&mut modest);
    greedy.write_all(&message(b"toil 20").repeat(100)).unwrap();
    for _ in 0..10 {
        let start = Instant::now();
        expect_alive(&mut modest);
        assert!(start.elapsed() < Duration::from_millis(300), "{:?}", start.elapsed());
    }
    expect(&mut greedy, &message(b"toil 20").repeat(100));
}

#[test]
fn the_bound_on_all_buffers_closes_the_one_that_grows() {
    let rig = Rig::start_with(1);
    rig.limits.set_buffered_bytes_max(1 << 20);
    let mut modest = rig.connect();
    let mut greedy = rig.connect();
    modest.write_all(&message(b"reply 100")[..10]).unwrap();
    greedy.write_all(&header(2, 3, 64 << 20)).unwrap();
    let failed = (0..64).any(|_| greedy.write_all(&vec![0; 1 << 20]).is_err());
    assert!(failed, "64 MiB were taken");
    modest.write_all(&message(b"reply 100")[10..]).unwrap();
    expect(&mut modest, &message(&[b'r'; 100]));
    expect_close(&mut greedy);
}

#[test]
fn the_time_to_take_replies_begins_when_they_are_there() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    // Longer than a client may take none of the bytes offered to it.
    let requests = [message(b"sleep 10500"), message(b"reply 20000000")].concat();
    client.write_all(&requests).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    expect(&mut client, &message(b"sleep 10500"));
    thread::sleep(Duration::from_millis(200));
    expect(&mut client, &message(&vec![b'r'; 20_000_000]));
}

#[test]
fn a_client_that_takes_nothing_is_given_up() {
    let rig = Rig::start();
    let mut client = rig.connect();
    let start = Instant::now();
    client.write_all(&message(b"reply 50000000")).unwrap();
    rig.wait_for("the close", |stats| stats.client_connections_closed == 1);
    let waited = start.elapsed();
    assert!((9_500..15_000).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(rig.stats().reaped_fds, 0, "it was not idle");
}
