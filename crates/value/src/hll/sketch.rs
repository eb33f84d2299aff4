//! The bytes of a sketch and what happens to its registers (`reference`: bits-hll.md, B1, B7, B8).
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | flags, 0 |
//! | 1 | 1 | index bits: there are 2 to that power registers |
//! | 2 | 1 | minhash bits of a register, 0 if it has none |
//! | 3 | 8 | cached count, little-endian; 0 if there is none |
//! | 11 | … | registers, packed, the highest bit first |
//!
//! A register is a rank of 6 bits and the minhash bits behind it. The rank is the greatest number of
//! trailing zeros, plus one, among the hashes that fell on the register; of equal ranks the greatest
//! minhash stays. So registers are compared as whole numbers.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::murmur3;
use crate::bits::field;

/// Bytes before the registers.
pub(super) const HEADER_SIZE_BYTES: usize = 11;

const CACHED_COUNT_OFFSET: usize = 3;

/// Bits of a rank.
pub(super) const RANK_BITS: usize = 6;
const INDEX_BITS: RangeInclusive<u8> = 4..=16;
const MINHASH_BITS: RangeInclusive<u8> = 4..=51;
/// Both are cut from one 64-bit hash.
const COMBINED_BITS_MAX: u8 = 64;

/// Legal numbers of index bits and minhash bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    index_bits: u8,
    minhash_bits: u8,
}

impl Shape {
    /// The shape with these bits, if there can be one.
    pub(super) fn new(index_bits: u8, minhash_bits: u8) -> Option<Self> {
        let is_legal = is_index_bits(index_bits)
            && is_minhash_bits(minhash_bits)
            && index_bits + minhash_bits <= COMBINED_BITS_MAX;
        is_legal.then_some(Self { index_bits, minhash_bits })
    }

    /// The shape in which sketches can be put together: the fewest index bits, and the minhash bits
    /// if they are the same in all. `shapes` must not be empty.
    pub(super) fn common(shapes: impl IntoIterator<Item = Self>) -> Self {
        let both = |a: Self, b: Self| Self {
            index_bits: a.index_bits.min(b.index_bits),
            minhash_bits: if a.minhash_bits == b.minhash_bits { a.minhash_bits } else { 0 },
        };
        let common = shapes.into_iter().reduce(both);
        common.unwrap_or(Self { index_bits: *INDEX_BITS.start(), minhash_bits: 0 })
    }

    /// Bits that choose a register.
    pub(super) fn index_bits(self) -> u8 {
        self.index_bits
    }

    /// Bits of a register besides the rank.
    pub(super) fn minhash_bits(self) -> u8 {
        self.minhash_bits
    }

    /// Number of registers.
    pub(super) fn register_count(self) -> usize {
        1 << self.index_bits
    }

    /// Size of a whole sketch.
    pub(super) fn size_bytes(self) -> usize {
        HEADER_SIZE_BYTES + (self.register_bits() << self.index_bits).div_ceil(8)
    }

    fn register_bits(self) -> usize {
        RANK_BITS + usize::from(self.minhash_bits)
    }
}

/// Whether a sketch can have so many index bits.
pub(super) fn is_index_bits(bits: u8) -> bool {
    INDEX_BITS.contains(&bits)
}

/// Whether a sketch can have so many minhash bits.
pub(super) fn is_minhash_bits(bits: u8) -> bool {
    bits == 0 || MINHASH_BITS.contains(&bits)
}

/// View of a sketch's bytes, which are known to be one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sketch<'a> {
    /// Its bits.
    pub(super) shape: Shape,
    bytes: &'a [u8],
}

impl<'a> Sketch<'a> {
    /// Looks at a sketch; `None` if the bytes are none.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let [0, index_bits, minhash_bits, ..] = *bytes else { return None };
        let shape = Shape::new(index_bits, minhash_bits)?;
        (bytes.len() == shape.size_bytes()).then_some(Self { shape, bytes })
    }

    /// The count that was stored when it was last asked to be, if nothing changed since.
    pub(super) fn cached_count(self) -> Option<u64> {
        let count = self.bytes.get(CACHED_COUNT_OFFSET..)?.first_chunk()?;
        Some(u64::from_le_bytes(*count)).filter(|&count| count != 0)
    }

    /// The bytes with the registers.
    pub(super) fn registers(self) -> &'a [u8] {
        self.bytes.get(HEADER_SIZE_BYTES..).unwrap_or_default()
    }

    pub(super) fn register(self, index: usize) -> u64 {
        register(self.bytes, self.shape, index)
    }

    /// The rank part of a register.
    pub(super) fn rank(self, index: usize) -> u8 {
        (self.register(index) >> self.shape.minhash_bits) as u8
    }

    /// Whether an element may have been added; `false` is certain.
    pub(super) fn may_contain(self, element: RegisterValue) -> bool {
        element.value <= self.register(element.index)
    }

    pub(super) fn to_buf(self) -> SketchBuf {
        SketchBuf { shape: self.shape, bytes: self.bytes.to_vec() }
    }
}

