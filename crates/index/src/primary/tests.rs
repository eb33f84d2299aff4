//! The index against a `BTreeMap`, its memory, and threads on one sprig.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use record::SetId;

use super::*;
use crate::heap::OutOfMemory;
use crate::testing::{entry, random_digest, tombstone, with_allocations};
use crate::{ScanItem, ScanProgress, Swept, Verdict};

#[derive(Clone, Debug)]
enum Op {
    Insert(Digest, u64, bool),
    Update(Digest, u64),
    Remove(Digest),
    Find(Digest),
    Scan(Digest, usize),
    Sweep(Digest, u8),
}

/// Few different digests, so that operations meet: extremes, equal prefixes, one sprig.
fn any_digest() -> impl Strategy<Value = Digest> {
    let byte = prop_oneof![Just(0u8), Just(0xFF), Just(0x7F), any::<u8>()];
    prop_oneof![
        Just(Digest([0; 20])),
        Just(Digest([0xFF; 20])),
        (0u8..4, any::<[u8; 2]>()).prop_map(|(nibble, tail)| {
            let mut bytes = [0x11; 20];
            bytes[1] = nibble << 6 | 1;
            bytes[18..].copy_from_slice(&[tail[0] % 8, tail[1] % 8]);
            Digest(bytes)
        }),
        (byte.clone(), byte.clone(), byte).prop_map(|(a, b, c)| {
            let mut bytes = [0x22; 20];
            (bytes[1], bytes[2], bytes[19]) = (a & 0xF0 | 2, b, c);
            Digest(bytes)
        }),
    ]
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (any_digest(), any::<u32>(), any::<bool>())
            .prop_map(|(digest, number, dead)| Op::Insert(digest, u64::from(number), dead)),
        2 => (any_digest(), any::<u32>())
            .prop_map(|(digest, number)| Op::Update(digest, u64::from(number))),
        3 => any_digest().prop_map(Op::Remove),
        2 => any_digest().prop_map(Op::Find),
        1 => (any_digest(), 0usize..20).prop_map(|(digest, limit)| Op::Scan(digest, limit)),
        1 => (any_digest(), any::<u8>()).prop_map(|(digest, mask)| Op::Sweep(digest, mask)),
    ]
}

#[test]
fn prefetching_tells_where_records_are() {
    let index = PrimaryIndex::new();
    let mut random = fastrand::Rng::with_seed(11);
    // All in one sprig, so that it has several leaves; and some that are not there.
    let digests: Vec<Digest> = (0..2000)
        .map(|_| {
            let mut digest = random_digest(&mut random);
            digest.0[..2].copy_from_slice(&[1, 2]);
            digest
        })
        .collect();
    for (number, digest) in digests.iter().enumerate().skip(1000) {
        index.write(digest).insert(entry(number as u64, SetId::NONE)).unwrap();
    }
    let mut locations = Vec::new();
    index.prefetch(&digests, |location| locations.push(location));
    let stored = digests.iter().skip(1000);
    let expected = stored.map(|digest| index.read(digest).find().unwrap().location);
    assert!(locations.iter().copied().eq(expected));

    let writer = index.write(&digests[0]);
    index.prefetch(&digests, |_| panic!("it waits for no writer, and looks past none"));
    drop(writer);
}

fn scan_all(index: &PrimaryIndex, partition: PartitionId) -> Vec<ScanItem> {
    let mut items = Vec::new();
    assert_eq!(index.scan_desc(partition, None, usize::MAX, &mut items), ScanProgress::Done);
    items
}

type Model = BTreeMap<Digest, Entry>;

fn model_partition(model: &Model, partition: PartitionId) -> impl Iterator<Item = ScanItem> {
    let entries = model.iter().rev().filter(move |(digest, _)| digest.partition() == partition);
    entries.map(|(&digest, &entry)| ScanItem { digest, entry })
}

