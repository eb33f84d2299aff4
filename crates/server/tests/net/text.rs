//! The plain-text info port.

use std::io::Write;
use std::net::Shutdown;

use server::net::LINE_SIZE_MAX;

use crate::harness::{Rig, expect, expect_close};

#[test]
fn lines_end_with_either_break() {
    let rig = Rig::start();
    let mut client = rig.connect_text();
    for request in ["build\n", "build\r", "build\r\n", "build\n\n\r\n"] {
        client.write_all(request.as_bytes()).unwrap();
        expect(&mut client, b"dliub\n");
    }
    client.write_all(b"ab\ncd\r\n\nef\r").unwrap();
    expect(&mut client, b"ba\ndc\nfe\n");
    let address = client.local_addr().unwrap();
    client.write_all(b"who\n").unwrap();
    expect(&mut client, format!("{address}\n").as_bytes());
}

#[test]
fn an_empty_line_is_a_request() {
    let rig = Rig::start();
    let mut client = rig.connect_text();
    client.write_all(b"\n").unwrap();
    expect(&mut client, b"\n");
    client.write_all(b"\r\n").unwrap();
    expect(&mut client, b"\n");
}

#[test]
fn lines_split_at_every_byte() {
    let rig = Rig::start();
    let mut client = rig.connect_text();
    let lines = b"one\r\ntwo\nthree\r";
    for cut in 0..=lines.len() {
        let (first, second) = lines.split_at(cut);
        let before = rig.stats().bytes_received;
        client.write_all(first).unwrap();
        rig.wait_for("the first part", |stats| stats.bytes_received == before + cut as u64);
        client.write_all(second).unwrap();
        expect(&mut client, b"eno\nowt\neerht\n");
    }
    client.write_all(b"close\nmore\n").unwrap();
    expect(&mut client, b"esolc\n");
    expect_close(&mut client);
}

#[test]
fn a_newline_belongs_to_a_carriage_return_only_right_behind_it() {
    let rig = Rig::start();
    let mut client = rig.connect_text();
    let mut received = 0;
    for piece in ["ab", "c\rde", "\n", "fg\r", "\nhi", "\r", "\n", "\n"] {
        client.write_all(piece.as_bytes()).unwrap();
        received += piece.len() as u64;
        rig.wait_for("a piece", |stats| stats.bytes_received == received);
    }
    expect(&mut client, b"cba\ned\ngf\nih\n\n");
}

#[test]
fn an_interrupt_closes_after_the_replies_before_it() {
    let rig = Rig::start();
    for lines in ["ab\ncd\n", "ab\ncd\nunfinished"] {
        let mut client = rig.connect_text();
        client.write_all(&[lines.as_bytes(), b"\xff", b"ef\n"].concat()).unwrap();
        expect(&mut client, b"ba\ndc\n");
        expect_close(&mut client);
    }
}

#[test]
fn an_over_long_line_closes() {
    let rig = Rig::start();
    let mut client = rig.connect_text();
    client.write_all(b"ab\n").unwrap();
    expect(&mut client, b"ba\n");
    let mut longest = vec![b'x'; LINE_SIZE_MAX];
    longest.push(b'\n');
    client.write_all(&longest).unwrap();
    expect(&mut client, &longest);
    longest.pop();
    longest.push(b'x');
    client.write_all(&longest).unwrap();
    expect_close(&mut client);
}

#[test]
fn an_unfinished_line_is_not_answered() {
    let rig = Rig::start();
    let mut client = rig.connect_text();
    client.write_all(b"ab\ncd").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    expect(&mut client, b"ba\n");
    expect_close(&mut client);
    rig.wait_for("the close", |stats| stats.text_connections == 0);
}
