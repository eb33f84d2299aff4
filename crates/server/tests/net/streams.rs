//! Replies that take more than one turn.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use server::net::ShutdownReport;

use crate::harness::{PANIC_MS, Rig, expect, expect_alive, expect_close, message};
use crate::pressure::sent_when_settled;

fn order(slices: usize, size: usize, time_ms: u64) -> Vec<u8> {
    message(format!("stream {slices} {size} {time_ms}").as_bytes())
}

#[track_caller]
pub fn expect_slices(stream: &mut TcpStream, slices: usize, size: usize) {
    let slice = message(&vec![b's'; size]);
    for _ in 0..slices {
        expect(stream, &slice);
    }
}

pub fn wait_for_streams(rig: &Rig, count: usize) {
    rig.wait_for("the streams", |_| rig.streams.load(Relaxed) == count);
}

#[test]
fn requests_behind_a_stream_are_answered_behind_it() {
    let rig = Rig::start();
    let mut client = rig.connect();
    let requests = [
        message(b"one"),
        order(50, 10_000, 0),
        message(b"two"),
        order(1, 0, 0),
        order(2, 100, 1),
        message(b"three"),
    ];
    client.write_all(&requests.concat()).unwrap();
    expect(&mut client, &message(b"one"));
    expect_slices(&mut client, 50, 10_000);
    expect(&mut client, &message(b"two"));
    expect_slices(&mut client, 1, 0);
    expect_slices(&mut client, 2, 100);
    expect(&mut client, &message(b"three"));
    expect_alive(&mut client);
    wait_for_streams(&rig, 0);

    // However the requests arrive.
    for end in 1..requests[1].len() {
        let (head, tail) = requests[1].split_at(end);
        client.write_all(head).unwrap();
        thread::sleep(Duration::from_millis(1));
        client.write_all(&[tail, &message(b"next")].concat()).unwrap();
        expect_slices(&mut client, 50, 10_000);
        expect(&mut client, &message(b"next"));
    }
}

#[test]
fn a_slow_reader_holds_one_slice() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    let mut bystander = rig.connect();
    client.write_all(&[order(4_000, 100_000, 0), message(b"behind")].concat()).unwrap();
    let sent = sent_when_settled(&rig);
    assert!(sent < 50_000_000, "{sent} bytes sent to a client that reads nothing");
    expect_alive(&mut bystander);
    expect_slices(&mut client, 4_000, 100_000);
    expect(&mut client, &message(b"behind"));
}

#[test]
fn a_stream_goes_with_its_client() {
    let rig = Rig::start_with(1);
    let mut reader = rig.connect();
    let mut sleeper = rig.connect();
    reader.write_all(&order(1_000_000, 100, 0)).unwrap();
    sleeper.write_all(&order(1_000_000, 100_000, 0)).unwrap();
    expect_slices(&mut reader, 100, 100);
    expect_slices(&mut sleeper, 1, 100_000);
    wait_for_streams(&rig, 2);
    drop(reader);
    drop(sleeper);
    wait_for_streams(&rig, 0);
    rig.wait_for("the closes", |stats| stats.client_connections == 0);
}

#[test]
fn a_client_that_shuts_its_side_gets_the_whole_stream() {
    let rig = Rig::start();
    let mut client = rig.connect();
    client.write_all(&[order(100, 10_000, 1), message(b"last")].concat()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    expect_slices(&mut client, 100, 10_000);
    expect(&mut client, &message(b"last"));
    expect_close(&mut client);
}

#[test]
fn others_wait_for_one_slice_however_many_streams_there_are() {
    let rig = Rig::start_with(1);
    let mut bystander = rig.connect();
    expect_alive(&mut bystander);
    let clients: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut client = rig.connect();
            client.write_all(&order(1_000, 100, 20)).unwrap();
            client
        })
        .collect();
    wait_for_streams(&rig, clients.len());
    for _ in 0..10 {
        let start = Instant::now();
        expect_alive(&mut bystander);
        // A slice each would be 400 ms.
        assert!(start.elapsed() < Duration::from_millis(200), "{:?}", start.elapsed());
    }
    for mut client in clients {
        // In the meantime every one of them got on.
        expect_slices(&mut client, 1, 100);
    }
}

#[test]
fn a_panic_in_a_stream_costs_one_connection() {
    let rig = Rig::start_with(1);
    let mut bystander = rig.connect();
    let mut client = rig.connect();
    let requests = [message(b"before"), order(1, 100, PANIC_MS), message(b"behind")];
    client.write_all(&requests.concat()).unwrap();
    expect(&mut client, &message(b"before"));
    expect_close(&mut client);
    expect_alive(&mut bystander);
    wait_for_streams(&rig, 0);
    assert_eq!(rig.stats().worker_panics, 1);
}

#[test]
fn shutdown_lets_streams_come_to_their_end() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    client.write_all(&[order(100, 10_000, 2), message(b"behind")].concat()).unwrap();
    expect_slices(&mut client, 1, 10_000);
    let reader = thread::spawn(move || {
        expect_slices(&mut client, 99, 10_000);
        expect(&mut client, &message(b"behind"));
        expect_close(&mut client);
    });
    let report = rig.server.shutdown(Duration::from_secs(10));
    assert_eq!(report, ShutdownReport { cut_off: 0, stuck: false });
    reader.join().unwrap();
}

#[test]
fn shutdown_cuts_off_streams_that_do_not_end() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    client.write_all(&order(1_000_000, 100, 1)).unwrap();
    client.read_exact(&mut [0; 8]).unwrap();
    let streams = Arc::clone(&rig.streams);
    let report = rig.server.shutdown(Duration::from_millis(200));
    assert_eq!(report, ShutdownReport { cut_off: 1, stuck: false });
    assert_eq!(streams.load(Relaxed), 0);
}