fn apply(index: &PrimaryIndex, model: &mut Model, op: Op) {
    match op {
        Op::Insert(digest, number, dead) => {
            let make = if dead { tombstone } else { entry };
            let entry = make(number, SetId((number % 5) as u16));
            let mut guard = index.write(&digest);
            assert_eq!(guard.find(), model.get(&digest).copied());
            assert_eq!(guard.insert(entry), Ok(model.insert(digest, entry)));
            assert_eq!(guard.find(), Some(entry));
        }
        Op::Update(digest, number) => {
            let entry = entry(number, SetId::NONE);
            let before = model.get_mut(&digest).map(|old| std::mem::replace(old, entry));
            assert_eq!(index.write(&digest).update(entry), Ok(before));
        }
        Op::Remove(digest) => {
            let mut guard = index.write(&digest);
            assert_eq!(guard.remove(), model.remove(&digest));
            assert_eq!((guard.find(), guard.remove()), (None, None));
        }
        Op::Find(digest) => {
            assert_eq!(index.read(&digest).find(), model.get(&digest).copied());
        }
        Op::Scan(below, limit) => {
            let mut items = Vec::new();
            let progress = index.scan_desc(below.partition(), Some(&below), limit, &mut items);
            let mut expected =
                model_partition(model, below.partition()).filter(|item| item.digest < below);
            assert!(items.iter().copied().eq(expected.by_ref().take(limit)));
            let rest = expected.next();
            assert_eq!(progress == ScanProgress::More, rest.is_some());
        }
        Op::Sweep(digest, mask) => {
            let partition = digest.partition();
            let condemned = |entry: &Entry| entry.location.0 as u8 & mask == 0;
            let visited = model_partition(model, partition).count() as u64;
            let before = model.len();
            model.retain(|digest, entry| digest.partition() != partition || !condemned(entry));
            let removed = (before - model.len()) as u64;
            let swept = index.sweep(partition, |_, entry| {
                if condemned(entry) { Verdict::Remove } else { Verdict::Keep }
            });
            assert_eq!(swept, Swept { visited, removed });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(64)
    })]

    #[test]
    fn behaves_as_a_map(ops in prop::collection::vec(any_op(), 1..400)) {
        let index = PrimaryIndex::new();
        let mut model = Model::new();
        let mut partitions = std::collections::BTreeSet::new();
        for op in ops {
            if let Op::Insert(digest, ..) = &op {
                partitions.insert(digest.partition());
            }
            apply(&index, &mut model, op);
        }
        for partition in partitions {
            assert!(scan_all(&index, partition).into_iter().eq(model_partition(&model, partition)));
            let mut upward = Vec::new();
            index.for_each(partition, |&digest, &entry| upward.push(ScanItem { digest, entry }));
            upward.reverse();
            assert_eq!(upward, scan_all(&index, partition));
            let counts = index.counts(partition);
            let items = model_partition(&model, partition);
            let dead = items.filter(|item| item.entry.meta.tombstone).count() as u64;
            assert_eq!(counts.tombstones, dead);
            assert_eq!(counts.entries, model_partition(&model, partition).count() as u64);
            assert_eq!(counts.objects(), counts.entries - dead);
        }
        assert_eq!(index.len(), model.len() as u64);
    }
}

#[test]
fn empty_index_uses_nothing() {
    let index = PrimaryIndex::new();
    let digest = Digest([7; 20]);
    assert_eq!(index.read(&digest).find(), None);
    assert_eq!(index.write(&digest).remove(), None);
    assert!(index.is_empty());
    assert_eq!(index.used_bytes(), 0);
    index.write(&digest).insert(entry(1, SetId::NONE)).unwrap();
    assert_eq!(index.used_bytes(), 48 + PARTITION_HEAD_BYTES);
    index.write(&digest).remove().unwrap();
    assert_eq!(index.used_bytes(), 0);
}

/// The goal of the design: at most 48 bytes a record, all told.
#[test]
fn a_record_costs_at_most_48_bytes() {
    let index = PrimaryIndex::new();
    let mut random = fastrand::Rng::with_seed(21);
    for count in 1..=1_000_000u64 {
        let digest = random_digest(&mut random);
        index.write(&digest).insert(entry(count, SetId(1))).unwrap();
        if count >= 700_000 && count % 100_000 == 0 {
            assert_eq!(index.len(), count);
            let bytes = index.used_bytes() as f64 / count as f64;
            assert!(bytes <= 48.0, "{bytes} bytes a record at {count} records");
            index.compact();
            let bytes = (index.held_bytes() + HEADS_BYTES) as f64 / count as f64;
            assert!(bytes <= 48.0, "{bytes} bytes a record with free room at {count} records");
        }
    }
}

