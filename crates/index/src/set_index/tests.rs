//! Set indexes against a filtered scan of the primary index.

use super::*;
use crate::testing::{digest_in, entry, tombstone, with_allocations};
use crate::{Swept, Verdict};

const SET: SetId = SetId(7);

fn partition() -> PartitionId {
    PartitionId::new(0xABC).unwrap()
}

/// Digests of which many share a handle.
fn crowded_digest(random: &mut fastrand::Rng) -> Digest {
    let mut digest = digest_in(partition(), random);
    if random.u8(..4) > 0 {
        digest.0[2..10].fill(random.u8(..3));
        digest.0[1] &= 0x3F;
        digest.0[10..19].fill(0);
    }
    digest
}

fn populate(index: &PrimaryIndex) {
    for partition in PartitionId::all() {
        index.populate_set_index(SET, partition).unwrap();
    }
}

fn scan_by_filter(index: &PrimaryIndex) -> Vec<ScanItem> {
    let mut items = Vec::new();
    let _ = index.scan_desc(partition(), None, usize::MAX, &mut items);
    items.retain(|item| item.entry.indexed_set() == SET);
    items
}

/// Entries of the set's index in the partition, equal ones counted.
fn stored_handles(index: &PrimaryIndex) -> usize {
    let count = |set_index: &SetIndex| {
        let mut count = 0;
        let _ = set_index.partition(partition()).read().handles.visit_down(None, |_, _| {
            count += 1;
            ControlFlow::Continue(())
        });
        count
    };
    index.sets.with(SET, count).unwrap()
}

fn scan_by_index(index: &PrimaryIndex, limit: usize) -> Vec<ScanItem> {
    let mut items: Vec<ScanItem> = Vec::new();
    loop {
        let below = items.last().map(|item| item.digest);
        let before = items.len();
        let progress = index.scan_set_desc(SET, partition(), below.as_ref(), limit, &mut items);
        assert!(items.len() - before <= limit);
        match progress.expect("the index is ready") {
            ScanProgress::Done => return items,
            ScanProgress::More => assert_eq!(items.len() - before, limit),
        }
    }
}

fn random_step(index: &PrimaryIndex, random: &mut fastrand::Rng, number: u64) {
    let digest = crowded_digest(random);
    let set = [SET, SetId(8), SetId::NONE][random.usize(..3)];
    let mut guard = index.write(&digest);
    match random.u8(..10) {
        0..6 => _ = guard.insert(entry(number, set)).unwrap(),
        6 => _ = guard.insert(tombstone(number, set)).unwrap(),
        7 => _ = guard.update(entry(number, set)).unwrap(),
        _ => _ = guard.remove(),
    }
}

#[test]
fn in_step_with_the_primary_index() {
    let index = PrimaryIndex::new();
    let mut random = fastrand::Rng::with_seed(41);
    let mut number = 0;
    let mut steps = |random: &mut fastrand::Rng, count: u64| {
        for _ in 0..count {
            number += 1;
            random_step(&index, random, number);
        }
    };
    steps(&mut random, 3_000);
    assert_eq!(index.set_index_state(SET), SetIndexState::Absent);
    assert!(index.enable_set_index(SET) && !index.enable_set_index(SET));
    steps(&mut random, 1_000);
    assert_eq!(index.set_index_state(SET), SetIndexState::Populating);
    assert_eq!(index.scan_set_desc(SET, partition(), None, 9, &mut Vec::new()), None);
    populate(&index);
    populate(&index);
    assert_eq!(index.set_index_state(SET), SetIndexState::Ready);
    for _ in 0..10 {
        steps(&mut random, 500);
        let expected = scan_by_filter(&index);
        assert!(expected.len() > 500);
        assert_eq!(stored_handles(&index), expected.len());
        for limit in [1, 13, 128, 129, usize::MAX] {
            assert_eq!(scan_by_index(&index, limit), expected);
        }
    }
    let Swept { removed, .. } = index.sweep(partition(), |digest, _| {
        if digest.0[19].is_multiple_of(3) { Verdict::Remove } else { Verdict::Keep }
    });
    assert!(removed > 500);
    assert_eq!(scan_by_index(&index, 100), scan_by_filter(&index));

    index.disable_set_index(SET);
    assert_eq!(index.set_index_state(SET), SetIndexState::Absent);
    assert_eq!(index.set_index_used_bytes(), 0);
}

#[test]
fn populates_beside_writers() {
    let index = PrimaryIndex::new();
    let mut random = fastrand::Rng::with_seed(42);
    for number in 0..2_000 {
        random_step(&index, &mut random, number);
    }
    index.enable_set_index(SET);
    std::thread::scope(|scope| {
        for seed in 0..2 {
            let index = &index;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                for number in 0..5_000 {
                    random_step(index, &mut random, number);
                }
            });
        }
        populate(&index);
    });
    assert_eq!(scan_by_index(&index, 50), scan_by_filter(&index));
}

