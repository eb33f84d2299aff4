//! Secondary indexes against a `BTreeSet` of what they hold.

use std::collections::{BTreeSet, HashMap};

use fastrand::Rng;
use record::SetId;

use super::*;
use crate::entry::Entry;
use crate::primary::PrimaryIndex;
use crate::scan::ScanProgress;
use crate::testing::{digest_in, entry, tombstone, with_allocations};

/// A primary index, a secondary one, and what is in both.
struct World {
    primary: PrimaryIndex,
    index: SecondaryIndex,
    partition: PartitionId,
    /// By the rank of the number.
    model: BTreeSet<(u64, Digest)>,
    held: HashMap<Digest, Vec<i64>>,
    digests: Vec<Digest>,
    random: Rng,
}

impl World {
    fn new(order: BvalOrder, seed: u64, digests: usize) -> Self {
        let mut random = Rng::with_seed(seed);
        let partition = PartitionId::new(random.u16(..4096)).unwrap();
        let digests = (0..digests).map(|_| digest_in(partition, &mut random)).collect();
        let index = SecondaryIndex::new(order, Arc::default());
        let primary = PrimaryIndex::new();
        let (model, held) = Default::default();
        Self { primary, index, partition, model, held, digests, random }
    }

    fn populate(&self) {
        while self.step(|_, _, _| true) == Populated::More {}
    }

    fn step(&self, bvals_of: impl FnMut(&Digest, &Entry, &mut Vec<i64>) -> bool) -> Populated {
        self.primary.populate_secondary(&self.index, self.partition, bvals_of).unwrap()
    }

    fn random_digest(&mut self) -> Digest {
        self.digests[self.random.usize(..self.digests.len())]
    }

    /// Makes the record one with these numbers.
    fn write(&mut self, digest: &Digest, bvals: &[i64]) {
        let order = self.index.order;
        let mut guard = self.primary.write(digest);
        let gone = self.held.insert(*digest, bvals.to_vec()).unwrap_or_default();
        guard.insert(entry(1, SetId(0))).unwrap();
        self.index.add(digest, bvals).unwrap();
        self.index.remove(digest, &gone);
        for bval in gone {
            assert!(self.model.remove(&(order.rank(bval), *digest)));
        }
        self.model.extend(bvals.iter().map(|bval| (order.rank(*bval), *digest)));
    }

    fn expected(
        &self,
        (low, high): (i64, i64),
        after: Option<&(i64, Digest)>,
        limit: usize,
    ) -> Vec<(i64, Digest)> {
        let rank = |bval| self.index.order.rank(bval);
        let all = self.model.iter().filter(|(of, _)| (rank(low)..=rank(high)).contains(of));
        all.filter(|item| after.is_none_or(|(bval, digest)| **item > (rank(*bval), *digest)))
            .map(|(of, digest)| (self.index.order.bval(*of), *digest))
            .take(limit)
            .collect()
    }

    fn check(&mut self, number: impl Fn(&mut Rng) -> i64) {
        let mut range = (number(&mut self.random), number(&mut self.random));
        if self.index.order.compare(range.0, range.1).is_gt() {
            range = (range.1, range.0);
        }
        let after = self.random.bool().then(|| (number(&mut self.random), self.random_digest()));
        let limit = self.random.usize(..40);
        let mut out = Vec::new();
        let after = after.as_ref();
        let (index, partition) = (&self.index, self.partition);
        let mut scanned = SecondaryRange::new(range.0, range.1);
        index.prefetch_partition(partition);
        index.prefetch_fences(partition, std::slice::from_ref(&scanned));
        index.prefetch_ranges(partition, std::slice::from_ref(&scanned));
        let mut scan = |out: &mut Vec<SecondaryItem>| {
            self.primary.scan_secondary(index, partition, &mut scanned, after, limit, out)
        };
        let progress = scan(&mut out);
        let mut again = Vec::new();
        assert_eq!(scan(&mut again), progress, "where the last began");
        assert_eq!(again, out);
        let found: Vec<_> = out.iter().map(|item| (item.bval, item.digest)).collect();
        assert_eq!(found, self.expected(range, after, limit), "{range:?} {after:?} {limit}");
        let is_all = self.expected(range, after, usize::MAX).len() <= limit;
        assert_eq!(progress == ScanProgress::Done, is_all);
    }
}

