//! No input may panic or hang the readers: random bytes, and good files with bytes changed.

use std::time::{Duration, Instant};

use super::golden::golden_config;
use crate::{Notation, get_config, parse, set_config};

const SEEDS: [&[u8]; 3] = [
    include_bytes!("../../testdata/every-setting.conf"),
    include_bytes!("../../testdata/every-setting.yaml"),
    include_bytes!("../../testdata/golden.conf"),
];

/// Bytes that mean something to one of the readers are more likely than others.
fn byte(random: &mut fastrand::Rng) -> u8 {
    match random.u8(..4) {
        0 => random.u8(..),
        1 => random.u8(b'0'..=b'9'),
        _ => *random.choice(b"{}#:-[]&*!|>'\"%@`\n\n\n \t,;=axK").unwrap(),
    }
}

fn mutated(random: &mut fastrand::Rng, seed: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..random.usize(1..20) {
        let at = random.usize(..bytes.len());
        match random.u8(..4) {
            0 => bytes[at] = byte(random),
            1 => bytes.insert(at, byte(random)),
            2 => drop(bytes.drain(at..(at + random.usize(1..40)).min(bytes.len()))),
            _ => {
                let end = (at + random.usize(1..200)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.usize(..bytes.len());
                bytes.splice(to..to, copy);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

fn read_both(bytes: &[u8]) {
    for (file, notation) in [("x.conf", Notation::Conf), ("x.yaml", Notation::Yaml)] {
        if let Err(errors) = parse(bytes, file, notation) {
            assert!(!errors.0.is_empty());
            assert!(errors.to_string().starts_with(file));
        }
    }
}

#[test]
fn any_bytes_are_read_or_refused() {
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..2_000 {
        let length = random.usize(..300);
        let bytes: Vec<u8> = (0..length).map(|_| byte(&mut random)).collect();
        read_both(&bytes);
    }
}

#[test]
fn changed_files_are_read_or_refused() {
    let mut random = fastrand::Rng::with_seed(2);
    for seed in SEEDS {
        for _ in 0..100 {
            read_both(&mutated(&mut random, seed));
        }
    }
}

#[test]
fn deep_and_long_files_end_soon() {
    let start = Instant::now();
    for text in [
        "namespace x {\n".repeat(20_000),
        "x {\n".repeat(100_000),
        "}\n".repeat(100_000),
        "[".repeat(100_000),
        "- ".repeat(100_000),
        "a: &a [*a, *a]\n".repeat(1_000),
        format!("service: {{ x: {} }}", "{ y: ".repeat(5_000)),
        "x".repeat(1_000_000),
    ] {
        read_both(text.as_bytes());
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn any_command_is_answered() {
    let mut random = fastrand::Rng::with_seed(3);
    let config = golden_config();
    let words = [
        "context=",
        "service",
        "network",
        "namespace",
        "namespace=test",
        "xdr",
        "security",
        ";",
        "set=",
        "s",
        "=",
        "default-ttl=",
        "1",
        "-1",
        "99999999999999999999",
        "K",
        "true",
        "dc=a",
        "heartbeat.",
        "interval",
        "é",
        "\0",
        "stop-writes-count=",
        "id=bar",
    ];
    for _ in 0..3_000 {
        let count = random.usize(..10);
        let params: String = (0..count).map(|_| *random.choice(&words).unwrap()).collect();
        get_config(&config, &params);
        if let Err(error) = set_config(&config, &params, true) {
            assert!(error.to_string().starts_with("ERROR:"));
        }
    }
}
