//! Filling a secondary index with the records that are there when it is made.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use wire::{Digest, PartitionId};

use super::{Reach, SecondaryIndex};
use crate::entry::{Entry, RecordKey, SPRIGS_PER_PARTITION, SprigId};
use crate::heap::OutOfMemory;
use crate::primary::PrimaryIndex;

/// What a step of populating a partition came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Populated {
    /// There is more to do.
    More,
    /// The partition is populated.
    Done,
}

/// Records that are populated under one lock.
const POPULATE_BATCH: usize = 64;

impl PrimaryIndex {
    /// Enters the next few records of a partition into a secondary index, under their sprig's read
    /// lock. `bvals_of` appends a record's numbers, or says that it cannot yet; then that record and
    /// those behind it have to wait for another call, though they are visited in this one. Only one
    /// thread may populate a partition of an index at a time.
    ///
    /// # Errors
    /// [`OutOfMemory`]: call again or drop the index.
    pub fn populate_secondary(
        &self,
        index: &SecondaryIndex,
        partition: PartitionId,
        mut bvals_of: impl FnMut(&Digest, &Entry, &mut Vec<i64>) -> bool,
    ) -> Result<Populated, OutOfMemory> {
        let reached = match &index.part(partition).read().reach {
            Reach::All | Reach::Closed => return Ok(Populated::Done),
            Reach::Nothing => None,
            Reach::Through(digest) => Some(**digest),
        };
        let Some((sprig, from)) = start_of_rest(partition, reached.as_ref()) else {
            return Ok(index.finish(partition));
        };
        let records = self.sprig(sprig).read();
        let (mut bvals, mut found) = (Vec::new(), Vec::new());
        let (mut visited, mut waits, mut is_last) = (0, false, true);
        let mut last = reached;
        let _ = records.visit_up(&from, |key, packed| {
            let digest = sprig.digest(&key);
            if reached == Some(digest) {
                return ControlFlow::Continue(());
            }
            if visited == POPULATE_BATCH {
                is_last = false;
                return ControlFlow::Break(());
            }
            visited += 1;
            bvals.clear();
            waits |= !bvals_of(&digest, &packed.unpack(), &mut bvals);
            if !waits {
                last = Some(digest);
                found.extend(bvals.iter().map(|bval| index.place(*bval, &digest)));
            }
            ControlFlow::Continue(())
        });
        if !waits && is_last {
            last = Some(sprig.last_digest());
        }
        let mut part = index.part(partition).write();
        if matches!(part.reach, Reach::Closed) {
            return Ok(Populated::Done);
        }
        part.add_all(found.iter().copied(), index.heap())?;
        match (&mut part.reach, last) {
            (Reach::Through(reached), Some(last)) => **reached = last,
            (reach, last) => {
                *reach = last.map_or(Reach::Nothing, |last| Reach::Through(last.into()))
            }
        }
        Ok(Populated::More)
    }
}

impl SecondaryIndex {
    /// Takes note that all records of a partition are in it.
    fn finish(&self, partition: PartitionId) -> Populated {
        let mut part = self.part(partition).write();
        if !matches!(part.reach, Reach::All | Reach::Closed) {
            part.reach = Reach::All;
            self.populated.fetch_add(1, Ordering::AcqRel);
        }
        Populated::Done
    }
}

/// Where the records of a partition go on that come after a digest; `None` behind the last sprig.
fn start_of_rest(partition: PartitionId, reached: Option<&Digest>) -> Option<(SprigId, RecordKey)> {
    let Some(reached) = reached else { return Some((SprigId::new(partition, 0), RecordKey::MIN)) };
    let sprig = SprigId::of(reached);
    if *reached != sprig.last_digest() {
        return Some((sprig, RecordKey::of(reached)));
    }
    let next = sprig.number() + 1;
    (next < SPRIGS_PER_PARTITION).then(|| (SprigId::new(partition, next), RecordKey::MIN))
}
