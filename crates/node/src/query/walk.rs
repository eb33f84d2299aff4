//! A query's way through the partitions that it is about.

use std::mem;

use engine::Namespace;
use record::SetId;
use wire::Digest;
use wire::query::Part;

/// Records that are listed at a time.
const LISTED: usize = 128;

/// Partitions that are looked into at a time, where they have few records.
const PARTS_MAX: usize = 64;

/// A record that was listed, with the index value under which it was found.
pub(super) type Listed = (Digest, Option<i64>);

/// Where a query is. It lists some records at a time and goes from one to the next; what is not listed
/// yet is known by the record behind which it lies.
#[derive(Debug)]
pub(super) struct Walk {
    parts: Vec<Part>,
    /// The partition that it goes through, among the parts.
    part: usize,
    /// What of it is not listed yet; `None` at its end.
    rest: Option<Rest>,
    listed: Vec<Listed>,
    /// How many of these are done with.
    done: usize,
    /// Scratch space.
    digests: Vec<Digest>,
}

/// What of a partition is not listed yet.
#[derive(Clone, Copy, Debug)]
enum Rest {
    All,
    /// What follows this record.
    After(Digest),
}

/// What came of listing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Step {
    /// Partitions of which nothing is left to list.
    pub parts_done: u64,
    /// Whether there are no more records, neither listed nor to list.
    pub is_over: bool,
}

impl Walk {
    pub fn new(parts: Vec<Part>) -> Self {
        let rest = parts.first().map(|part| Rest::from(part.after));
        Self { parts, part: 0, rest, listed: Vec::new(), done: 0, digests: Vec::new() }
    }

    /// Lists the next records, once all that were listed are done with: of several partitions if they have
    /// few. There may be none this time.
    pub fn list(&mut self, namespace: &Namespace, set: Option<SetId>) -> Step {
        self.listed.clear();
        self.done = 0;
        let mut step = Step { parts_done: 0, is_over: false };
        for _ in 0..PARTS_MAX {
            if self.rest.is_none() {
                self.part += 1;
                self.rest = self.parts.get(self.part).map(|part| Rest::from(part.after));
            }
            let Some(rest) = self.rest else {
                step.is_over = self.listed.is_empty();
                break;
            };
            self.list_some(namespace, set, rest);
            if self.rest.is_some() {
                // The limit was reached, or enough was looked at.
                break;
            }
            step.parts_done += 1;
        }
        step
    }

    fn list_some(&mut self, namespace: &Namespace, set: Option<SetId>, rest: Rest) {
        self.rest = None;
        let Some(part) = self.parts.get(self.part) else { return };
        let below = match rest {
            Rest::All => None,
            Rest::After(digest) => Some(digest),
        };
        let limit = LISTED - self.listed.len().min(LISTED - 1);
        let mut digests = mem::take(&mut self.digests);
        digests.clear();
        let rest = namespace.scan_down(part.partition, set, below.as_ref(), limit, &mut digests);
        self.listed.extend(digests.iter().map(|digest| (*digest, None)));
        self.digests = digests;
        self.rest = rest.map(Rest::After);
    }

    /// The records that are listed and not done with.
    pub fn ahead(&self) -> &[Listed] {
        self.listed.get(self.done..).unwrap_or_default()
    }

    /// The first of them is done with.
    pub fn pass(&mut self) {
        self.done += 1;
    }

    /// Records of the present list that are done with.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Memory that it holds, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.listed.capacity() * size_of::<Listed>()
            + self.digests.capacity() * Digest::SIZE
            + self.parts.capacity() * size_of::<Part>()
    }
}

impl From<Option<(Digest, i64)>> for Rest {
    fn from(after: Option<(Digest, i64)>) -> Self {
        after.map_or(Self::All, |(digest, _)| Self::After(digest))
    }
}
