//! Reads that requests wait for.
//!
//! A request whose record is not in memory learns from its guard what would have to be read: a
//! [`Fetch`]. It gives its lock up, has the read done by a [`crate::Reader`], and begins again with
//! the outcome in [`Fetched`]. By then the record may have moved; then there is another fetch.

use std::borrow::Borrow;
use std::fmt;
use std::io;
use std::sync::Arc;

use index::Location;

use crate::aligned::{AlignedBuf, Span};
use crate::device::Device;

/// A stretch of a device that a request waits for.
#[derive(Clone)]
pub struct Fetch {
    /// Where to read.
    pub device: Arc<dyn Device>,
    /// What to read.
    pub span: Span,
    pub(crate) identity: Identity,
}

/// Which record's bytes they are: the id of the volume, the location in it, and the life of the block,
/// since another record may come to lie in the same place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    pub volume: u64,
    pub sequence: u64,
    pub location: Location,
}

impl Fetch {
    /// A stretch that holds no record: for measuring and testing readers.
    pub fn of_nothing(device: Arc<dyn Device>, span: Span) -> Self {
        let identity = Identity { volume: u64::MAX, sequence: 0, location: Location(u64::MAX) };
        Self { device, span, identity }
    }

    /// Reads it in the calling thread.
    pub fn read_now(&self) -> FetchDone {
        let mut bytes = AlignedBuf::used(self.span.size_bytes);
        let outcome = self.device.read_at(&mut bytes, self.span.offset_bytes);
        self.done(outcome.map(|()| bytes))
    }

    /// The outcome of reading it.
    pub fn done(&self, outcome: io::Result<AlignedBuf>) -> FetchDone {
        FetchDone { identity: self.identity, span: self.span, outcome }
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch")
            .field("device", &self.device.name())
            .field("span", &self.span)
            .finish()
    }
}

/// The outcome of a fetch.
#[derive(Debug)]
pub struct FetchDone {
    identity: Identity,
    span: Span,
    outcome: io::Result<AlignedBuf>,
}

impl Drop for FetchDone {
    fn drop(&mut self) {
        let gone = Err(io::ErrorKind::NotFound.into());
        if let Ok(bytes) = std::mem::replace(&mut self.outcome, gone) {
            bytes.give_back();
        }
    }
}

impl FetchDone {
    /// What was read.
    ///
    /// # Errors
    /// Whatever the medium said.
    pub fn bytes(&self) -> Result<&[u8], &io::Error> {
        self.outcome.as_deref()
    }

    /// Whether it is the outcome of this one, or of another for the same bytes.
    pub fn is_of(&self, fetch: &Fetch) -> bool {
        self.identity == fetch.identity && self.span == fetch.span
    }
}

/// What was fetched for a request.
#[derive(Debug, Default)]
pub struct Fetched {
    parts: Vec<FetchDone>,
}

/// Does something about records in the calling thread, which waits for devices: what `attempt` turns out to need
/// is read, and it begins anew with that. For threads that may wait, and for what is seldom.
pub fn blocking<T, F: Borrow<Fetch>>(mut attempt: impl FnMut(&Fetched) -> Result<T, F>) -> T {
    let mut fetched = Fetched::default();
    loop {
        match attempt(&fetched) {
            Ok(done) => return done,
            Err(fetch) => {
                // The record may have moved: what was read before is of no more use.
                fetched.clear();
                fetched.add(fetch.borrow().read_now());
            }
        }
    }
}

/// What is known of a record's bytes on a device.
pub(crate) enum Lookup<'f> {
    /// They were not fetched.
    Missing,
    /// They could not be read.
    Failed(&'f io::Error),
    /// They, and what stands around them: bytes that begin at the span's offset.
    Read(Span, &'f [u8]),
}

impl Fetched {
    /// Nothing.
    pub const NONE: &'static Self = &Self { parts: Vec::new() };

    /// Adds the outcome of a fetch.
    pub fn add(&mut self, done: FetchDone) {
        self.parts.push(done);
    }

    /// Whether nothing was fetched.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Memory in bytes that it holds.
    pub fn held_bytes(&self) -> usize {
        self.parts.iter().map(|part| part.span.size_bytes).sum()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.parts.clear();
    }

    pub(crate) fn get(&self, identity: Identity) -> Lookup<'_> {
        match self.parts.iter().rfind(|part| part.identity == identity) {
            None => Lookup::Missing,
            Some(FetchDone { outcome: Err(error), .. }) => Lookup::Failed(error),
            Some(FetchDone { span, outcome: Ok(bytes), .. }) => Lookup::Read(*span, bytes),
        }
    }
}
