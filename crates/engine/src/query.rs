//! Queries over one namespace: which records there are, and a row for each that qualifies.
//!
//! A query goes through a partition in steps: some digests are listed without a look at the records,
//! then each record is looked at under its own lock. What came or went in between is seen as it is then.
//! A query with a where clause lists what a secondary index has.

use expr::Filter;
use record::{Body, LastUpdateTime, RecordMeta, Scene, SetId, StoredRecord};
use storage::{Fetch, Miss};
use wire::query::{RowHead, RowWriter};
use wire::{Digest, PartitionId};

use crate::namespace::{Namespace, Turn};
use crate::sets::Set;
use crate::sindex::Where;
use crate::stats::NamespaceCounter;

/// What a query wants of records.
#[derive(Debug)]
pub struct Wanted {
    /// Those of this set only.
    pub set: Option<SetId>,
    /// These of their bins.
    pub bins: WantedBins,
    /// Those to which it applies.
    pub filter: Option<Filter<'static>>,
    /// Those that match, of a query with a where clause.
    pub matching: Option<Where>,
    /// When the query began.
    pub begun: LastUpdateTime,
}

/// A record that a query has listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its digest.
    pub digest: Digest,
    /// The index value under which it was found, of a query with a where clause.
    pub index_value: Option<i64>,
    /// Whether it had that value when it was listed.
    pub is_certain: bool,
}

/// Which bins a query wants of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WantedBins {
    /// None: metadata are enough.
    None,
    /// All of them.
    All,
    /// Those with these names, in this order. A record without any of them is left out.
    Named(Vec<Box<[u8]>>),
}

/// Time in ms before the beginning of a query from which on a record counts as changed during it: clocks
/// of nodes differ (protocol reference, 9.3).
const CHANGED_BEFORE_MS: u64 = 3_000;

/// What became of a record that a query came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Row {
    /// It is in the output.
    Written,
    /// There is none any more, or none that the query is about.
    Absent,
    /// The filter left it out by its metadata.
    FilteredByMetadata,
    /// The filter, or the selection of bins, left it out by what is in it.
    FilteredByBins,
    /// It is damaged.
    Failed,
}

/// Why a row ends before it is written.
enum Left {
    With(Row),
    Waits(Box<Fetch>),
}

impl From<Miss> for Left {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::Elsewhere(fetch) => Self::Waits(fetch),
            Miss::Damaged => Self::With(Row::Failed),
        }
    }
}

impl Namespace {
    /// Lists live records of a partition for a query: see [`storage::Records::scan_down`].
    pub fn scan_down(
        &self,
        partition: PartitionId,
        set: Option<SetId>,
        below: Option<&Digest>,
        limit: usize,
        out: &mut Vec<Digest>,
    ) -> Option<Digest> {
        self.records.scan_down(partition, set, below, limit, out)
    }

    /// The set of a record, if it is there and in one.
    pub fn set_of(&self, digest: &Digest) -> Option<&Set> {
        let found = self.records.read(digest).find()?;
        self.sets.by_id(found.meta.set)
    }

