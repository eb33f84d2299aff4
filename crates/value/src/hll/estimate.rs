//! What sketches tell: how many elements there are in one, in several together, in all of them
//! (`reference`: bits-hll.md, B8 and B9).
//!
//! The number of elements is estimated after Ertl, "New cardinality estimation algorithms for
//! HyperLogLog sketches" (2017), algorithm 6; similarity by minhash after Yu and Weber,
//! "HyperMinHash: MinHash in LogLog space" (2017). Floating-point operations stand in the order in
//! which the original has them, so that its numbers come out to the last bit.

use super::sketch::{RANK_BITS, Shape, Sketch, SketchBuf};

/// Ranks that a register can hold.
const RANKS: usize = 1 << RANK_BITS;

/// The similarity of nothing to nothing, by minhash.
const NOT_A_NUMBER: f64 = f64::from_bits(0x7ff8_0000_0000_0000);
/// The same without minhash: what a division of zeros yields on the original's machines.
const NEGATIVE_NOT_A_NUMBER: f64 = f64::from_bits(0xfff8_0000_0000_0000);

impl Sketch<'_> {
    /// About how many different elements were added: the cached count, or an estimate.
    pub(super) fn count(self) -> u64 {
        self.cached_count().unwrap_or_else(|| self.estimated_count())
    }

    fn estimated_count(self) -> u64 {
        let registers = self.shape.register_count();
        let mut registers_of_rank = [0_u32; RANKS];
        for index in 0..registers {
            registers_of_rank[usize::from(self.rank(index)) % RANKS] += 1;
        }
        let registers = registers as f64;
        // The term for registers beyond the greatest rank is 0: 6 bits do not hold such a rank.
        let [empty, used @ ..] = registers_of_rank;
        let mut z = used.iter().rev().fold(0.0, |z, &count| 0.5 * (z + f64::from(count)));
        z += registers * sigma(f64::from(empty) / registers);
        rounded(alpha(self.shape) * registers * registers / z)
    }

    /// Whether anything was added. Like the original, looks at as many bytes as there are registers,
    /// which are not all of them where there are minhash bits.
    fn has_data(self) -> bool {
        self.registers().iter().take(self.shape.register_count()).any(|&byte| byte != 0)
    }

    fn used_registers(self) -> u32 {
        (0..self.shape.register_count()).map(|index| u32::from(self.register(index) != 0)).sum()
    }
}

/// All elements of at least one sketch.
pub(super) fn union<'a>(sketches: impl Iterator<Item = Sketch<'a>> + Clone) -> SketchBuf {
    let mut union = SketchBuf::new(common_shape(sketches.clone()));
    sketches.for_each(|sketch| union.merge(sketch));
    union
}

/// About how many different elements are in at least one of the sketches.
pub(super) fn union_count<'a>(sketches: impl Iterator<Item = Sketch<'a>> + Clone) -> u64 {
    union(sketches).as_sketch().count()
}

/// About how many elements are in all of the sketches: two or three, or more with common minhash
/// bits.
pub(super) fn intersect_count<'a>(sketches: impl Iterator<Item = Sketch<'a>> + Clone) -> u64 {
    if common_shape(sketches.clone()).minhash_bits() == 0 {
        return excluded_count(sketches);
    }
    let similarity = minhash_similarity(sketches.clone());
    if similarity.is_nan() { 0 } else { rounded(union_count(sketches) as f64 * similarity) }
}

/// Elements in all of the sketches per element in any of them: two or three sketches, or more with
/// common minhash bits. Not a number where all are empty.
pub(super) fn similarity<'a>(sketches: impl Iterator<Item = Sketch<'a>> + Clone) -> f64 {
    if common_shape(sketches.clone()).minhash_bits() != 0 {
        return minhash_similarity(sketches);
    }
    match (excluded_count(sketches.clone()), union_count(sketches)) {
        (0, 0) => NEGATIVE_NOT_A_NUMBER,
        (intersection, union) => intersection as f64 / union as f64,
    }
}

