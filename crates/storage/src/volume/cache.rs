//! Blocks of a volume that are in memory: read from there, not from the device.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::RwLock;

use super::buffer::Buffer;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    blocks: HashMap<u32, Arc<Buffer>>,
    /// Those that were written, the oldest first. They stay only as long as there is room.
    written: VecDeque<u32>,
}

impl Cache {
    pub fn get(&self, block: u32) -> Option<Arc<Buffer>> {
        self.inner.read().blocks.get(&block).cloned()
    }

    /// Adds a block that begins to be filled.
    pub fn insert(&self, block: u32, buffer: Arc<Buffer>) {
        let mut inner = self.inner.write();
        inner.written.retain(|&other| other != block);
        inner.blocks.insert(block, buffer);
    }

    /// Notes that a block is written, and lets go of the oldest ones beyond `keep`. With `keep` 0, or
    /// for a block that is not worth it, that is this one.
    pub fn written(&self, block: u32, worth_keeping: bool, keep: usize) {
        let mut inner = self.inner.write();
        if worth_keeping {
            inner.written.push_back(block);
        } else {
            inner.blocks.remove(&block);
        }
        while inner.written.len() > keep {
            if let Some(oldest) = inner.written.pop_front() {
                inner.blocks.remove(&oldest);
            }
        }
    }

    /// Lets go of a block that is free.
    pub fn remove(&self, block: u32) {
        let mut inner = self.inner.write();
        if inner.blocks.remove(&block).is_some() {
            inner.written.retain(|&other| other != block);
        }
    }
}