/// An index that is dropped and made again while scans run: they deliver everything all the same,
/// by the primary index where they find none.
#[test]
fn scans_survive_the_loss_of_their_index() {
    let index = PrimaryIndex::new();
    let mut random = fastrand::Rng::with_seed(45);
    for number in 0..3_000 {
        random_step(&index, &mut random, number);
    }
    let expected = scan_by_filter(&index);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                index.enable_set_index(SET);
                populate(&index);
                index.disable_set_index(SET);
            }
        });
        for _ in 0..200 {
            let mut items: Vec<ScanItem> = Vec::new();
            loop {
                let below = items.last().map(|item| item.digest);
                let below = below.as_ref();
                match index.scan_set_desc(SET, partition(), below, 300, &mut items) {
                    Some(ScanProgress::Done) => break,
                    Some(ScanProgress::More) => {}
                    None => {
                        let done = index.scan_desc(partition(), below, usize::MAX, &mut items);
                        assert_eq!(done, ScanProgress::Done);
                        items.retain(|item| item.entry.indexed_set() == SET);
                        break;
                    }
                }
            }
            assert_eq!(items, expected);
        }
        done.store(true, Ordering::Relaxed);
    });
    index.disable_set_index(SET);
    assert_eq!(index.set_index_used_bytes(), 0);
}

/// Who still holds a dropped index can neither fill it, which would leak, nor be misled by it.
#[test]
fn a_dropped_index_stays_empty() {
    let index = PrimaryIndex::new();
    let mut random = fastrand::Rng::with_seed(46);
    for number in 0..1_000 {
        random_step(&index, &mut random, number);
    }
    index.enable_set_index(SET);
    populate(&index);
    let held = Arc::clone(&index.sets.0.load()[0]);
    assert_eq!(held.handles_down(partition(), None).map(|handles| handles.is_empty()), Some(false));
    index.disable_set_index(SET);
    for sprig in SprigId::all(partition()) {
        held.populate(sprig, &index.sprig(sprig).read(), index.pool()).unwrap();
    }
    assert_eq!(held.blocks.bytes(), 0);
    assert_eq!(held.handles_down(partition(), None), None);
    let progress = index.scan_handles(&held, partition(), None, 10, &mut Vec::new());
    assert_eq!(progress, None);
}

#[test]
fn records_in_no_set_have_no_index() {
    let index = PrimaryIndex::new();
    assert!(!index.enable_set_index(SetId::NONE));
    assert_eq!(index.set_index_state(SetId::NONE), SetIndexState::Absent);
}

#[test]
fn several_sets_are_kept_apart() {
    let index = PrimaryIndex::new();
    for set in [SetId(9), SET, SetId(8)] {
        assert!(index.enable_set_index(set));
    }
    populate(&index);
    index.disable_set_index(SetId(8));
    let states = [SET, SetId(8), SetId(9)].map(|set| index.set_index_state(set));
    let expected = [SetIndexState::Ready, SetIndexState::Absent, SetIndexState::Populating];
    assert_eq!(states, expected);
}

#[test]
fn refused_memory_leaves_both_indexes_in_step() {
    let index = PrimaryIndex::new();
    let mut random = fastrand::Rng::with_seed(43);
    for number in 0..1_000 {
        random_step(&index, &mut random, number);
    }
    index.enable_set_index(SET);
    let mut refused = 0;
    let mut granted = 0;
    while with_allocations(granted, || index.populate_set_index(SET, partition())).is_err() {
        refused += 1;
        granted += 3;
    }
    assert!(refused > 3, "{refused} refusals");
    populate(&index);
    assert_eq!(scan_by_index(&index, 100), scan_by_filter(&index));

    for number in 0..3_000 {
        let mut guard = index.write(&crowded_digest(&mut random));
        let entry = entry(number, SET);
        let before = guard.find();
        if with_allocations(random.usize(..2), || guard.insert(entry)).is_err() {
            assert_eq!(guard.find(), before);
        }
    }
    assert_eq!(scan_by_index(&index, 100), scan_by_filter(&index));
}

#[test]
fn an_entry_costs_at_most_16_bytes() {
    let index = PrimaryIndex::new();
    let mut random = fastrand::Rng::with_seed(44);
    let count = 200_000u64;
    for number in 0..count {
        let digest = crate::testing::random_digest(&mut random);
        index.write(&digest).insert(entry(number, SET)).unwrap();
    }
    index.enable_set_index(SET);
    populate(&index);
    let bytes = index.set_index_used_bytes() as f64 / count as f64;
    assert!(bytes <= 16.0, "{bytes} bytes an entry");
}
