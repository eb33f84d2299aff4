//! Measures the primary index: nanoseconds an operation and bytes a record.
//!
//! ```text
//! cargo run --release -p bolide-index --example index_bench [RECORDS ...]
//! ```
//!
//! Records are random digests, by default one, five and ten millions in turn. Look-ups go to random
//! records, so that beyond a million each finds cold caches. Every key is derived from a counter,
//! so that the benchmark itself touches no other memory.

use std::hint::black_box;
use std::time::Instant;

use index::{Entry, Location, PrimaryIndex, ScanProgress};
use record::SetId;
use tikv_jemalloc_ctl::{epoch, stats};
use wire::{Digest, PartitionId};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Look-ups measured.
const LOOKUPS: u64 = 4_000_000;

fn main() {
    let arguments: Vec<u64> =
        std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes =
        if arguments.is_empty() { vec![1_000_000, 5_000_000, 10_000_000] } else { arguments };
    println!(
        "{:>10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>10} {:>10} {:>10}",
        "records",
        "insert",
        "find",
        "miss",
        "update",
        "remove",
        "churn",
        "scan",
        "B used",
        "B held",
        "B active"
    );
    for records in sizes {
        measure(records);
    }
}

fn measure(records: u64) {
    let active_before = active_bytes();
    let index = PrimaryIndex::new();
    let insertion = {
        let begin = Instant::now();
        (0..records).for_each(|n| insert(&index, n));
        begin.elapsed().as_nanos() as f64 / records as f64
    };
    let per_record = |bytes: u64| bytes as f64 / records as f64;
    let used = per_record(index.used_bytes());
    let held_before = per_record(index.held_bytes());
    let begin = Instant::now();
    index.compact();
    let compaction = begin.elapsed();
    let held = per_record(index.held_bytes());
    let active = active_bytes();

    let baseline = nanoseconds(LOOKUPS, |n| _ = black_box(digest(scattered(n, records))));
    let find = nanoseconds(LOOKUPS, |n| {
        let found = index.read(&digest(scattered(n, records))).find();
        assert!(found.is_some(), "an inserted record is found");
    });
    let miss = nanoseconds(LOOKUPS, |n| {
        let found = index.read(&digest(records + n)).find();
        assert!(found.is_none(), "a record never inserted is not found");
    });
    let update = nanoseconds(LOOKUPS, |n| {
        let updated = index.write(&digest(scattered(n, records))).update(entry(n));
        assert!(matches!(updated, Ok(Some(_))), "an inserted record is updated");
    });
    let scan = {
        let begin = Instant::now();
        assert_eq!(scan_all(&index), records);
        begin.elapsed().as_nanos() as f64 / records as f64
    };
    let removed = records / 10;
    let remove = nanoseconds(removed, |n| {
        assert!(index.write(&digest(n)).remove().is_some(), "an inserted record is removed");
    });
    let churn = nanoseconds(removed, |n| {
        insert(&index, records + n);
        assert!(index.write(&digest(removed + n)).remove().is_some());
    });
    println!(
        "{records:>10} {insertion:>8.0} {:>8.0} {:>8.0} {:>8.0} {remove:>8.0} {churn:>8.0} \
         {scan:>8.1} {used:>10.2} {:>10.2} {:>10.2}",
        find - baseline,
        miss - baseline,
        update - baseline,
        held,
        per_record(active - active_before),
    );
    println!("{:>10} {held_before:.2} B held before a compaction of {compaction:?}", "");
}

fn insert(index: &PrimaryIndex, number: u64) {
    let inserted = index.write(&digest(number)).insert(entry(number));
    assert_eq!(inserted, Ok(None), "digests are distinct");
}

fn scan_all(index: &PrimaryIndex) -> u64 {
    let mut items = Vec::with_capacity(1000);
    let mut count = 0;
    for partition in PartitionId::all() {
        let mut below = None;
        loop {
            items.clear();
            let progress = index.scan_desc(partition, below.as_ref(), 1000, &mut items);
            count += items.len() as u64;
            below = items.last().map(|item| item.digest);
            if progress == ScanProgress::Done {
                break;
            }
        }
    }
    count
}

/// Nanoseconds that `act` takes for the numbers below `count`: the average of the fastest
/// two-hundredth, since whatever else the machine does only adds to it.
fn nanoseconds(count: u64, mut act: impl FnMut(u64)) -> f64 {
    let share = count / 200;
    let fastest = (0..200).map(|part| {
        let begin = Instant::now();
        (part * share..(part + 1) * share).for_each(&mut act);
        begin.elapsed().as_nanos() as f64 / share as f64
    });
    fastest.fold(f64::INFINITY, f64::min)
}

/// Bytes of the pages that the heap has given out.
fn active_bytes() -> u64 {
    epoch::advance().expect("jemalloc is the allocator");
    stats::active::read().expect("statistics are built in") as u64
}

fn entry(number: u64) -> Entry {
    let mut entry = Entry { location: Location(number), ..Entry::default() };
    entry.meta.set = SetId(1);
    entry
}

/// The `n`-th of a sequence of random records.
fn scattered(n: u64, records: u64) -> u64 {
    mix(n ^ 0x5DEE_CE66) % records
}

/// A digest as random as a hash.
fn digest(number: u64) -> Digest {
    let mut bytes = [0; Digest::SIZE];
    bytes[..8].copy_from_slice(&mix(number).to_le_bytes());
    bytes[8..16].copy_from_slice(&mix(!number).to_le_bytes());
    bytes[16..].copy_from_slice(&(number as u32).to_le_bytes());
    Digest(bytes)
}

/// The finalizer of SplitMix64: a bijection whose output looks random.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