fn all_of(world: &World) -> Vec<(i64, Digest)> {
    let mut range = match world.index.order {
        BvalOrder::Signed => SecondaryRange::new(i64::MIN, i64::MAX),
        BvalOrder::Unsigned => SecondaryRange::new(0, -1),
    };
    let mut all: Vec<SecondaryItem> = Vec::new();
    loop {
        let after = all.last().map(|item| (item.bval, item.digest));
        let (index, partition) = (&world.index, world.partition);
        let after = after.as_ref();
        match world.primary.scan_secondary(index, partition, &mut range, after, 7, &mut all) {
            ScanProgress::More => {}
            ScanProgress::Done => break,
        }
    }
    all.iter().map(|item| (item.bval, item.digest)).collect()
}

/// Numbers of several kinds: all over, small (so that all prefixes are equal), few, at the ends.
fn number(kind: u64, random: &mut Rng) -> i64 {
    match kind % 4 {
        0 => random.i64(..),
        1 => random.i64(-500..500),
        2 => random.i64(0..3),
        _ => [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX][random.usize(..6)],
    }
}

#[test]
fn mirrors_a_set() {
    for seed in 0..8 {
        let order = if seed % 2 == 0 { BvalOrder::Signed } else { BvalOrder::Unsigned };
        let mut world = World::new(order, seed, 1500);
        world.populate();
        for step in 0..6_000 {
            let digest = world.random_digest();
            let count = world.random.usize(..4);
            let random = &mut world.random;
            let bvals: BTreeSet<_> = (0..count).map(|_| number(seed / 2, random)).collect();
            world.write(&digest, &Vec::from_iter(bvals));
            if step % 50 == 0 {
                world.check(|random| number(seed / 2, random));
                assert_eq!(world.index.entry_count(), world.model.len() as u64);
            }
        }
        let expected = world.model.iter().map(|(rank, digest)| (order.bval(*rank), *digest));
        assert_eq!(all_of(&world), Vec::from_iter(expected));
        let mut visited = 0;
        world.index.visit(world.partition, |_, _| visited += 1);
        assert_eq!(visited, world.model.len());
        for digest in world.digests.clone() {
            world.write(&digest, &[]);
        }
        assert_eq!((world.index.entry_count(), world.index.blocks.bytes()), (0, 0));
    }
}

#[test]
fn records_that_share_a_stub_are_all_found() {
    let mut world = World::new(BvalOrder::Signed, 20, 1);
    world.populate();
    let base = world.digests[0];
    world.digests = (0..=200)
        .map(|number| {
            let mut digest = base;
            digest.0[19] = number;
            digest
        })
        .collect();
    for (at, digest) in world.digests.clone().iter().enumerate() {
        world.write(digest, &[at as i64 % 2]);
    }
    let mut out = Vec::new();
    let (index, partition, mut range) = (&world.index, world.partition, SecondaryRange::new(0, 0));
    let _ = world.primary.scan_secondary(index, partition, &mut range, None, 1000, &mut out);
    assert_eq!(out.len(), 201, "there is no telling which has the number");
    assert!(out.iter().all(|item| !item.is_certain));
    assert!(out.is_sorted_by(|a, b| a.digest < b.digest));
    let after = Some(&(0, world.digests[199]));
    let _ = world.primary.scan_secondary(index, partition, &mut range, after, 1000, &mut out);
    assert_eq!(out.len(), 202);
    assert!(world.primary.write(&world.digests[0]).shares_stub());
    for digest in world.digests.clone() {
        world.primary.write(&digest).remove();
        world.write(&digest, &[]);
        world.primary.write(&digest).remove();
    }
    assert_eq!(world.index.entry_count(), 0);
}

#[test]
fn entries_that_are_all_the_same_are_passed_over() {
    let mut world = World::new(BvalOrder::Signed, 26, 1);
    world.populate();
    let base = world.digests[0];
    world.digests = (0..5_000_u16)
        .map(|number| {
            let mut digest = base;
            digest.0[18..].copy_from_slice(&number.to_be_bytes());
            digest
        })
        .collect();
    for digest in world.digests.clone() {
        world.write(&digest, &[7]);
    }
    assert_eq!(all_of(&world), world.digests.iter().map(|of| (7, *of)).collect::<Vec<_>>());
    for digest in world.digests.clone() {
        world.write(&digest, &[]);
    }
    assert_eq!(world.index.entry_count(), 0);
}

