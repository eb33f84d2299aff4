//! Which of two items of a key counts, on one node and between nodes.
//!
//! Items of a key are in a total order, and the greater one counts: that makes [`merge`] commutative,
//! associative and idempotent. The order is that of generations, then timestamps, then values.
//!
//! Truncations and thresholds of eviction are numbers, of which the larger one wins unless it was taken
//! back. So there the number comes directly behind the generation, and a generation is an age between
//! two undos: a larger number leaves it as it is, and taking back or lowering one begins the next.

use record::LastUpdateTime;

use super::{Item, Module};

/// What decides between two items of a key, in this order: generation, number, timestamp, value.
type Rank<'i> = (u32, u64, u64, Option<&'i [u8]>);

impl Module {
    /// Whether the larger of two values wins.
    fn is_of_numbers(self) -> bool {
        matches!(self, Self::Evict | Self::Truncate)
    }

    fn rank(self, item: &Item) -> Rank<'_> {
        let value = item.value.as_deref();
        let number = match self.is_of_numbers() {
            true => value.and_then(number).unwrap_or(0),
            false => 0,
        };
        (item.generation, number, item.timestamp.0, value)
    }
}

/// How a value is to be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// By the rule of the module: a number that is not larger than the present one changes nothing.
    ByRule,
    /// Whatever there is, a larger number too.
    Anyway,
}

/// What becomes of a key that is set; `None` if that changes nothing.
pub fn change(
    module: Module,
    old: Option<&Item>,
    (key, value): (&[u8], Option<&[u8]>),
    how: How,
    now: LastUpdateTime,
) -> Option<Item> {
    let old_value = old.and_then(|old| old.value.as_deref());
    if old_value == value {
        return None;
    }
    let mut grows = false;
    if module.is_of_numbers()
        && let (Some(old), Some(new)) = (old_value, value)
    {
        grows = number(new) > number(old);
        if !grows && how == How::ByRule {
            return None;
        }
    }
    let generation = old.map_or(0, |old| old.generation);
    let generation = if grows { generation } else { generation.saturating_add(1) };
    // A clock that was set back does not make a change older than what it changes.
    let timestamp = old.map_or(now, |old| old.timestamp.max(now));
    Some(Item { key: key.into(), value: value.map(Into::into), generation, timestamp })
}

/// The items of two nodes together, in the order of `ours` and then of `theirs`.
pub fn merge(module: Module, ours: &[Item], theirs: &[Item]) -> Vec<Item> {
    let mut merged = ours.to_vec();
    let keys = ours.iter().enumerate().map(|(place, item)| (item.key.clone(), place));
    let mut places: std::collections::HashMap<_, _> = keys.collect();
    for item in theirs {
        let place = *places.entry(item.key.clone()).or_insert(merged.len());
        match merged.get_mut(place) {
            None => merged.push(item.clone()),
            Some(known) if module.rank(item) > module.rank(known) => *known = item.clone(),
            Some(_) => {}
        }
    }
    merged
}

/// A value that is a number.
pub fn number(value: &[u8]) -> Option<u64> {
    let is_decimal = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| is_decimal)?.parse().ok()
}
