//! Finding a key among sorted ones.
//!
//! Digests are evenly spread, so the position of a key follows from its value: the guess is off by
//! about half the square root of the length. A window around the guess is searched; keys that fall
//! outside, as those of a hostile client may, cost a plain binary search more.

use crate::block::Block;

/// A key in two parts: what is compared first, dense in memory, and what decides between equals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key<R> {
    pub(crate) prefix: u32,
    pub(crate) rest: R,
}

/// An entry of a block, which stores the second part of its key itself.
pub(crate) trait Keyed {
    /// The second part of the key.
    type Rest: Ord + Copy;

    fn rest(&self) -> Self::Rest;
}

/// The key of entry `at`, if there is one.
pub(crate) fn key_at<T: Keyed>(block: &Block<T>, at: usize) -> Option<Key<T::Rest>> {
    let (&prefix, entry) = (block.prefixes().get(at)?, block.entries().get(at)?);
    Some(Key { prefix, rest: entry.rest() })
}

/// Prefixes between which the keys of a block are spread, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub(crate) low: u32,
    pub(crate) high: u32,
}

impl Span {
    /// All prefixes.
    pub(crate) const WHOLE: Self = Self { low: 0, high: u32::MAX };

    /// Where `prefix` stands among `len` evenly spread ones.
    fn guess(self, prefix: u32, len: usize) -> usize {
        let width = u64::from(self.high.saturating_sub(self.low)) + 1;
        let offset = u64::from(prefix.saturating_sub(self.low));
        ((offset * len as u64 / width) as usize).min(len)
    }
}

/// Prefixes searched on either side of the guess: at 150 entries 95 of 100 keys are among them.
const WINDOW: usize = 12;

/// The position of `key`, or the one where it belongs. Among equal keys any may be found.
pub(crate) fn search<T: Keyed>(
    block: &Block<T>,
    span: Span,
    key: &Key<T::Rest>,
) -> Result<usize, usize> {
    let prefixes = block.prefixes();
    let guess = span.guess(key.prefix, prefixes.len());
    block.prefetch(guess);
    let first = lower_bound(prefixes, guess, key.prefix);
    if prefixes.get(first) != Some(&key.prefix) {
        return Err(first);
    }
    let candidates = &block.entries()[first..];
    match candidates.first().map(|entry| entry.rest().cmp(&key.rest)) {
        Some(std::cmp::Ordering::Equal) => return Ok(first),
        Some(std::cmp::Ordering::Less) => {}
        _ => return Err(first),
    }
    // Several entries share the prefix: by chance once in millions, on purpose as often as a client
    // likes, and under small numbers all of a secondary index.
    let ties = match prefixes.last() {
        Some(&last) if last == key.prefix => candidates.len(),
        _ => prefixes[first..].partition_point(|&prefix| prefix == key.prefix),
    };
    match candidates[..ties].binary_search_by(|entry| entry.rest().cmp(&key.rest)) {
        Ok(at) => Ok(first + at),
        Err(at) => Err(first + at),
    }
}

/// Begins to load the prefixes that a search will most likely look at.
pub(crate) fn prefetch_prefixes<T>(block: &Block<T>, span: Span, prefix: u32) {
    let guess = span.guess(prefix, block.len());
    let last = block.len().saturating_sub(1);
    block.prefetch_prefixes(guess.saturating_sub(WINDOW), (guess + WINDOW).min(last));
}

/// The first position with this prefix, if there is one: nearly always that of the key searched.
pub(crate) fn probable<T>(block: &Block<T>, span: Span, prefix: u32) -> Option<usize> {
    let prefixes = block.prefixes();
    let first = lower_bound(prefixes, span.guess(prefix, prefixes.len()), prefix);
    (prefixes.get(first) == Some(&prefix)).then_some(first)
}