#[test]
fn purging_leaves_nothing_of_a_record() {
    let mut world = World::new(BvalOrder::Signed, 21, 50);
    world.populate();
    for digest in world.digests.clone() {
        let bvals = Vec::from_iter(0..world.random.i64(1..5));
        world.write(&digest, &bvals);
    }
    let digest = world.digests[7];
    let guard = world.primary.write(&digest);
    assert!(!guard.shares_stub());
    world.index.purge(&digest);
    drop(guard);
    world.model.retain(|(_, of)| *of != digest);
    world.held.remove(&digest);
    let expected =
        world.model.iter().map(|(rank, digest)| (BvalOrder::Signed.bval(*rank), *digest));
    assert_eq!(all_of(&world), Vec::from_iter(expected));
}

/// The number of a record that is populated rather than written.
fn bval_of(digest: &Digest) -> i64 {
    i64::from(digest.0[19] % 8)
}

#[test]
fn population_and_writes_mix() {
    let mut world = World::new(BvalOrder::Signed, 22, 3000);
    for digest in world.digests.clone() {
        let is_dead = digest.0[18] == 0;
        let made = if is_dead { tombstone(1, SetId(0)) } else { entry(1, SetId(0)) };
        world.primary.write(&digest).insert(made).unwrap();
        if !is_dead {
            world.model.insert((BvalOrder::Signed.rank(bval_of(&digest)), digest));
            world.held.insert(digest, vec![bval_of(&digest)]);
        }
    }
    let mut moved = std::collections::BTreeMap::new();
    let mut denied = 0;
    loop {
        let mut random = world.random.fork();
        let progress = world.step(|digest, entry, bvals| {
            if entry.is_live() {
                bvals.push(moved.get(digest).copied().unwrap_or(bval_of(digest)));
            }
            let denies = random.u8(..) < 3;
            denied += usize::from(denies);
            !denies
        });
        if progress == Populated::Done {
            break;
        }
        for _ in 0..20 {
            let digest = world.random_digest();
            let bval = world.random.i64(100..200);
            world.write(&digest, &[bval]);
            moved.insert(digest, bval);
        }
    }
    assert!(denied > 10 && world.index.populated_partitions() == 1);
    let expected =
        world.model.iter().map(|(rank, digest)| (BvalOrder::Signed.bval(*rank), *digest));
    assert_eq!(all_of(&world), Vec::from_iter(expected));
    assert_eq!(world.index.entry_count(), world.model.len() as u64);
}

#[test]
fn want_of_memory_leaves_everything_as_it_was() {
    let mut world = World::new(BvalOrder::Signed, 23, 300);
    world.populate();
    for round in 0..40 {
        for digest in world.digests.clone() {
            let bvals = [round, round + 1000];
            let refused =
                with_allocations(round as usize % 3, || world.index.add(&digest, &bvals)).is_err();
            if !refused {
                world.index.remove(&digest, &bvals);
            }
            assert_eq!(world.index.entry_count(), world.model.len() as u64);
        }
        for _ in 0..20 {
            let digest = world.random_digest();
            let bval = world.random.i64(..);
            world.write(&digest, &[bval]);
        }
    }
    let expected =
        world.model.iter().map(|(rank, digest)| (BvalOrder::Signed.bval(*rank), *digest));
    assert_eq!(all_of(&world), Vec::from_iter(expected));
}

#[test]
fn a_closed_index_takes_and_shows_nothing() {
    let mut world = World::new(BvalOrder::Signed, 24, 30);
    world.populate();
    for digest in world.digests.clone() {
        world.write(&digest, &[5]);
    }
    world.index.close();
    assert!(world.index.is_closed());
    assert_eq!(all_of(&world), []);
    assert_eq!((world.index.entry_count(), world.index.blocks.bytes()), (0, 0));
    world.index.add(&world.digests[0], &[1]).unwrap();
    world.index.remove(&world.digests[0], &[5]);
    assert_eq!(world.step(|_, _, _| true), Populated::Done);
    assert_eq!(world.index.entry_count(), 0);
}

#[test]
fn compaction_moves_entries_and_loses_none() {
    let mut world = World::new(BvalOrder::Signed, 25, 3000);
    let pool = Arc::clone(&world.index.pool);
    world.populate();
    for digest in world.digests.clone() {
        let bval = world.random.i64(..);
        world.write(&digest, &[bval]);
    }
    for digest in world.digests.clone().iter().skip(300) {
        world.write(digest, &[]);
    }
    pool.compact(std::iter::once(&world.index));
    let expected =
        world.model.iter().map(|(rank, digest)| (BvalOrder::Signed.bval(*rank), *digest));
    assert_eq!(all_of(&world), Vec::from_iter(expected));
    drop(world);
    assert_eq!(pool.held_bytes(), 0);
}
