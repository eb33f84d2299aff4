//! A query's way through the partitions that it is about.

use std::collections::HashSet;

use cluster::partition::Partition;
use engine::Namespace;
use engine::query::{Listed, Wanted};
use engine::sindex::{Candidate, SindexScan, Where};
use storage::ScanProgress;
use wire::query::Part;
use wire::{Digest, PartitionId};

use crate::clustering::PartitionTable;

/// Records that are listed at a time.
const LISTED: usize = 128;

/// Partitions that are looked into at a time, where they have few records: some tens of microseconds.
const PARTS_MAX: usize = 256;

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
    /// With a where clause, its way through the index.
    scan: Option<SindexScan>,
    /// Scratch space.
    digests: Vec<Digest>,
    candidates: Vec<Candidate>,
    /// What was listed of the partition, if nothing shall be twice.
    seen: Option<HashSet<Digest>>,
    /// Whether no record can be wanted.
    finds_nothing: bool,
}

/// Which partitions a query finds on this node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach<'n> {
    pub table: &'n PartitionTable,
    pub scope: Scope,
}

/// See [`Reach`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    /// Those of which all is here: clients ask other nodes for the rest.
    Complete,
    /// Those of which there is anything: a client that asks for that would rather miss some records.
    Relaxed,
    /// Those that this node serves: every node does its part.
    Served,
}

impl Reach<'_> {
    fn has(&self, partition: PartitionId) -> bool {
        let of: &Partition = &self.table.look(partition);
        match self.scope {
            Scope::Complete => of.can_be_queried(),
            Scope::Relaxed => of.can_be_queried() || of.version.has_data(),
            Scope::Served => of.serves(),
        }
    }
}

/// What of a partition is not listed yet.
#[derive(Clone, Copy, Debug)]
enum Rest {
    All,
    /// What follows this record, and with a where clause this index value.
    After(Digest, i64),
}

/// What came of listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    /// Partitions of which nothing is left to list.
    pub parts_done: u64,
    /// Whether there are no more records, neither listed nor to list.
    pub is_over: bool,
    /// Partitions that are not on this node, or not any more: nothing is listed of them.
    pub absent: Vec<PartitionId>,
}

impl Walk {
    pub fn new(parts: Vec<Part>) -> Self {
        let rest = parts.first().map(|part| Rest::from(part.after));
        Self {
            parts,
            part: 0,
            rest,
            listed: Vec::new(),
            done: 0,
            scan: None,
            digests: Vec::new(),
            candidates: Vec::new(),
            seen: None,
            finds_nothing: false,
        }
    }

    /// A walk that lists nothing, and only finds out which partitions are on this node.
    pub fn without_records(parts: Vec<Part>) -> Self {
        Self { finds_nothing: true, ..Self::new(parts) }
    }

    /// A walk that lists each record once. An index may have one under several values, and in several
    /// places one after the other, if it is changed because it was listed.
    pub fn once(parts: Vec<Part>) -> Self {
        Self { seen: Some(HashSet::new()), ..Self::new(parts) }
    }

    /// Lists the next records, once all that were listed are done with: of several partitions if they have
    /// few. There may be none this time.
    pub fn list(&mut self, namespace: &Namespace, wanted: &Wanted, reach: Reach<'_>) -> Step {
        self.listed.clear();
        self.done = 0;
        let mut step = Step { parts_done: 0, is_over: false, absent: Vec::new() };
        for _ in 0..PARTS_MAX {
            if self.rest.is_none() {
                self.seen.iter_mut().for_each(HashSet::clear);
                self.part += 1;
                self.rest = self.parts.get(self.part).map(|part| Rest::from(part.after));
            }
            let Some(rest) = self.rest else {
                step.is_over = self.listed.is_empty();
                break;
            };
            let partition = self.parts.get(self.part).map(|part| part.partition);
            let limit = LISTED - self.listed.len().min(LISTED - 1);
            let before = self.listed.len();
            self.rest = match &wanted.matching {
                _ if self.finds_nothing => None,
                Some(clause) => self.list_index(namespace, clause, rest, limit),
                None => self.list_primary(namespace, wanted, rest, limit),
            };
            // Looked at last: what is there now was there before. Of what is not, nothing may be shown:
            // others show it, and a client would go on there behind the last record that it saw.
            if let Some(partition) = partition.filter(|partition| !reach.has(*partition)) {
                self.listed.truncate(before);
                self.rest = None;
                step.absent.push(partition);
            }
            if self.rest.is_some() {
                // The limit was reached, or enough was looked at.
                break;
            }
            step.parts_done += 1;
        }
        step
    }

    fn list_primary(
        &mut self,
        namespace: &Namespace,
        wanted: &Wanted,
        rest: Rest,
        limit: usize,
    ) -> Option<Rest> {
        let part = self.parts.get(self.part)?;
        let below = match &rest {
            Rest::All => None,
            Rest::After(digest, _) => Some(digest),
        };
        let digests = &mut self.digests;
        digests.clear();
        let rest = namespace.scan_down(part.partition, wanted.set, below, limit, digests);
        let listed =
            |digest: &Digest| Listed { digest: *digest, index_value: None, is_certain: true };
        self.listed.extend(digests.iter().map(listed));
        rest.map(|digest| Rest::After(digest, 0))
    }

    fn list_index(
        &mut self,
        namespace: &Namespace,
        clause: &Where,
        rest: Rest,
        limit: usize,
    ) -> Option<Rest> {
        let (part, sindex) = (self.parts.get(self.part)?, &clause.sindex);
        let scan = self.scan.get_or_insert_with(|| SindexScan::new(&clause.predicate));
        let after = match rest {
            Rest::All => {
                let ahead = |by: usize| self.parts.get(self.part + by).map(|part| part.partition);
                scan.prefetch(sindex, SindexScan::AHEAD.map(ahead));
                None
            }
            Rest::After(digest, value) => Some((value, digest)),
        };
        let candidates = &mut self.candidates;
        candidates.clear();
        let progress = namespace.candidates(sindex, scan, part.partition, after, limit, candidates);
        let last = candidates.last().copied();
        if let Some(seen) = &mut self.seen {
            candidates.retain(|candidate| seen.insert(candidate.digest));
        }
        self.listed.extend(candidates.iter().map(|candidate| {
            let Candidate { bval, digest, is_certain } = *candidate;
            Listed { digest, index_value: Some(bval), is_certain }
        }));
        let last = last.filter(|_| progress == ScanProgress::More)?;
        Some(Rest::After(last.digest, last.bval))
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
            + self.candidates.capacity() * size_of::<Candidate>()
            + self.parts.capacity() * size_of::<Part>()
    }
}

impl From<Option<(Digest, i64)>> for Rest {
    fn from(after: Option<(Digest, i64)>) -> Self {
        after.map_or(Self::All, |(digest, value)| Self::After(digest, value))
    }
}
