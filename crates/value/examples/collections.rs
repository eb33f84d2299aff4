//! What operations on lists and maps cost, and how that grows with their size.
//!
//! `cargo run --release -p bolide-value --example collections`

use std::hint::black_box;
use std::time::{Duration, Instant};

use value::cdt::{self, Guide, Stored};
use value::msgpack::{Flags, write};
use wire::ParticleType;

/// How long each operation is repeated.
const REPEATED_FOR: Duration = Duration::from_millis(300);

/// A bin's value with what is kept beside it.
struct Value {
    particle_type: ParticleType,
    bytes: Vec<u8>,
    guide: Vec<u8>,
}

impl Value {
    fn new(particle_type: ParticleType, bytes: Vec<u8>) -> Self {
        let guide = cdt::guide_of_written((particle_type, &bytes), &bytes);
        Self { particle_type, bytes, guide }
    }

    fn stored(&self) -> Stored<'_> {
        let guide = Guide::new(&self.guide);
        Stored { particle_type: self.particle_type, value: black_box(&self.bytes), guide }
    }
}

fn main() {
    println!("{:44} {:>10} {:>12}", "operation", "entries", "ns");
    for entries in [100, 1_000, 100_000] {
        let list = list(entries);
        modify("append to an unordered list", entries, &list, &operation(1, &[5]));
        read("get by index, the last of a list", entries, &list, &operation(19, &[7, -1]));
    }
    let list = list(100);
    read("get by rank range, 10 of a list", 100, &list, &operation(26, &[7, 40, 10]));
    for entries in [100, 1_000, 100_000] {
        let map = map(entries);
        let middle = entries as i64 / 2;
        read("get by key of a key-ordered map", entries, &map, &operation(97, &[7, middle]));
        modify("put into a key-ordered map, existing key", entries, &map, &put(middle));
        modify("put into a key-ordered map, new key", entries, &map, &put(entries as i64));
        let increment = operation(73, &[middle, 3]);
        modify("increment in a key-ordered map", entries, &map, &increment);
        let ranks = operation(106, &[7, 40, 10]);
        read("get by rank range, 10 of a map", entries, &map, &ranks);
    }
}

/// Numbers in no order.
fn list(entries: usize) -> Value {
    let mut out = Vec::new();
    write::list_start(&mut out, entries, Flags::NONE);
    (0..entries as u64).for_each(|i| write::unsigned(&mut out, i * 7919 % 10_007));
    Value::new(ParticleType::LIST, out)
}

/// Integers as keys, numbers in no order as values.
fn map(entries: usize) -> Value {
    let mut out = Vec::new();
    write::map_start(&mut out, entries, Flags::MAP_KEY_ORDERED);
    for i in 0..entries as u64 {
        write::unsigned(&mut out, i);
        write::unsigned(&mut out, i * 7919 % 10_007);
    }
    Value::new(ParticleType::MAP, out)
}

fn put(key: i64) -> Vec<u8> {
    operation(67, &[key, 7, 1, 0])
}

fn operation(code: i64, parameters: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    write::list_header(&mut out, parameters.len() + 1);
    write::integer(&mut out, code);
    parameters.iter().for_each(|parameter| write::integer(&mut out, *parameter));
    out
}

fn read(name: &str, entries: usize, bin: &Value, operation: &[u8]) {
    measure(name, entries, || {
        let answer = cdt::read(bin.stored(), operation);
        black_box(answer).expect("the operation fits the value");
    });
}

fn modify(name: &str, entries: usize, bin: &Value, operation: &[u8]) {
    measure(name, entries, || {
        let modified = cdt::modify(Some(bin.stored()), operation);
        black_box(modified).expect("the operation fits the value");
    });
}

fn measure(name: &str, entries: usize, mut run: impl FnMut()) {
    let start = Instant::now();
    let mut runs = 0_u32;
    while start.elapsed() < REPEATED_FOR {
        (0..16).for_each(|_| run());
        runs += 16;
    }
    println!("{name:44} {entries:>10} {:>12}", (start.elapsed() / runs).as_nanos());
}
