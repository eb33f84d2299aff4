//! The tree against a `BTreeMap`, under even, clustered and equal keys.

use std::collections::BTreeMap;

use super::*;
use crate::testing::TestHeap;

/// An entry with a key of 2 + 4 bytes and a payload; wide, so that leaves split early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Wide {
    rest: [u8; 2],
    payload: [u8; 250],
}

impl Keyed for Wide {
    type Rest = [u8; 2];

    fn rest(&self) -> [u8; 2] {
        self.rest
    }
}

type WideKey = Key<[u8; 2]>;

fn wide(key: &WideKey, payload: u8) -> Wide {
    Wide { rest: key.rest, payload: [payload; 250] }
}

impl<T: Keyed + Copy> Tree<T> {
    /// Checks the invariants of the module and that `usage` is the sum over the blocks.
    fn check(&self, heap: Heap<'_>) {
        let mut bytes = 0;
        let mut previous: Option<Key<T::Rest>> = None;
        for index in 0..self.leaf_count() {
            let leaf = self.leaf(index).unwrap();
            assert!(!leaf.is_empty() && leaf.len() <= Self::LEAF_LEN_MAX);
            bytes += leaf.size_bytes();
            for at in 0..leaf.len() {
                let key = key_at(leaf, at).unwrap();
                assert!(previous.is_none_or(|previous| previous <= key), "keys ascend");
                previous = Some(key);
            }
        }
        if let Self::Directory(fences) = self {
            assert!(fences.len() >= 2);
            bytes += fences.size_bytes();
            for index in 0..fences.len() {
                assert!(key_at(fences, index) == key_at(&fences.entries()[index].leaf, 0));
            }
        }
        assert_eq!(heap.usage.bytes(), bytes as u64);
    }
}

struct Pair {
    tree: Tree<Wide>,
    model: BTreeMap<WideKey, u8>,
    heap: TestHeap,
}

impl Pair {
    fn new() -> Self {
        Self { tree: Tree::Empty, model: BTreeMap::new(), heap: TestHeap::default() }
    }

    fn insert(&mut self, key: WideKey, payload: u8) {
        let stored = match self.tree.locate(&key) {
            Ok(position) => {
                *self.tree.get_mut(position).unwrap() = wide(&key, payload);
                position
            }
            Err(position) => self
                .tree
                .insert(position, key.prefix, wide(&key, payload), self.heap.heap())
                .unwrap(),
        };
        assert_eq!(self.tree.get(stored), Some(&wide(&key, payload)));
        self.model.insert(key, payload);
    }

    fn remove(&mut self, key: &WideKey) {
        let removed = self.tree.locate(key).ok().map(|position| {
            self.tree.remove(position, self.heap.heap()).expect("a located entry can be removed")
        });
        assert_eq!(removed, self.model.remove(key).map(|payload| wide(key, payload)));
    }

    fn sweep(&mut self, keep: impl Fn(&WideKey) -> bool) {
        let mut seen = Vec::new();
        let mut next = Some(Key { prefix: 0, rest: [0; 2] });
        while let Some(from) = next {
            next = self.tree.retain_in_leaf(&from, self.heap.heap(), |key, _| {
                seen.push(key);
                keep(&key)
            });
        }
        assert!(seen.iter().eq(self.model.keys()), "each entry is visited once, in order");
        self.model.retain(|key, _| keep(key));
    }

