//! What is known of each block of a volume.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::format::Geometry;

/// What a block is up to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum State {
    /// It can be filled.
    Free = 0,
    /// Records are being appended.
    Filling = 1,
    /// Nothing more is appended.
    Full = 2,
    /// Its live records are to be moved.
    Queued = 3,
    /// They are being moved.
    Moving = 4,
    /// It has no live records. It is free once whatever replaced them has been written.
    Emptied = 5,
    /// It has records that cannot be read, and is left alone.
    Stuck = 6,
    /// A start is reading its records. What seems to be empty may only not have been read yet.
    Loading = 7,
}

impl State {
    fn of(number: u8) -> Self {
        match number {
            1 => Self::Filling,
            2 => Self::Full,
            3 => Self::Queued,
            4 => Self::Moving,
            5 => Self::Emptied,
            6 => Self::Stuck,
            7 => Self::Loading,
            _ => Self::Free,
        }
    }
}

#[derive(Debug, Default)]
struct Block {
    state: AtomicU8,
    live_bytes: AtomicU32,
    end_bytes: AtomicU32,
    sequence: AtomicU64,
}

/// All blocks of a volume. States change under the volume's front lock; anybody may look.
#[derive(Debug)]
pub(crate) struct Table {
    blocks: Box<[Block]>,
}

impl Table {
    pub fn new(geometry: &Geometry) -> Self {
        Self { blocks: (0..geometry.block_count).map(|_| Block::default()).collect() }
    }

    fn block(&self, block: u32) -> &Block {
        &self.blocks[block as usize - 1]
    }

    pub fn state(&self, block: u32) -> State {
        State::of(self.block(block).state.load(Ordering::Acquire))
    }

    pub fn set_state(&self, block: u32, state: State) {
        self.block(block).state.store(state as u8, Ordering::Release);
    }

    /// Bytes of live records.
    pub fn live_bytes(&self, block: u32) -> u32 {
        self.block(block).live_bytes.load(Ordering::Acquire)
    }

    pub fn add_live(&self, block: u32, bytes: u32) {
        self.block(block).live_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Returns what is left.
    pub fn sub_live(&self, block: u32, bytes: u32) -> u32 {
        let before = self.block(block).live_bytes.fetch_sub(bytes, Ordering::AcqRel);
        debug_assert!(before >= bytes, "a record is released once");
        before.wrapping_sub(bytes)
    }

    /// Bytes that were appended, once nothing more is.
    pub fn end_bytes(&self, block: u32) -> u32 {
        self.block(block).end_bytes.load(Ordering::Acquire)
    }

    pub fn set_end(&self, block: u32, bytes: u32) {
        self.block(block).end_bytes.store(bytes, Ordering::Release);
    }

    /// The number of its present life.
    pub fn sequence(&self, block: u32) -> u64 {
        self.block(block).sequence.load(Ordering::Acquire)
    }

    pub fn set_sequence(&self, block: u32, sequence: u64) {
        self.block(block).sequence.store(sequence, Ordering::Release);
    }
}
