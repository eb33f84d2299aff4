//! What a filter of three clauses costs: to build, and to evaluate over a record.
//!
//! `cargo run --release -p bolide-expr --example filter`

use std::hint::black_box;
use std::time::{Duration, Instant};

use expr::{Filter, Medium, Metadata, RecordView};
use wire::{Digest, ParticleType};

/// `a == 5 and b > 10 and c < 100`, as clients send it.
const THREE_CLAUSES: &[u8] = b"\x94\x10\
    \x93\x01\x93\x51\x02\xa1a\x05\
    \x93\x03\x93\x51\x02\xa1b\x0a\
    \x93\x05\x93\x51\x02\xa1c\x64";
/// `set_name == "demo"`: needs no bins.
const METADATA_ONLY: &[u8] = b"\x93\x01\x91\x46\xa5\x03demo";

/// How long each is repeated.
const REPEATED_FOR: Duration = Duration::from_millis(300);

struct Record {
    digest: Digest,
    bins: Vec<(Vec<u8>, [u8; 8])>,
}

impl Metadata for Record {
    fn digest(&self) -> &Digest {
        &self.digest
    }
    fn set_name(&self) -> &[u8] {
        b"demo"
    }
    fn now_ms(&self) -> u64 {
        1_000_000
    }
    fn last_update_time_ms(&self) -> u64 {
        500_000
    }
    fn void_time_seconds(&self) -> u32 {
        0
    }
    fn has_key(&self) -> Option<bool> {
        Some(false)
    }
    fn is_tombstone(&self) -> bool {
        false
    }
    fn size_bytes(&self) -> usize {
        128
    }
    fn medium(&self) -> Medium {
        Medium::Memory
    }
}

impl RecordView for Record {
    fn metadata(&self) -> &dyn Metadata {
        self
    }
    fn key(&self) -> Option<&[u8]> {
        None
    }
    fn bin(&self, name: &[u8]) -> Option<(ParticleType, &[u8])> {
        let (_, value) = self.bins.iter().find(|(known, _)| known == name)?;
        Some((ParticleType::INTEGER, value))
    }
}

fn main() {
    let bins = [(b"a", 5i64), (b"b", 11), (b"c", 99)];
    let bins = bins.map(|(name, value)| (name.to_vec(), value.to_be_bytes())).to_vec();
    let record = Record { digest: Digest([7; Digest::SIZE]), bins };
    println!("{:44} {:>12}", "filter", "ns");
    report("three clauses: build", || {
        black_box(Filter::build(black_box(THREE_CLAUSES)).is_ok());
    });
    let filter = Filter::build(THREE_CLAUSES).expect("a good filter");
    assert!(filter.matches(&record));
    report("three clauses: evaluate", || {
        black_box(filter.matches(black_box(&record)));
    });
    let filter = Filter::build(METADATA_ONLY).expect("a good filter");
    assert_eq!(filter.decide(&record), Some(true));
    report("name of the set, without the record's data", || {
        black_box(filter.decide(black_box(&record)));
    });
}

fn report(what: &str, mut act: impl FnMut()) {
    let (start, mut times) = (Instant::now(), 0u32);
    while start.elapsed() < REPEATED_FOR {
        (0..1000).for_each(|_| act());
        times += 1000;
    }
    println!("{what:44} {:>12}", start.elapsed().as_nanos() / u128::from(times));
}
