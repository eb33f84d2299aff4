//! Measures a secondary index: bytes an entry, nanoseconds a change, a candidate, a record populated, and
//! a partition that is looked into for a number that few records have (the median: less than a slice of
//! the processor's time).
//!
//! ```text
//! cargo run --release -p bolide-index --example secondary_bench [RECORDS ...]
//! ```
//!
//! Records are random digests, by default one and five millions in turn, each with one entry. Its number
//! is random in 64 bits, or below the count of records, or one of a thousand: in these two all prefixes
//! are equal.

use std::sync::Arc;
use std::time::Instant;

use index::{
    BvalOrder, Entry, Populated, PrimaryIndex, ScanProgress, SecondaryIndex, SecondaryPool,
    SecondaryRange,
};
use tikv_jemalloc_ctl::{epoch, stats};
use wire::{Digest, PartitionId};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How many partitions ahead is loaded where entries are, in two steps, and what is looked at first.
const AHEAD: [usize; 3] = [20, 14, 8];

/// Numbers that are looked for in all partitions.
const LOOKS: u64 = 100;

fn main() {
    let arguments: Vec<u64> =
        std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if arguments.is_empty() { vec![1_000_000, 5_000_000] } else { arguments };
    println!(
        "{:>10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8}",
        "records",
        "numbers",
        "populate",
        "move",
        "scan",
        "look",
        "empty ms",
        "B used",
        "B held",
        "B active"
    );
    for records in sizes {
        measure(records, "random", mix);
        measure(records, "dense", |number| mix(number) % records);
        measure(records, "few", |number| mix(number) % 1_000);
    }
}

fn measure(records: u64, name: &str, bval_of: impl Fn(u64) -> u64) {
    let primary = PrimaryIndex::new();
    let pool = Arc::new(SecondaryPool::default());
    let empty = nanoseconds(1, || {
        let index = SecondaryIndex::new(BvalOrder::Signed, Arc::clone(&pool));
        populate(&primary, &index, &bval_of);
    });
    for number in 0..records {
        let inserted = primary.write(&digest(number)).insert(Entry::default());
        assert_eq!(inserted, Ok(None), "digests are distinct");
    }
    let active_before = active_bytes();
    let index = SecondaryIndex::new(BvalOrder::Signed, Arc::clone(&pool));
    let population = nanoseconds(records, || populate(&primary, &index, &bval_of));
    assert_eq!(index.entry_count(), records);
    pool.compact(std::iter::once(&index));
    let per_entry = |bytes: u64| bytes as f64 / records as f64;
    let (used, held) = (per_entry(index.used_bytes()), per_entry(pool.held_bytes()));
    let active = per_entry(active_bytes() - active_before);
    let moved = records / 10;
    let moves = nanoseconds(moved, || {
        for number in 0..moved {
            let digest = digest(number);
            let (old, new) = (bval_of(number_of(&digest)), bval_of(number + records));
            index.add(&digest, &[new.cast_signed()]).expect("memory is there");
            index.remove(&digest, &[old.cast_signed()]);
        }
    });
    let scan = nanoseconds(records, || {
        assert_eq!(scan_all(&primary, &index, (i64::MIN, i64::MAX)), records)
    });
    let mut looks: Vec<_> = (0..LOOKS)
        .map(|number| {
            let wanted = bval_of(mix(number) % records).cast_signed();
            nanoseconds(PartitionId::all().count() as u64, || {
                scan_all(&primary, &index, (wanted, wanted));
            })
        })
        .collect();
    looks.sort_by(f64::total_cmp);
    let look = looks[looks.len() / 2];
    println!(
        "{records:>10} {name:>8} {population:>8.0} {moves:>8.0} {scan:>8.0} {look:>8.0} {:>9.1} {used:>8.2} \
         {held:>8.2} {active:>8.2}",
        empty / 1e6
    );
}

fn populate(primary: &PrimaryIndex, index: &SecondaryIndex, bval_of: &impl Fn(u64) -> u64) {
    for partition in PartitionId::all() {
        let bvals = |digest: &Digest, _: &Entry, bvals: &mut Vec<i64>| {
            bvals.push(bval_of(number_of(digest)).cast_signed());
            true
        };
        while primary.populate_secondary(index, partition, bvals) == Ok(Populated::More) {}
    }
    assert!(index.is_populated());
}

fn scan_all(primary: &PrimaryIndex, index: &SecondaryIndex, range: (i64, i64)) -> u64 {
    let mut items = Vec::with_capacity(1000);
    let mut count = 0;
    let mut range = SecondaryRange::new(range.0, range.1);
    let [mut last, mut later, mut soon] = AHEAD.map(|ahead| PartitionId::all().skip(ahead));
    for partition in PartitionId::all() {
        let ranges = std::slice::from_ref(&range);
        last.next().into_iter().for_each(|last| index.prefetch_partition(last));
        later.next().into_iter().for_each(|later| index.prefetch_fences(later, ranges));
        soon.next().into_iter().for_each(|soon| index.prefetch_ranges(soon, ranges));
        let mut after = None;
        loop {
            items.clear();
            let progress = primary.scan_secondary(
                index,
                partition,
                &mut range,
                after.as_ref(),
                1000,
                &mut items,
            );
            count += items.len() as u64;
            after = items.last().map(|item| (item.bval, item.digest));
            if progress == ScanProgress::Done {
                break;
            }
        }
    }
    count
}

fn nanoseconds(count: u64, act: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    act();
    begin.elapsed().as_nanos() as f64 / count as f64
}

/// Bytes of the pages that the heap has given out.
fn active_bytes() -> u64 {
    epoch::advance().expect("jemalloc is the allocator");
    stats::active::read().expect("statistics are built in") as u64
}

/// A digest as random as a hash, with its number at the end.
fn digest(number: u64) -> Digest {
    let mut bytes = [0; Digest::SIZE];
    bytes[..8].copy_from_slice(&mix(number).to_le_bytes());
    bytes[12..].copy_from_slice(&number.to_le_bytes());
    Digest(bytes)
}

fn number_of(digest: &Digest) -> u64 {
    digest.0[12..].try_into().map(u64::from_le_bytes).expect("eight bytes")
}

/// The finalizer of SplitMix64: a bijection whose output looks random.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
