//! How the stream is cut into frames, and what closes it.

use std::io::Write;
use std::net::Shutdown;

use crate::harness::{Rig, expect, expect_alive, expect_close, frame, header, message};

#[test]
fn frames_split_at_every_byte() {
    let rig = Rig::start();
    let mut client = rig.connect();
    let frames = [frame(1, b""), message(b"one"), frame(0x05, b"x")].concat();
    for cut in 0..=frames.len() {
        let before = rig.stats().bytes_received;
        client.write_all(&frames[..cut]).unwrap();
        // The second part must not reach the socket before the first has been read.
        rig.wait_for("the first part", |stats| stats.bytes_received == before + cut as u64);
        client.write_all(&frames[cut..]).unwrap();
        expect(&mut client, &frames);
    }
}

#[test]
fn frames_arriving_byte_by_byte() {
    let rig = Rig::start();
    let mut client = rig.connect();
    let frames = [message(b"one"), message(b""), message(b"three")].concat();
    for byte in &frames {
        client.write_all(std::slice::from_ref(byte)).unwrap();
    }
    expect(&mut client, &frames);
}

#[test]
fn many_frames_in_one_write_are_answered_in_order() {
    let rig = Rig::start();
    let mut client = rig.connect();
    let mut reader = client.try_clone().unwrap();
    // Small ones, so that turns end by the number of requests, and larger ones, so that frames
    // straddle the ends of the reads.
    for body_size in [0, 4, 200, 5_000] {
        let frames: Vec<u8> = (0..3_000u32)
            .flat_map(|number| {
                let mut body = vec![b'.'; body_size];
                let number = number.to_be_bytes();
                let digits = body_size.min(number.len());
                body[..digits].copy_from_slice(&number[..digits]);
                message(&body)
            })
            .collect();
        std::thread::scope(|scope| {
            scope.spawn(|| client.write_all(&frames).unwrap());
            expect(&mut reader, &frames);
        });
    }
    expect_alive(&mut client);
}

#[test]
fn large_frames_between_small_ones() {
    let rig = Rig::start();
    let mut client = rig.connect();
    let mut reader = client.try_clone().unwrap();
    let body: Vec<u8> = (0..20_000_000u32).map(|place| (place % 251) as u8).collect();
    let frames = [message(b"before"), message(&body), message(b"after")].concat();
    std::thread::scope(|scope| {
        scope.spawn(|| client.write_all(&frames).unwrap());
        expect(&mut reader, &frames);
    });
    expect_alive(&mut client);
}

#[test]
fn replies_arrive_after_the_client_has_closed_its_side() {
    let rig = Rig::start();
    let mut client = rig.connect();
    let frames = [message(b"sleep 20"), message(b"two"), message(b"reply 300000")].concat();
    client.write_all(&[&frames[..], &message(b"never finished")[..9]].concat()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    expect(&mut client, &message(b"sleep 20"));
    expect(&mut client, &message(b"two"));
    expect(&mut client, &message(&[b'r'; 300_000]));
    expect_close(&mut client);
    rig.wait_for("the close", |stats| stats.client_connections == 0);
}

#[test]
fn malformed_headers_close_after_the_replies_before_them() {
    let rig = Rig::start();
    let bad = [
        header(3, 3, 4),
        header(1, 3, 4),
        header(0, 3, 4),
        header(2, 0, 4),
        header(2, 6, 4),
        header(2, 255, 0),
        header(2, 3, (128 << 20) + 1),
        header(0, 2, 0xffff_ffff_ffff),
        [22, 3, 1, 2, 0, 1, 0, 1],
        *b"GET / HT",
    ];
    for header in bad {
        let mut client = rig.connect();
        client.write_all(&header).unwrap();
        expect_close(&mut client);

        let mut client = rig.connect();
        let good = [message(b"one"), message(b"reply 100000")].concat();
        let garbage = vec![0x55; 100_000];
        client.write_all(&[good, header.to_vec(), garbage].concat()).unwrap();
        expect(&mut client, &message(b"one"));
        expect(&mut client, &message(&[b'r'; 100_000]));
        expect_close(&mut client);
    }
}

#[test]
fn the_greatest_length_is_awaited_and_old_security_is_served() {
    let rig = Rig::start();
    let mut client = rig.connect();
    let old_security = [&header(0, 2, 3)[..], b"abc"].concat();
    client.write_all(&old_security).unwrap();
    expect(&mut client, &old_security);

    client.write_all(&header(2, 3, 128 << 20)).unwrap();
    client.write_all(b"the beginning").unwrap();
    rig.wait_for("the beginning", |stats| stats.bytes_received == 11 + 8 + 13);
    assert_eq!(rig.stats().client_connections, 1);
}

#[test]
fn a_worker_can_close() {
    let rig = Rig::start();
    let mut client = rig.connect();
    let frames = [message(b"one"), message(b"close"), message(b"unheard")].concat();
    client.write_all(&frames).unwrap();
    expect(&mut client, &message(b"one"));
    expect(&mut client, &message(b"close"));
    expect_close(&mut client);
}

#[test]
fn a_panic_costs_one_connection() {
    let rig = Rig::start_with(1);
    let mut bystander = rig.connect();
    expect_alive(&mut bystander);
    for round in 1..=3 {
        let mut client = rig.connect();
        let frames = [message(b"one"), message(b"panic"), message(b"unheard")].concat();
        client.write_all(&frames).unwrap();
        expect(&mut client, &message(b"one"));
        expect_close(&mut client);
        expect_alive(&mut bystander);
        assert_eq!(rig.stats().worker_panics, round);
    }
}

#[test]
fn random_bytes_never_harm_a_neighbour() {
    let rig = Rig::start_with(1);
    let mut neighbour = rig.connect();
    let mut random = fastrand::Rng::with_seed(6);
    for round in 0..300 {
        let mut client = rig.connect();
        let mut bytes: Vec<u8> = Vec::new();
        for _ in 0..random.usize(..8) {
            match random.u8(..4) {
                0 => bytes.extend((0..random.usize(..40)).map(|_| random.u8(..))),
                1 => bytes.extend(header(2, random.u8(..7), random.u64(..1 << 28))),
                _ => bytes.extend(message(&vec![b'm'; random.usize(..300)])),
            }
        }
        // The server may have hung up already, which is its right.
        let _ = client.write_all(&bytes);
        if round % 10 == 0 {
            expect_alive(&mut neighbour);
        }
    }
    expect_alive(&mut neighbour);
    assert_eq!(rig.stats().worker_panics, 0);
    rig.wait_for("only the neighbour left", |stats| stats.client_connections == 1);
}