/// A sketch being made.
#[derive(Debug)]
pub(super) struct SketchBuf {
    shape: Shape,
    bytes: Vec<u8>,
}

impl SketchBuf {
    /// An empty sketch.
    pub(super) fn new(shape: Shape) -> Self {
        let mut bytes = Vec::with_capacity(shape.size_bytes());
        bytes.extend([0, shape.index_bits, shape.minhash_bits]);
        bytes.resize(shape.size_bytes(), 0);
        Self { shape, bytes }
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    pub(super) fn as_sketch(&self) -> Sketch<'_> {
        Sketch { shape: self.shape, bytes: &self.bytes }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Adds an element. Returns whether that changed the sketch.
    pub(super) fn add(&mut self, element: RegisterValue) -> bool {
        let is_new = register(&self.bytes, self.shape, element.index) < element.value;
        if is_new {
            self.set_register(element.index, element.value);
            self.set_cached_count(0);
        }
        is_new
    }

    /// Adds everything that is in another sketch, which has at least as many index bits, and the
    /// same minhash bits unless this one has none.
    pub(super) fn merge(&mut self, other: Sketch<'_>) {
        let dropped_bits = other.shape.minhash_bits - self.shape.minhash_bits;
        for index in 0..other.shape.register_count() {
            let value = other.register(index) >> dropped_bits;
            let index = self.folded(index);
            if register(&self.bytes, self.shape, index) < value {
                self.set_register(index, value);
            }
        }
        self.set_cached_count(0);
    }

    /// Leaves only registers that are the same in another sketch, which has at least as many index
    /// bits and the same minhash bits.
    pub(super) fn intersect(&mut self, other: Sketch<'_>) {
        for index in 0..other.shape.register_count() {
            let value = other.register(index);
            let index = self.folded(index);
            if register(&self.bytes, self.shape, index) != value {
                self.set_register(index, 0);
            }
        }
    }

    /// Stores the count, so that reading it is cheap until the sketch changes. Returns it.
    pub(super) fn refresh_count(&mut self) -> u64 {
        let count = self.as_sketch().count();
        self.set_cached_count(count);
        count
    }

    /// Where a register of a sketch with more index bits belongs in this one.
    fn folded(&self, index: usize) -> usize {
        index & (self.shape.register_count() - 1)
    }

    fn set_register(&mut self, index: usize, value: u64) {
        let bits = self.shape.register_bits();
        field::store(&mut self.bytes, HEADER_SIZE_BYTES * 8 + index * bits, bits, value);
    }

    fn set_cached_count(&mut self, count: u64) {
        let field = self.bytes.iter_mut().skip(CACHED_COUNT_OFFSET);
        field.zip(count.to_le_bytes()).for_each(|(to, from)| *to = from);
    }
}

fn register(bytes: &[u8], shape: Shape, index: usize) -> u64 {
    let bits = shape.register_bits();
    field::load(bytes, HEADER_SIZE_BYTES * 8 + index * bits, bits)
}

/// An element to add or to look for: its msgpack in the smallest form, type byte and all.
#[derive(Clone, Debug)]
pub(super) struct Element<'a>(pub(super) Cow<'a, [u8]>);

/// What an element makes of a sketch's register.
#[derive(Clone, Copy, Debug)]
pub(super) struct RegisterValue {
    index: usize,
    value: u64,
}

impl Element<'_> {
    /// The register and its least value in a sketch that contains the element.
    pub(super) fn for_shape(&self, shape: Shape) -> RegisterValue {
        let (placing, ranking) = murmur3::hash(&self.0);
        let index = placing as usize & (shape.register_count() - 1);
        let minhash = placing >> shape.index_bits & ((1 << shape.minhash_bits) - 1);
        let rank = u64::from(ranking.trailing_zeros()) + 1;
        RegisterValue { index, value: rank << shape.minhash_bits | minhash }
    }
}
