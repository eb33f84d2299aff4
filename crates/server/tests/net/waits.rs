//! Streams that wait for something.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use server::net::{ShutdownReport, Ticket};
use socket2::SockRef;

use crate::harness::{PANIC_TICKET, Rig, expect, expect_alive, expect_close, message};
use crate::pressure::sent_when_settled;
use crate::streams::{expect_slices, wait_for_streams};

fn order(how: &str, slices: usize, size: usize, ticket: Ticket) -> Vec<u8> {
    message(format!("{how} {slices} {size} {ticket}").as_bytes())
}

/// Long enough for anything that should not happen to happen.
fn a_while() {
    thread::sleep(Duration::from_millis(30));
}

#[track_caller]
fn expect_silence(stream: &mut TcpStream) {
    a_while();
    stream.set_nonblocking(true).unwrap();
    let received = stream.read(&mut [0; 64]);
    assert_eq!(received.unwrap_err().kind(), ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
}

#[test]
fn a_stream_goes_on_when_its_ticket_is_called() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    for how in ["park", "stall"] {
        client.write_all(&[order(how, 3, 100, 10), message(b"behind")].concat()).unwrap();
        expect_silence(&mut client);
        for ticket in 10..13 {
            rig.boards.call(&[ticket + 1000, ticket, 5]);
            expect_slices(&mut client, 1, 100);
        }
        expect(&mut client, &message(b"behind"));
        expect_alive(&mut client);
        wait_for_streams(&rig, 0);
    }
}

#[test]
fn no_call_is_lost() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    // Called before anybody waits.
    rig.boards.call(&[1, 2, 3]);
    a_while();
    client.write_all(&order("stall", 3, 10, 1)).unwrap();
    expect_slices(&mut client, 1, 10);
    // One call wakes it up for the second ticket, and finds it waiting for the third after that.
    rig.boards.call(&[2, 3]);
    expect_slices(&mut client, 2, 10);
    expect_alive(&mut client);

    // Called at the end of the wake-up in which the wait began.
    client.write_all(&[order("fetch", 1000, 10, 1000), message(b"behind")].concat()).unwrap();
    expect_slices(&mut client, 1000, 10);
    expect(&mut client, &message(b"behind"));
}

#[test]
fn many_wait_at_once() {
    const CLIENTS: usize = 200;
    const ROUNDS: usize = 20;

    let rig = Rig::start();
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| rig.connect()).collect();
    for round in 0..ROUNDS {
        for (number, client) in clients.iter_mut().enumerate() {
            let ticket = ((round * CLIENTS + number) * 10 + 1000) as Ticket;
            let requests = [order("fetch", 3, 50, ticket), message(b"behind")];
            client.write_all(&requests.concat()).unwrap();
        }
        for client in &mut clients {
            expect_slices(client, 3, 50);
            expect(client, &message(b"behind"));
        }
    }
    wait_for_streams(&rig, 0);
    for client in &mut clients {
        expect_alive(client);
    }
}

#[test]
fn nobody_else_waits() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    let mut bystander = rig.connect();
    client.write_all(&order("park", 1, 100, 1)).unwrap();
    wait_for_streams(&rig, 1);
    for _ in 0..100 {
        expect_alive(&mut bystander);
        // What its client sends makes no difference.
        client.write_all(&message(b"more")).unwrap();
    }
    expect_silence(&mut client);
    rig.boards.call(&[1]);
    expect_slices(&mut client, 1, 100);
    for _ in 0..100 {
        expect(&mut client, &message(b"more"));
    }
}

#[test]
fn what_is_owed_is_sent_while_a_stream_waits() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    // More than the sockets hold.
    client.write_all(&order("park", 2, 50_000_000, 1)).unwrap();
    wait_for_streams(&rig, 1);
    rig.boards.call(&[1]);
    let sent = sent_when_settled(&rig);
    assert!(sent < 50_000_000, "{sent} bytes sent to a client that reads nothing");
    expect_slices(&mut client, 1, 50_000_000);
    expect_silence(&mut client);
    rig.boards.call(&[2]);
    expect_slices(&mut client, 1, 50_000_000);

    // Called while something is owed.
    client.write_all(&order("park", 2, 50_000_000, 11)).unwrap();
    wait_for_streams(&rig, 1);
    rig.boards.call(&[11]);
    sent_when_settled(&rig);
    rig.boards.call(&[12]);
    expect_slices(&mut client, 2, 50_000_000);
    expect_alive(&mut client);
}