fn common_shape<'a>(sketches: impl Iterator<Item = Sketch<'a>>) -> Shape {
    Shape::common(sketches.map(|sketch| sketch.shape))
}

/// The intersection of two or three sketches by inclusion and exclusion.
fn excluded_count<'a>(mut sketches: impl Iterator<Item = Sketch<'a>> + Clone) -> u64 {
    let union = union_count(sketches.clone());
    let sum = sketches.clone().fold(0_u64, |sum, sketch| sum.saturating_add(sketch.count()));
    let (a, b, c) = (sketches.next(), sketches.next(), sketches.next());
    let (Some(a), Some(b), Some(c)) = (a, b, c) else { return sum.saturating_sub(union) };
    let pairs = [[a, b], [b, c], [a, c]]
        .into_iter()
        .map(|pair| intersect_count(pair.into_iter()))
        .fold(0, u64::wrapping_add);
    let intersection = union.wrapping_sub(sum.wrapping_sub(pairs)).cast_signed();
    intersection.max(0).cast_unsigned()
}

/// The similarity of sketches with common minhash bits: registers that are the same in all of them,
/// less those that are the same by chance.
fn minhash_similarity<'a>(mut sketches: impl Iterator<Item = Sketch<'a>> + Clone) -> f64 {
    if !sketches.clone().all(Sketch::has_data) {
        return if sketches.any(Sketch::has_data) { 0.0 } else { NOT_A_NUMBER };
    }
    let union = union(sketches.clone());
    let in_union = union.as_sketch().used_registers();

    let mut intersection = SketchBuf::new(union.shape());
    let all = sketches.clone();
    if let Some(first) = sketches.next() {
        intersection.merge(first);
    }
    sketches.for_each(|sketch| intersection.intersect(sketch));
    let in_intersection = intersection.as_sketch().used_registers();

    let by_chance = expected_collisions(union.shape(), all);
    let similarity = (f64::from(in_intersection) - by_chance) / f64::from(in_union);
    if similarity < 0.0 { 0.0 } else { similarity }
}

/// Registers of two sketches that are the same though their elements differ. For more sketches there
/// is no estimate: 0.
fn expected_collisions<'a>(shape: Shape, mut sketches: impl Iterator<Item = Sketch<'a>>) -> f64 {
    let (a, b, more) = (sketches.next(), sketches.next(), sketches.next());
    let (Some(a), Some(b), None) = (a, b, more) else { return 0.0 };
    let (count_a, count_b) = (a.count() as f64, b.count() as f64);
    let registers = shape.register_count() as f64;
    let mut collisions = 0.0;
    for rank in 1..=RANKS as i32 {
        let least = if rank == RANKS as i32 { 0.0 } else { 2_f64.powi(-rank) } / registers;
        let most = 2_f64.powi(1 - rank) / registers;
        let of_rank = |count| (1.0 - least).powf(count) - (1.0 - most).powf(count);
        collisions += of_rank(count_a) * of_rank(count_b);
    }
    collisions * registers / 2_f64.powi(shape.minhash_bits().into())
}

fn alpha(shape: Shape) -> f64 {
    match shape.index_bits() {
        4 => 0.673,
        5 => 0.697,
        6 => 0.709,
        _ => 0.7213 / (1.0 + 1.079 / shape.register_count() as f64),
    }
}

/// Ertl's correction for the share of registers that are empty: infinite if all are.
fn sigma(empty: f64) -> f64 {
    if empty == 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (empty, 1.0, empty);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// The nearest integer, halves away from zero. What does not fit becomes what the original's
/// machines make of it.
fn rounded(value: f64) -> u64 {
    const TOO_GREAT: f64 = i64::MAX as f64;
    let value = value.round();
    if value < TOO_GREAT { value as u64 } else { i64::MIN.cast_unsigned() }
}
