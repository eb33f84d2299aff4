//! Copies of records on other nodes: what they have to hear of a change here, and what is taken over of
//! theirs.

use std::cmp::Ordering;

use config::ConflictResolution;
use record::{Body, Generation, LastUpdateTime, RecordMeta, SetId};
use storage::{Fetch, Fetched, Miss, Pledges};
use wire::{Digest, PartitionId, ResultCode};

use crate::namespace::{Namespace, Turn};
use crate::sets::Set;
use crate::stop::Stop;

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Written {
    /// Nothing that others have to hear of.
    #[default]
    Nothing,
    /// It has this metadata; its body is in the turn's scratch space.
    Stored(RecordMeta),
    /// Only its metadata changed, because it was read; its body is where it was.
    Renewed,
    /// It was removed without a trace. No version of this time or before counts any more.
    Removed(LastUpdateTime),
}

/// A version of a record that another node has.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// Its metadata; the set counts for nothing, since nodes number sets by themselves.
    pub meta: RecordMeta,
    /// The name of its set; empty outside sets.
    pub set_name: &'a [u8],
    /// Its body.
    pub body: Body<'a>,
    /// The same as bytes.
    pub bytes: &'a [u8],
}

/// There is a record that its device does not give, or gives damaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnreadableRecord;

/// A record, if there is one, with its set.
pub type Found<'n> = Option<(RecordMeta, Option<&'n Set>)>;

/// What decides whether a version is taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// The one that was written last; of those of one moment that with the higher generation.
    LastUpdateTime,
    /// The one with the higher generation; of equal ones that which was written last.
    Generation,
    /// The other one, if what is here is the version before it.
    Successor,
    /// The other one, if what is here was last written then, with this generation.
    Instead(LastUpdateTime, Generation),
}

/// What became of a version of another node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// It took the place of what was here.
    Stored,
    /// What is here is the same or counts more.
    Older,
    /// What is here is not what the rule asks for.
    Unfit,
}

impl Rule {
    /// Compares what is known of two versions.
    pub fn compare(self, one: &RecordMeta, other: &RecordMeta) -> Ordering {
        let by_time = one.last_update_time.cmp(&other.last_update_time);
        let by_generation = compare_generations(one.generation, other.generation);
        match self {
            Self::Generation => by_generation.then(by_time),
            _ => by_time.then(by_generation),
        }
    }

    /// Whether a version is taken over in place of what is here.
    fn accepts(self, found: Option<&RecordMeta>, new: &RecordMeta) -> Accepted {
        let is_same = found.is_some_and(|found| {
            (found.last_update_time, found.generation) == (new.last_update_time, new.generation)
        });
        if is_same {
            return Accepted::Older;
        }
        let generation = found.map_or(Generation(0), |found| found.generation);
        match self {
            Self::LastUpdateTime | Self::Generation => {
                let is_known = found.is_some_and(|found| self.compare(found, new).is_ge());
                if is_known { Accepted::Older } else { Accepted::Stored }
            }
            Self::Successor if generation.next() == new.generation => Accepted::Stored,
            Self::Instead(time, of) => match found {
                Some(found) if (found.last_update_time, found.generation) == (time, of) => {
                    Accepted::Stored
                }
                _ => Accepted::Unfit,
            },
            Self::Successor => Accepted::Unfit,
        }
    }
}

/// Generations go round: the one that is less than half a round ahead is the higher.
fn compare_generations(one: Generation, other: Generation) -> Ordering {
    match one.0.wrapping_sub(other.0) {
        0 => Ordering::Equal,
        1..=0x8000 => Ordering::Greater,
        _ => Ordering::Less,
    }
}

impl Namespace {
    /// Takes over a version of another node, unless what is here counts as much or more.
    ///
    /// # Errors
    /// The inner one if it cannot be stored, the outer one is what has to be read first.
    pub fn accept(
        &self,
        digest: &Digest,
        version: &Version<'_>,
        rule: Rule,
        turn: &mut Turn<'_>,
    ) -> Result<Result<Accepted, ResultCode>, Fetch> {
        result_of(self.try_accept(digest, version, rule, turn))
    }

    fn try_accept(
        &self,
        digest: &Digest,
        version: &Version<'_>,
        rule: Rule,
        turn: &mut Turn<'_>,
    ) -> Result<Accepted, Stop> {
        let set = match version.set_name {
            [] => None,
            name => Some(self.sets.get_or_create(name)?),
        };
        let meta = RecordMeta { set: set.map_or(SetId::NONE, |set| set.id), ..version.meta };
        let mut guard = self.records.write(digest);
        let found = guard.find().map(|stored| self.found(stored));
        let accepted = rule.accepts(found.as_ref().map(|found| &found.meta), &meta);
        let outlives =
            found.as_ref().is_some_and(|found| self.outlives(&meta, &found.meta, turn.now));
        if accepted != Accepted::Stored && !(accepted == Accepted::Older && outlives) {
            return Ok(accepted);
        }
        if self.drops.covers(digest, meta.last_update_time) {
            return Ok(Accepted::Older);
        }
        if self.is_doomed(&meta, set, turn.now.seconds()) {
            // It is gone wherever it is; what was here is so even more.
            return Ok(Accepted::Older);
        }
        let old_meta = found.as_ref().map(|found| &found.meta);
        let old_keys = self.old_keys(old_meta, &mut guard, turn.fetched)?;
        let flat_size_bytes = self.flat_size_bytes(&meta, version.body.content_size_bytes());
        turn.scratch.clear();
        turn.scratch.extend_from_slice(version.bytes);
        let old = found.map(|found| found.weight);
        self.place(&mut guard, old, old_keys, meta, flat_size_bytes, turn)?;
        Ok(Accepted::Stored)
    }

