//! Loading into a small server that speaks frames.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use std::io::{Read, Write};

use storage::format::flat::Kind;
use wire::reply::header_only;
use wire::{FieldType, Info2, Info3, OpCode, ParticleType, ProtoHeader, Request, ResultCode};

use super::*;
use crate::original::encode;
use crate::testing::{Own, Spec, spec};

const NOW: u32 = 1000;

/// Bodies of the requests that were answered with OK, by digest.
type Received = Arc<Mutex<HashMap<Vec<u8>, Vec<u8>>>>;

/// How the server answers: the number of the request, from 0, and its digest go in.
type Answers = fn(usize, &[u8]) -> Option<ResultCode>;

/// A server that answers as it is told to, and closes the connection where it is told nothing.
fn server(answers: Answers) -> (SocketAddr, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let received = Received::default();
    let shared = received.clone();
    let count = Arc::new(Mutex::new(0));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, received, count) = (stream.unwrap(), shared.clone(), count.clone());
            thread::spawn(
                move || while serve(&mut stream, answers, &received, &count).is_some() {},
            );
        }
    });
    (address, received)
}

fn serve(
    stream: &mut std::net::TcpStream,
    answers: Answers,
    received: &Received,
    count: &Mutex<usize>,
) -> Option<()> {
    let mut header = [0; ProtoHeader::SIZE];
    stream.read_exact(&mut header).ok()?;
    let mut body = vec![0; ProtoHeader::parse(header).unwrap().body_size_bytes];
    stream.read_exact(&mut body).ok()?;
    let digest = Request::parse(&body).unwrap().field(FieldType::DIGEST).unwrap().to_vec();
    let number = {
        let mut count = count.lock().unwrap();
        *count += 1;
        *count - 1
    };
    let code = answers(number, &digest)?;
    if code == ResultCode::OK {
        received.lock().unwrap().insert(digest, body);
    }
    let mut out = Vec::new();
    header_only(&mut out, code, 1, 0);
    stream.write_all(&out).ok()
}

fn run(device: Device, address: SocketAddr, threads: usize) -> anyhow::Result<Outcome> {
    let devices = [device];
    let survey = Survey::of(&devices, NOW).unwrap();
    let progress: fn(&str) = |_| {};
    load(
        &devices,
        &survey,
        &Target { address, namespace: "test", threads, clock: || NOW, progress },
    )
}

fn own(records: &[Spec]) -> Device {
    let mut own = Own::new(0, 1);
    own.seal(1, 1, records);
    own.open("dev")
}

#[test]
fn live_records_arrive_with_all_they_have() {
    let (address, received) = server(|_, _| Some(ResultCode::OK));
    let geo = [&[0, 0, 1][..], &[9; 8], b"{}"].concat();
    let full = Spec {
        void_time: NOW + 60,
        key: Some(b"\x03user".to_vec()),
        bins: vec![
            ("a", ParticleType::INTEGER, 7i64.to_be_bytes().to_vec()),
            ("g", ParticleType::GEOJSON, geo),
        ],
        ..spec(1, 6)
    };
    let gone = [
        Spec { void_time: NOW - 1, ..spec(3, 5) },
        Spec { kind: Kind::Grave, ..spec(4, 5) },
        Spec { kind: Kind::Tombstone, bins: vec![], ..spec(5, 5) },
        Spec { set: "<ERO~MRT", ..spec(6, 5) },
        Spec { encrypted: true, ..spec(7, 5) },
    ];
    let records = [&[spec(1, 5), full, Spec { set: "", ..spec(2, 5) }][..], &gone].concat();
    let outcome = run(own(&records), address, 2).unwrap();
    assert_eq!((outcome.written, outcome.failed.len()), (2, 0));
    let skipped = [("encrypted".to_owned(), 1), ("state of a transaction".to_owned(), 1)];
    assert_eq!(outcome.skipped, skipped);
    assert!(!outcome.is_complete());
    let received = received.lock().unwrap();
    let request = Request::parse(&received[&vec![1; 20]]).unwrap();
    assert_eq!(request.header.info2, Info2::WRITE);
    assert_eq!(request.header.info3, Info3::CREATE_OR_REPLACE);
    assert_eq!(request.header.record_ttl, 60);
    assert_eq!(request.field(FieldType::NAMESPACE), Some(&b"test"[..]));
    assert_eq!(request.field(FieldType::SET), Some(&b"s"[..]));
    assert_eq!(request.field(FieldType::KEY), Some(&b"\x03user"[..]));
    let ops: Vec<_> =
        request.ops().map(|op| (op.code, op.particle_type, op.name, op.value)).collect();
    assert_eq!(ops[0], (OpCode::WRITE, ParticleType::INTEGER, &b"a"[..], &7i64.to_be_bytes()[..]));
    assert_eq!(ops[1], (OpCode::WRITE, ParticleType::GEOJSON, &b"g"[..], &b"\0\0\0{}"[..]));
    let request = Request::parse(&received[&vec![2; 20]]).unwrap();
    assert_eq!(request.header.record_ttl, u32::MAX);
    assert_eq!((request.field(FieldType::SET), request.field(FieldType::KEY)), (None, None));
}

#[test]
fn records_of_the_original_arrive_too() {
    let (address, received) = server(|_, _| Some(ResultCode::OK));
    let records: Vec<_> = (2..202).map(|digest| encode::flat(digest, 5)).collect();
    let outcome = run(encode::device(&[encode::block(&records)]), address, 3).unwrap();
    assert_eq!(outcome.written, 200);
    assert!(outcome.is_complete());
    assert_eq!(received.lock().unwrap().len(), 200);
}

#[test]
fn refusals_are_counted_by_result() {
    let (address, _) = server(|_, digest| {
        Some(match digest[0] {
            1 => ResultCode::FORBIDDEN,
            2 => ResultCode::RECORD_TOO_BIG,
            _ => ResultCode::OK,
        })
    });
    let outcome = run(own(&[spec(1, 5), spec(2, 5), spec(3, 5)]), address, 1).unwrap();
    let failed: Vec<_> = outcome.failed.iter().map(|(code, _, count)| (*code, *count)).collect();
    assert_eq!((outcome.written, failed), (1, vec![(13, 1), (22, 1)]));
    assert!(!outcome.is_complete());
}

#[test]
fn an_overloaded_node_is_asked_again() {
    let overloaded: Answers =
        |number, _| Some(if number < 4 { ResultCode::DEVICE_OVERLOAD } else { ResultCode::OK });
    let (address, received) = server(overloaded);
    let outcome = run(own(&[spec(1, 5), spec(2, 5)]), address, 1).unwrap();
    assert_eq!((outcome.written, outcome.retried), (2, 4));
    assert!(outcome.failed.is_empty());
    assert_eq!(received.lock().unwrap().len(), 2);
}

#[test]
fn a_lost_connection_is_made_anew() {
    let (address, received) = server(|number, _| (number != 1).then_some(ResultCode::OK));
    let outcome = run(own(&[spec(1, 5), spec(2, 5), spec(3, 5)]), address, 1).unwrap();
    assert_eq!(outcome.written, 3);
    assert_eq!(received.lock().unwrap().len(), 3);
}

#[test]
fn a_node_that_is_not_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = run(own(&[spec(1, 5)]), address, 2).unwrap_err();
    assert!(format!("{error:#}").contains("cannot reach"), "{error:#}");
}