#[test]
fn a_call_that_comes_too_late_reaches_nobody() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    client.write_all(&order("park", 1, 100, 1)).unwrap();
    wait_for_streams(&rig, 1);
    reset(client);
    wait_for_streams(&rig, 0);
    rig.wait_for("the close", |stats| stats.client_connections == 0);

    // Has the place of the one before.
    let mut client = rig.connect();
    client.write_all(&order("park", 1, 100, 2)).unwrap();
    wait_for_streams(&rig, 1);
    rig.boards.call(&[1]);
    expect_silence(&mut client);
    rig.boards.call(&[2]);
    expect_slices(&mut client, 1, 100);
}

/// Hangs up in a way that is not to be mistaken for a client that only sends no more.
fn reset(client: TcpStream) {
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
}

#[test]
fn a_client_that_shuts_its_side_is_waited_for() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    client.write_all(&[order("park", 2, 100, 1), message(b"behind")].concat()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    expect_silence(&mut client);
    rig.boards.call(&[1]);
    expect_slices(&mut client, 1, 100);
    rig.boards.call(&[2]);
    expect_slices(&mut client, 1, 100);
    expect(&mut client, &message(b"behind"));
    expect_close(&mut client);
}

#[test]
fn a_waiting_client_is_not_idle() {
    let rig = Rig::start_with(1);
    rig.limits.set_idle_ms(100);
    let mut client = rig.connect();
    client.write_all(&order("park", 1, 100, 1)).unwrap();
    thread::sleep(Duration::from_millis(400));
    assert_eq!(rig.stats().reaped_fds, 0);
    rig.boards.call(&[1]);
    expect_slices(&mut client, 1, 100);
    expect_alive(&mut client);
    let start = Instant::now();
    expect_close(&mut client);
    assert!(start.elapsed() > Duration::from_millis(50), "its time begins with the reply");
    assert_eq!(rig.stats().reaped_fds, 1);
}

#[test]
fn panics_of_the_worker_cost_nobody_a_connection() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    client.write_all(&order("park", 2, 100, 1)).unwrap();
    wait_for_streams(&rig, 1);
    rig.boards.call(&[1, PANIC_TICKET]);
    expect_slices(&mut client, 1, 100);
    rig.wait_for("the panic", |stats| stats.worker_panics == 1);
    rig.boards.call(&[2]);
    expect_slices(&mut client, 1, 100);
    let sulk = message(b"sulk");
    client.write_all(&sulk).unwrap();
    expect(&mut client, &sulk);
    rig.wait_for("the panic", |stats| stats.worker_panics == 2);
    expect_alive(&mut client);
}

#[test]
fn shutdown_waits_for_what_is_waited_for() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    client.write_all(&[order("park", 2, 100, 1), message(b"behind")].concat()).unwrap();
    wait_for_streams(&rig, 1);
    let boards = rig.boards.clone();
    let caller = thread::spawn(move || {
        a_while();
        boards.call(&[1]);
        expect_slices(&mut client, 1, 100);
        a_while();
        boards.call(&[2]);
        expect_slices(&mut client, 1, 100);
        expect(&mut client, &message(b"behind"));
        expect_close(&mut client);
    });
    let report = rig.server.shutdown(Duration::from_secs(10));
    assert_eq!(report, ShutdownReport { cut_off: 0, stuck: false });
    caller.join().unwrap();
}

#[test]
fn shutdown_cuts_off_what_waits_for_ever() {
    let rig = Rig::start_with(1);
    let mut client = rig.connect();
    client.write_all(&order("park", 1, 100, 1)).unwrap();
    wait_for_streams(&rig, 1);
    let streams = Arc::clone(&rig.streams);
    let report = rig.server.shutdown(Duration::from_millis(200));
    assert_eq!(report, ShutdownReport { cut_off: 1, stuck: false });
    assert_eq!(streams.load(Relaxed), 0);
}