    /// Whether a version was written after one that is here and dead: its time is over, or it was truncated. Then
    /// the record was made anew, and its generations began anew, so they say nothing of the two.
    fn outlives(&self, new: &RecordMeta, found: &RecordMeta, now: LastUpdateTime) -> bool {
        let set = self.sets.by_id(found.set);
        new.last_update_time > found.last_update_time && self.is_doomed(found, set, now.seconds())
    }

    /// Whether a version that another node has of a record would be taken over from it.
    pub fn wants(&self, digest: &Digest, new: &RecordMeta, now: LastUpdateTime) -> bool {
        let counts_more = self.meta_of(digest).is_none_or(|found| {
            self.conflict_rule().compare(new, &found).is_gt() || self.outlives(new, &found, now)
        });
        counts_more && !self.drops.covers(digest, new.last_update_time)
    }

    /// Removes a record because another node did, unless what is here is later than that.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub fn accept_removal(
        &self,
        digest: &Digest,
        at: LastUpdateTime,
        turn: &mut Turn<'_>,
    ) -> Result<Result<Accepted, ResultCode>, Fetch> {
        result_of(self.try_accept_removal(digest, at, turn))
    }

    fn try_accept_removal(
        &self,
        digest: &Digest,
        at: LastUpdateTime,
        turn: &mut Turn<'_>,
    ) -> Result<Accepted, Stop> {
        let mut guard = self.records.write(digest);
        self.drops.note(digest, at, turn.now);
        let Some(found) = guard.find().map(|stored| self.found(stored)) else {
            return Ok(Accepted::Older);
        };
        if found.meta.last_update_time > at {
            return Ok(Accepted::Older);
        }
        let old_keys = self.old_keys(Some(&found.meta), &mut guard, turn.fetched)?;
        // By the clock of whoever removed it: this node's may be ahead, and what is written next is not to
        // count as removed.
        self.expunge_at(&mut guard, found.weight, old_keys, at, turn)?;
        Ok(Accepted::Stored)
    }

    /// What is here of a record, dead or alive, for another node: its body is appended to `out`.
    ///
    /// # Errors
    /// The inner one if it is here and cannot be read, the outer one is what has to be read first.
    pub fn copy_out(
        &self,
        digest: &Digest,
        fetched: &Fetched,
        out: &mut Vec<u8>,
    ) -> Result<Result<Found<'_>, UnreadableRecord>, Fetch> {
        let mut guard = self.records.read(digest);
        let Some(stored) = guard.find() else { return Ok(Ok(None)) };
        match guard.bytes(fetched) {
            Ok(bytes) => out.extend_from_slice(bytes),
            Err(Miss::Elsewhere(fetch)) => return Err(*fetch),
            Err(Miss::Damaged) => return Ok(Err(UnreadableRecord)),
        }
        Ok(Ok(Some((stored.meta, self.sets.by_id(stored.meta.set)))))
    }

    /// What is known of a record without its body, dead or alive.
    pub fn meta_of(&self, digest: &Digest) -> Option<RecordMeta> {
        self.records.read(digest).find().map(|stored| stored.meta)
    }

    /// What is known of all records of a partition, dead or alive. `look` must not lock a record.
    pub fn visit_partition(
        &self,
        partition: PartitionId,
        mut look: impl FnMut(&Digest, &RecordMeta),
    ) {
        self.records.for_each(partition, |digest, stored| look(digest, &stored.meta));
    }

    /// Removes up to so many records of a partition that is on this node no more, as long as `is_gone` says
    /// that it is not. Says whether there are more. Waits for devices where secondary indexes have to know
    /// the bins.
    pub fn discard(
        &self,
        partition: PartitionId,
        now: LastUpdateTime,
        limit: usize,
        is_gone: impl Fn() -> bool,
    ) -> bool {
        let mut digests = Vec::with_capacity(limit);
        self.records.for_each(partition, |digest, _| {
            if digests.len() < limit {
                digests.push(*digest);
            }
        });
        let is_more = digests.len() == limit;
        for digest in &digests {
            storage::blocking(|fetched| match is_gone() {
                true => self.discard_record(digest, now, fetched),
                false => Ok(()),
            });
        }
        is_more && is_gone()
    }

    fn discard_record(
        &self,
        digest: &Digest,
        now: LastUpdateTime,
        fetched: &Fetched,
    ) -> Result<(), Box<Fetch>> {
        let mut guard = self.records.write(digest);
        let Some(found) = guard.find().map(|stored| self.found(stored)) else { return Ok(()) };
        let old_keys = self.old_keys(Some(&found.meta), &mut guard, fetched)?;
        // What a device cannot note now comes back with a restart, and goes again then.
        if guard.remove(now, &mut Pledges::default()).unwrap_or(false) {
            self.drop_keys(old_keys, &guard);
            self.account(Some(found.weight), None);
        }
        Ok(())
    }

    /// The rule by which versions of nodes that were apart are compared.
    pub fn conflict_rule(&self) -> Rule {
        match self.config().conflict_resolution_policy {
            ConflictResolution::Generation => Rule::Generation,
            ConflictResolution::LastUpdateTime => Rule::LastUpdateTime,
        }
    }
}

fn result_of(accepted: Result<Accepted, Stop>) -> Result<Result<Accepted, ResultCode>, Fetch> {
    match accepted {
        Ok(accepted) => Ok(Ok(accepted)),
        Err(Stop::Fails(result)) => Ok(Err(result)),
        Err(Stop::Waits(fetch)) => Err(*fetch),
    }
}