    fn compare(&self, from: &WideKey) {
        self.tree.check(self.heap.heap());
        let mut down = Vec::new();
        let flow = self.tree.visit_down(None, |key, entry| {
            down.push((key, entry.payload[0]));
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
        assert!(
            down.iter().copied().eq(self.model.iter().rev().map(|(key, value)| (*key, *value)))
        );

        let mut below = Vec::new();
        let _ = self.tree.visit_down(Some(from), |key, _| {
            below.push(key);
            if below.len() < 70 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert!(below.iter().eq(self.model.range(..=*from).rev().map(|(key, _)| key).take(70)));

        let mut above = Vec::new();
        let mut next = Some(*from);
        while let Some(from) = next {
            next = self.tree.visit_leaf(&from, |key, _| above.push(key));
        }
        assert!(above.iter().eq(self.model.range(*from..).map(|(key, _)| key)));

        for before in [0, 1, 5, 9, 10] {
            self.compare_near(from, Likely { before, all: 10, ..Likely::default() });
        }
    }

    /// Wherever a search begins, it ends where the key belongs, and how many are before is learned.
    fn compare_near(&self, from: &WideKey, likely: Likely) {
        self.tree.prefetch_fences();
        self.tree.prefetch_near(likely);
        let position = self.tree.lower_bound_near(from, likely);
        let mut above = Vec::new();
        let _ = self.tree.visit_from(position, |key, _| {
            above.push(key);
            ControlFlow::<()>::Continue(())
        });
        assert!(above.iter().eq(self.model.range(*from..).map(|(key, _)| key)));
        let below = self.model.len() - above.len();
        let mut learned = Likely::default();
        learned.learn(&self.tree, position);
        assert_eq!((learned.before, learned.all), (below as u64, self.model.len() as u64));
        assert_eq!(learned.has_fences(), self.tree.leaf_count() > 1);
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.tree.clear(self.heap.heap());
        assert_eq!(self.heap.heap().usage.bytes(), 0);
        assert_eq!(self.heap.heap().pool.held_bytes(), 0);
    }
}

/// Grows to hundreds of entries, shrinks to none, over and over.
fn random_walk(seed: u64, steps: usize, key: impl Fn(&mut fastrand::Rng) -> WideKey) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut pair = Pair::new();
    for step in 0..steps {
        let growing = step / 1000 % 2 == 0;
        if random.u8(..10) < if growing { 8 } else { 2 } {
            let payload = random.u8(..);
            pair.insert(key(&mut random), payload);
        } else {
            let sought = key(&mut random);
            let present = pair.model.range(sought..).next().map(|(key, _)| *key);
            pair.remove(&present.unwrap_or(sought));
        }
        if step % 50 == 0 {
            pair.compare(&key(&mut random));
        }
        if step % 300 == 299
            && let Some(plan) = pair.heap.heap().pool.plan()
        {
            pair.tree.relocate(&plan, pair.heap.heap());
            pair.compare(&key(&mut random));
        }
        if step % 700 == 699 {
            let bit = 1 << random.u8(..8);
            pair.sweep(|key| key.rest[1] & bit == 0);
            pair.compare(&key(&mut random));
        }
    }
    pair.sweep(|_| false);
    assert!(matches!(pair.tree, Tree::Empty));
    assert_eq!(pair.heap.heap().usage.bytes(), 0);
}

#[test]
fn even_keys() {
    random_walk(11, 6_000, |random| Key {
        prefix: random.u32(..),
        rest: random.u16(..).to_be_bytes(),
    });
}

#[test]
fn one_prefix() {
    random_walk(12, 6_000, |random| Key { prefix: 9, rest: random.u16(..2000).to_be_bytes() });
}

#[test]
fn extremes_only() {
    random_walk(13, 6_000, |random| Key {
        prefix: if random.bool() { 0 } else { u32::MAX },
        rest: random.u16(..1000).to_be_bytes(),
    });
}

#[test]
fn ascending_and_descending_keys() {
    for descending in [false, true] {
        let mut pair = Pair::new();
        for number in 0..2_000u32 {
            let prefix = if descending { 5_000 - number } else { number };
            pair.insert(Key { prefix, rest: [0; 2] }, number as u8);
        }
        pair.compare(&Key { prefix: 700, rest: [0; 2] });
        for number in 0..2_000u32 {
            let prefix = if descending { 5_000 - number } else { number };
            pair.remove(&Key { prefix, rest: [0; 2] });
            pair.tree.check(pair.heap.heap());
        }
        assert!(matches!(pair.tree, Tree::Empty));
    }
}

#[test]
fn equal_keys_are_kept_apart() {
    let owned = TestHeap::default();
    let heap = owned.heap();
    let mut tree = Tree::Empty;
    let mut random = fastrand::Rng::with_seed(14);
    let mut counts = [0u32; 4];
    for step in 0..6_000 {
        let chosen = random.usize(..4);
        let key = Key { prefix: 3, rest: [0, chosen as u8] };
        if random.u8(..10) < if step < 3_000 { 7 } else { 3 } {
            let (Ok(position) | Err(position)) = tree.locate(&key);
            tree.insert(position, key.prefix, wide(&key, 0), heap).unwrap();
            counts[chosen] += 1;
        } else {
            let found = tree.locate(&key);
            assert_eq!(found.is_ok(), counts[chosen] > 0);
            if let Ok(position) = found {
                assert_eq!(tree.remove(position, heap).map(|entry| entry.rest), Some(key.rest));
                counts[chosen] -= 1;
            }
        }
        if step % 100 == 0 {
            tree.check(heap);
        }
    }
    let mut seen = [0u32; 4];
    let _ = tree.visit_down(None, |key, _| {
        seen[usize::from(key.rest[1])] += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(seen, counts);
    tree.clear(heap);
    assert_eq!(heap.usage.bytes(), 0);
}

#[test]
fn bulk_removal_gives_memory_back() {
    let mut pair = Pair::new();
    let mut random = fastrand::Rng::with_seed(15);
    for _ in 0..3_000 {
        pair.insert(Key { prefix: random.u32(..), rest: [0; 2] }, 0);
    }
    let full = pair.heap.heap().usage.bytes();
    pair.sweep(|key| key.prefix % 10 == 0);
    let sparse = pair.heap.heap().usage.bytes();
    assert!(sparse < full / 5, "{full} bytes before, {sparse} after nine of ten went");
}

#[test]
fn layouts_are_as_documented() {
    assert_eq!(size_of::<Tree<crate::entry::PackedEntry>>(), 16);
    assert_eq!(Tree::<crate::entry::PackedEntry>::LEAF_LEN_MAX, 367);
}