/// What a namespace takes beside blocks once every partition is in use.
const HEADS_BYTES: u64 = PARTITIONS as u64 * PARTITION_HEAD_BYTES;

#[test]
fn compaction_returns_memory_and_loses_nothing() {
    let index = PrimaryIndex::new();
    index.enable_set_index(SetId(1));
    for partition in PartitionId::all() {
        index.populate_set_index(SetId(1), partition).unwrap();
    }
    let mut random = fastrand::Rng::with_seed(25);
    let mut model = Model::new();
    for number in 0..200_000 {
        let digest = random_digest(&mut random);
        index.write(&digest).insert(entry(number, SetId(1))).unwrap();
        model.insert(digest, entry(number, SetId(1)));
    }
    let full = index.held_bytes();
    for partition in PartitionId::all() {
        index.sweep(partition, |_, entry| {
            if entry.location.0 % 4 == 0 { Verdict::Keep } else { Verdict::Remove }
        });
    }
    model.retain(|_, entry| entry.location.0 % 4 == 0);
    index.compact();
    let (held, used) = (index.held_bytes(), index.used_bytes() + index.set_index_used_bytes());
    assert!(held < full / 2, "{full} bytes held before, {held} after three of four went");
    assert!(held < used, "{held} bytes held for blocks, {used} used with heads");
    for (digest, entry) in &model {
        assert_eq!(index.read(digest).find(), Some(*entry));
    }
    let scanned: usize = PartitionId::all()
        .map(|partition| {
            let mut items = Vec::new();
            let progress = index.scan_set_desc(SetId(1), partition, None, usize::MAX, &mut items);
            assert_eq!(progress, Some(ScanProgress::Done));
            items.len()
        })
        .sum();
    assert_eq!(scanned, model.len());
}

/// All records in one sprig, thousands with one prefix: leaves stay small, memory too.
#[test]
fn one_crowded_sprig() {
    let index = PrimaryIndex::new();
    let mut random = fastrand::Rng::with_seed(22);
    let mut model = Model::new();
    for count in 0..30_000u64 {
        let mut digest = random_digest(&mut random);
        (digest.0[0], digest.0[1]) = (0xCD, 0xAB);
        if count % 2 == 0 {
            digest.0[2..16].fill(0x55);
        }
        index.write(&digest).insert(entry(count, SetId(1))).unwrap();
        model.insert(digest, entry(count, SetId(1)));
    }
    for (digest, entry) in &model {
        assert_eq!(index.read(digest).find(), Some(*entry));
    }
    let bytes = index.used_bytes() as f64 / model.len() as f64;
    assert!(bytes <= 48.0, "{bytes} bytes a record");
    let partition =
        Digest([0xCD, 0xAB, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).partition();
    assert!(scan_all(&index, partition).into_iter().eq(model_partition(&model, partition)));
    for digest in model.keys() {
        assert!(index.write(digest).remove().is_some());
    }
    assert_eq!((index.len(), index.used_bytes()), (0, 0));
}

/// Whatever allocation fails, the insertion either happened or changed nothing.
#[test]
fn refused_memory_is_an_error() {
    let index = PrimaryIndex::new();
    let mut random = fastrand::Rng::with_seed(23);
    let mut model = Model::new();
    let mut refusals = 0;
    let one_sprig = |random: &mut fastrand::Rng| {
        let mut digest = random_digest(random);
        (digest.0[0], digest.0[1]) = (1, 2);
        digest
    };
    for count in 0..3_000u64 {
        let digest = one_sprig(&mut random);
        let entry = entry(count, SetId(3));
        let mut guard = index.write(&digest);
        let granted = random.usize(..3);
        match with_allocations(granted, || guard.insert(entry)) {
            Ok(None) => _ = model.insert(digest, entry),
            Ok(Some(_)) => panic!("digests are distinct"),
            Err(OutOfMemory) => {
                refusals += 1;
                assert_eq!(guard.find(), None);
                if random.bool() {
                    assert_eq!(guard.insert(entry), Ok(None));
                    model.insert(digest, entry);
                }
            }
        }
        drop(guard);
        if random.u8(..8) == 0
            && let Some(&digest) = model.keys().nth(random.usize(..=model.len() / 2))
        {
            let removed = with_allocations(0, || index.write(&digest).remove());
            assert_eq!(removed, model.remove(&digest));
        }
    }
    assert!(refusals > 20, "{refusals} refusals");
    let partition = one_sprig(&mut random).partition();
    assert!(scan_all(&index, partition).into_iter().eq(model_partition(&model, partition)));
    let update = model.keys().next().copied().unwrap();
    let updated = with_allocations(0, || index.write(&update).update(entry(9, SetId(3))));
    assert_eq!(updated, Ok(model.get(&update).copied()));
    for digest in model.keys() {
        with_allocations(0, || index.write(digest).remove()).unwrap();
    }
    assert_eq!((index.len(), index.used_bytes()), (0, 0));
}

#[test]
fn readers_share_a_record_and_writers_do_not() {
    let index = PrimaryIndex::new();
    let digest = Digest([3; 20]);
    index.write(&digest).insert(entry(1, SetId::NONE)).unwrap();
    let reader = index.read(&digest);
    thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(index.try_read(&digest).unwrap().find(), reader.find());
            assert!(index.try_write(&digest).is_none());
        });
    });
    drop(reader);
    let writer = index.write(&digest);
    thread::scope(|scope| {
        scope.spawn(|| assert!(index.try_read(&digest).is_none()));
    });
    assert_eq!(writer.digest(), &digest);
}

