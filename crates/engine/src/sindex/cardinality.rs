//! How many entries of an index have the same value, or are of the same record: estimated from sketches
//! of how many values and records there are.

use std::sync::atomic::Ordering;

use wire::PartitionId;

use super::Sindex;
use crate::namespace::Namespace;

/// Bits of a hash that choose a register.
const REGISTER_BITS: u32 = 12;
const REGISTERS: usize = 1 << REGISTER_BITS;

/// A HyperLogLog sketch, which is off by about a sixtieth.
struct Sketch(Box<[u8; REGISTERS]>);

impl Sketch {
    fn new() -> Self {
        Self(Box::new([0; REGISTERS]))
    }

    fn add(&mut self, item: u64) {
        let hash = mix(item);
        let register = &mut self.0[(hash >> (u64::BITS - REGISTER_BITS)) as usize];
        let rank = ((hash << REGISTER_BITS).leading_zeros() + 1).min(u64::BITS - REGISTER_BITS + 1);
        *register = (*register).max(rank as u8);
    }

    fn estimate(&self) -> f64 {
        let count = REGISTERS as f64;
        let sum: f64 = self.0.iter().map(|rank| (-f64::from(*rank)).exp2()).sum();
        let raw = 0.7213 / (1.0 + 1.079 / count) * count * count / sum;
        let empty = self.0.iter().filter(|rank| **rank == 0).count();
        // While many registers are empty, their number tells more.
        if raw <= 2.5 * count && empty > 0 { count * (count / empty as f64).ln() } else { raw }
    }
}

/// Spreads the bits of a number (the finalizer of splitmix64).
fn mix(item: u64) -> u64 {
    let item = item.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let item = (item ^ item >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let item = (item ^ item >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    item ^ item >> 31
}

impl Sindex {
    /// Estimates its statistics anew: a pass over all entries.
    pub(super) fn estimate_cardinality(&self) {
        let (mut values, mut records) = (Sketch::new(), Sketch::new());
        let mut entries: u64 = 0;
        for partition in PartitionId::all() {
            let of_partition = mix(partition.index() as u64);
            self.index.visit(partition, |bval, record| {
                entries += 1;
                values.add(bval.cast_unsigned());
                records.add(record ^ of_partition);
            });
        }
        let share = |sketch: &Sketch| match sketch.estimate().round() as u64 {
            0 => 0,
            count => (entries + count / 2) / count,
        };
        self.entries_per_bval.store(share(&values), Ordering::Relaxed);
        self.entries_per_record.store(share(&records), Ordering::Relaxed);
    }
}

impl Namespace {
    /// Estimates anew what is estimated of indexes.
    pub(crate) fn estimate_cardinalities(&self) {
        let all = self.sindexes.all();
        all.iter().filter(|sindex| sindex.is_readable()).for_each(|s| s.estimate_cardinality());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sketches_are_close() {
        for count in [0_u64, 1, 100, 5_000, 200_000] {
            let mut sketch = Sketch::new();
            (0..count).for_each(|item| sketch.add(item));
            (0..count).for_each(|item| sketch.add(item));
            let error = (sketch.estimate() - count as f64).abs();
            assert!(error <= count as f64 * 0.05 + 0.5, "{count}: {}", sketch.estimate());
        }
    }
}