    /// Appends a query's row about a record to `out`, if the record qualifies.
    ///
    /// # Errors
    /// What has to be read first; nothing is appended then.
    pub fn row(
        &self,
        wanted: &Wanted,
        listed: &Listed,
        turn: &Turn<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Row, Box<Fetch>> {
        match self.try_row(wanted, listed, turn, out) {
            Ok(()) => Ok(Row::Written),
            Err(Left::With(row)) => Ok(row),
            Err(Left::Waits(fetch)) => Err(fetch),
        }
    }

    fn try_row(
        &self,
        wanted: &Wanted,
        listed: &Listed,
        turn: &Turn<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Left> {
        let digest = &listed.digest;
        let mut guard = self.records.read(digest);
        let found = guard.find().ok_or(Left::With(Row::Absent))?;
        let meta = found.meta;
        let set = self.sets.by_id(meta.set);
        let is_other = wanted.set.is_some_and(|set| set != meta.set);
        if is_other || meta.tombstone || self.is_doomed(&meta, set, turn.now.seconds()) {
            return Err(Left::With(Row::Absent));
        }
        let size_bytes = Self::size_bytes_of(&found, set);
        let scene_of = |stored| self.scene(digest, set, turn.now, meta, size_bytes, stored);
        let undecided = by_metadata(wanted.filter.as_ref(), &scene_of(StoredRecord::Unread))?;
        let unsure = wanted.unsure_of(listed, &meta);
        let needs_body = unsure.is_some()
            || undecided.is_some()
            || wanted.bins != WantedBins::None
            || found.has_key != Some(false);
        let body = if needs_body { guard.body(turn.fetched)? } else { Body::new(&[]) };
        if unsure.is_some_and(|clause| {
            wanted.is_elsewhere(listed, clause, &meta, &body)
                || !self.matches(clause, digest, &body, turn)
        }) {
            return Err(Left::With(Row::Absent));
        }
        if let Some(filter) = undecided
            && scene_of(StoredRecord::Read(&body)).check(filter).is_err()
        {
            return Err(Left::With(Row::FilteredByBins));
        }
        let head = RowHead {
            namespace: self.name.as_bytes(),
            digest,
            set: set.map_or(&[], |set: &Set| &set.name),
            key: body.key(),
            index_value: listed.index_value,
            generation: meta.generation.0.into(),
            void_time: meta.void_time.0,
        };
        let mut row = RowWriter::new(out, &head);
        if !append_bins(&wanted.bins, &body, &mut row) {
            row.give_up();
            return Err(Left::With(Row::FilteredByBins));
        }
        row.finish();
        Ok(())
    }

    fn matches(&self, clause: &Where, digest: &Digest, body: &Body<'_>, turn: &Turn<'_>) -> bool {
        let matches = clause.matches(digest, body);
        if clause.predicate.region_cells().is_some() {
            let counter = match matches {
                true => NamespaceCounter::GeoRegionQueryPoints,
                false => NamespaceCounter::GeoRegionQueryFalsepos,
            };
            self.counters.raise(turn.stripe, counter);
        }
        matches
    }
}

impl Wanted {
    /// The where clause, if it may not be true of a record that was listed because of it.
    fn unsure_of(&self, listed: &Listed, meta: &RecordMeta) -> Option<&Where> {
        let clause = self.matching.as_ref()?;
        let LastUpdateTime(begun) = self.begun;
        let changed_since = LastUpdateTime(begun.saturating_sub(CHANGED_BEFORE_MS));
        let is_sure = listed.is_certain
            && !clause.predicate.is_hash_or_geo()
            && meta.last_update_time < changed_since;
        Some(clause).filter(|_| !is_sure)
    }

    /// Whether a record was listed in place of another one, and has a place of its own. One that has
    /// changed since the query began may have left it behind, so it counts here.
    fn is_elsewhere(
        &self,
        listed: &Listed,
        clause: &Where,
        meta: &RecordMeta,
        body: &Body<'_>,
    ) -> bool {
        let is_under = |bval| clause.has_under(bval, &listed.digest, body);
        !listed.is_certain
            && meta.last_update_time < self.begun
            && !listed.index_value.is_none_or(is_under)
    }
}

/// The filter, unless it can be decided by metadata.
fn by_metadata<'f>(
    filter: Option<&'f Filter<'static>>,
    scene: &Scene<'_>,
) -> Result<Option<&'f Filter<'static>>, Left> {
    match filter.map(|filter| (filter, filter.decide(scene))) {
        None | Some((_, Some(true))) => Ok(None),
        Some((_, Some(false))) => Err(Left::With(Row::FilteredByMetadata)),
        Some((filter, None)) => Ok(Some(filter)),
    }
}

/// Appends what is wanted of the bins; false if there is nothing of that.
fn append_bins(wanted: &WantedBins, body: &Body<'_>, row: &mut RowWriter<'_>) -> bool {
    match wanted {
        WantedBins::None => row.without_bins(),
        WantedBins::All => row.raw_bins(body.bin_count(), body.reply_ops()),
        WantedBins::Named(names) => {
            for name in names {
                if let Some(bin) = body.bin(name) {
                    row.bin(name, bin.particle_type, bin.value);
                }
            }
            return row.bin_count() > 0;
        }
    }
    true
}