/// Counts shared records up, and makes records of its own come and go between them.
fn count_up(index: &PrimaryIndex, digests: &[Digest], seed: u64, steps: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..steps {
        let digest = &digests[random.usize(..digests.len())];
        let mut guard = index.write(digest);
        let number = guard.find().map_or(0, |entry| entry.location.0) + 1;
        guard.insert(entry(number, SetId(1))).unwrap();
        drop(guard);
        let mut own = *digest;
        own.0[19] = seed as u8;
        own.0[18] = 0xEE;
        let mut guard = index.write(&own);
        if guard.remove().is_none() {
            guard.insert(entry(seed, SetId(1))).unwrap();
        }
    }
}

/// Scans, sweeps and reads, and sees only whole entries.
fn look_around(index: &PrimaryIndex, digests: &[Digest]) {
    let partition = digests[0].partition();
    let whole = |entry: &Entry| *entry == crate::testing::entry(entry.location.0, SetId(1));
    let items = scan_all(index, partition);
    assert!(items.is_sorted_by(|a, b| a.digest > b.digest));
    assert!(items.iter().all(|item| whole(&item.entry)));
    let swept = index.sweep(partition, |_, entry| {
        assert!(whole(entry));
        Verdict::Keep
    });
    assert_eq!(swept.removed, 0);
    for digest in digests.iter().step_by(7) {
        assert!(index.read(digest).find().is_none_or(|entry| whole(&entry)));
    }
}

/// Threads count up the generation of shared records under the write lock: no count is lost, and
/// readers, scans and sweeps beside them see only whole entries.
#[test]
fn threads_on_few_sprigs() {
    const WRITERS: u64 = 4;
    const STEPS: u64 = 4_000;
    let index = PrimaryIndex::new();
    let mut random = fastrand::Rng::with_seed(24);
    let digests: Vec<Digest> = (0..200)
        .map(|_| {
            let mut digest = random_digest(&mut random);
            (digest.0[0], digest.0[1]) = (9, digest.0[1] & 0x30);
            digest
        })
        .collect();
    let partition = digests[0].partition();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (finished, all_finished) = mpsc::channel();
        for seed in 0..WRITERS {
            let (index, digests, finished) = (&index, &digests, finished.clone());
            scope.spawn(move || {
                count_up(index, digests, seed, STEPS);
                finished.send(()).unwrap();
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    look_around(&index, &digests);
                }
            });
        }
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                index.compact();
            }
        });
        for _ in 0..WRITERS {
            all_finished.recv_timeout(Duration::from_secs(60)).expect("writers finish");
        }
        done.store(true, Ordering::Relaxed);
    });
    let counted: u64 = digests
        .iter()
        .filter_map(|digest| index.read(digest).find())
        .map(|entry| entry.location.0)
        .sum();
    assert_eq!(counted, WRITERS * STEPS);
    assert_eq!(index.len(), scan_all(&index, partition).len() as u64);
}
