//! Blocks of a volume that are in memory: read from there, not from the device.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::buffer::Buffer;
use crate::format::Geometry;

/// Buffers that nobody reads any more and that wait for another block: memory that is there already is
/// touched faster than new one.
const SPARE_MAX: usize = 2;

/// See the module.
#[derive(Debug)]
pub(crate) struct Cache {
    /// By block, from the first. A lock for each, so that readers meet nobody else's.
    blocks: Box<[RwLock<Option<Arc<Buffer>>>]>,
    /// Blocks that were written, the oldest first. They stay only as long as there is room.
    written: Mutex<VecDeque<u32>>,
    spare: Mutex<Vec<Arc<Buffer>>>,
}

impl Cache {
    pub fn new(geometry: &Geometry) -> Self {
        Self {
            blocks: geometry.blocks().map(|_| RwLock::default()).collect(),
            written: Mutex::default(),
            spare: Mutex::default(),
        }
    }

    fn slot(&self, block: u32) -> &RwLock<Option<Arc<Buffer>>> {
        &self.blocks[block as usize - 1]
    }

    pub fn get(&self, block: u32) -> Option<Arc<Buffer>> {
        self.slot(block).read().clone()
    }

    /// Adds a block that begins to be filled.
    pub fn insert(&self, block: u32, buffer: Arc<Buffer>) {
        self.written.lock().retain(|&other| other != block);
        *self.slot(block).write() = Some(buffer);
    }

    /// Notes that a block is written, and lets go of the oldest ones beyond `keep`. With `keep` 0, or
    /// for a block that is not worth it, that is this one.
    pub fn written(&self, block: u32, worth_keeping: bool, keep: usize) {
        let mut written = self.written.lock();
        if worth_keeping {
            written.push_back(block);
        } else {
            self.let_go(block);
        }
        while written.len() > keep {
            if let Some(oldest) = written.pop_front() {
                self.let_go(oldest);
            }
        }
    }

    /// Lets go of a block that is free.
    pub fn remove(&self, block: u32) {
        if self.let_go(block) {
            self.written.lock().retain(|&other| other != block);
        }
    }

    fn let_go(&self, block: u32) -> bool {
        let Some(buffer) = self.slot(block).write().take() else { return false };
        let mut spare = self.spare.lock();
        if spare.len() < SPARE_MAX {
            spare.push(buffer);
        }
        true
    }

    /// A buffer for a block of this size in bytes. It holds whatever it held.
    pub fn buffer(&self, size_bytes: usize) -> Arc<Buffer> {
        let mut spare = self.spare.lock();
        let unread = spare.iter_mut().position(|buffer| Arc::get_mut(buffer).is_some());
        match unread {
            Some(at) => spare.swap_remove(at),
            None => Arc::new(Buffer::new(size_bytes)),
        }
    }
}