/// The first position whose prefix is not below `prefix`.
fn lower_bound(prefixes: &[u32], guess: usize, prefix: u32) -> usize {
    let low = guess.saturating_sub(WINDOW);
    let high = (guess + WINDOW).min(prefixes.len());
    let begin_is_above = low > 0 && prefixes[low - 1] >= prefix;
    let end_is_below = high < prefixes.len() && prefixes[high] < prefix;
    let (low, high) = match (begin_is_above, end_is_below) {
        (false, false) => (low, high),
        (true, _) if prefixes[0] >= prefix => return 0,
        (true, _) => (0, low),
        (_, true) => (high, prefixes.len()),
    };
    low + prefixes[low..high].partition_point(|&candidate| candidate < prefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::Heap;
    use crate::testing::TestHeap;

    impl Keyed for [u8; 2] {
        type Rest = [u8; 2];

        fn rest(&self) -> [u8; 2] {
            *self
        }
    }

    fn block_of(keys: &[Key<[u8; 2]>], heap: Heap<'_>) -> Block<[u8; 2]> {
        let mut block = Block::with_capacity(keys.len(), heap).unwrap();
        for (at, key) in keys.iter().enumerate() {
            block.insert(at, key.prefix, key.rest);
        }
        block
    }

    /// Every key of the block, its neighbours, and the extremes are found where a plain binary
    /// search finds them.
    fn agrees_with_binary_search(mut keys: Vec<Key<[u8; 2]>>, span: Span) {
        keys.sort_unstable();
        keys.dedup();
        let owned = TestHeap::default();
        let block = block_of(&keys, owned.heap());
        let near = keys.iter().flat_map(|key| {
            let (up, down) = (key.prefix.saturating_add(1), key.prefix.saturating_sub(1));
            [*key, Key { prefix: up, ..*key }, Key { prefix: down, ..*key }]
        });
        let ends = [Key { prefix: 0, rest: [0; 2] }, Key { prefix: u32::MAX, rest: [255; 2] }];
        for key in near.chain(ends) {
            assert_eq!(search(&block, span, &key), keys.binary_search(&key), "{key:?}");
        }
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(key_at(&block, at), Some(*key));
        }
        assert_eq!(key_at(&block, keys.len()), None);
        block.free(owned.heap());
    }

    #[test]
    fn even_keys() {
        let mut random = fastrand::Rng::with_seed(2);
        for len in [0, 1, 2, 15, 150, 367, 2000] {
            let keys = (0..len).map(|_| Key { prefix: random.u32(..), rest: [7; 2] }).collect();
            agrees_with_binary_search(keys, Span::WHOLE);
        }
    }

    #[test]
    fn keys_within_a_span() {
        let mut random = fastrand::Rng::with_seed(3);
        let span = Span { low: 1_000_000, high: 1_010_000 };
        let keys = (0..300)
            .map(|_| Key { prefix: random.u32(span.low..=span.high), rest: [random.u8(..); 2] })
            .collect();
        agrees_with_binary_search(keys, span);
    }

    #[test]
    fn clustered_and_equal_keys() {
        let cluster = (0..300).map(|n| Key { prefix: u32::MAX - 300 + n, rest: [0; 2] });
        agrees_with_binary_search(cluster.collect(), Span::WHOLE);
        let ends = (0..400u16)
            .map(|n| Key { prefix: if n < 200 { 0 } else { u32::MAX }, rest: n.to_be_bytes() });
        agrees_with_binary_search(ends.collect(), Span::WHOLE);
        let equal = (0..367u16).map(|n| Key { prefix: 5, rest: (2 * n).to_be_bytes() });
        agrees_with_binary_search(equal.collect(), Span { low: 5, high: 5 });
    }

    #[test]
    fn guess_stays_within_the_block() {
        assert_eq!(Span::WHOLE.guess(u32::MAX, 100), 99);
        assert_eq!(Span { low: 10, high: 5 }.guess(u32::MAX, 100), 100);
        assert_eq!(Span { low: 10, high: 20 }.guess(0, 100), 0);
    }
}
