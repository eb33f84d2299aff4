//! The side that receives a partition's records.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cluster::NodeId;
use cluster::fabric::migration::{Known, SPRIGS, Step, What, records};
use engine::copies::Written;
use engine::{Namespace, Stripe, Turn};
use record::{LastUpdateTime, RecordMeta};
use storage::{Pledges, Settled};

use super::contents::{hashes, known};
use super::{Active, Place, SILENCE_MAX};
use crate::node::Node;

impl Node {
    /// Takes in what a giver sends, and answers it.
    pub(super) fn receive(
        &self,
        active: &mut Active,
        namespace: &Arc<Namespace>,
        place: Place,
        from: NodeId,
        step: &Step<'_>,
    ) {
        let about = (step.cluster_key, place.1);
        let answer = |what: What<'_>| self.send_step(namespace, about, from, what);
        let partition = self.cluster.table(place.0).get(place.1);
        if partition.cluster_key != step.cluster_key || !*self.cluster.moving.lock() {
            if let What::Begin(_) = step.what {
                answer(What::Busy);
            }
            return;
        }
        if let What::AllDone = step.what {
            let done = self.transition(place, |of| of.all_done());
            if let Ok((_, true)) = done {
                active.discards.push_back(place);
                self.cluster.partitions_changed();
            }
            return answer(What::GaveUp);
        }
        if !partition.awaits().contains(&from) {
            // It was all here already; the giver did not hear of that.
            return answer(What::Ended);
        }
        let (key, now) = ((place, from), self.host.monotonic());
        if let Some(heard) = active.receiving.get_mut(&key) {
            *heard = now;
        }
        match step.what {
            What::Begin(theirs) => {
                let most = self.config().service.migrate_max_num_incoming as usize;
                active.receiving.retain(|_, heard| now <= *heard + SILENCE_MAX);
                if active.receiving.len() >= most && !active.receiving.contains_key(&key) {
                    return answer(What::Busy);
                }
                active.receiving.insert(key, now);
                let ours = hashes(&known(namespace, place.1));
                let (differ, empty) = compare(&ours, &theirs);
                answer(What::Ready { differ, empty });
            }
            What::List(number, list) => {
                let wanted = wanted(namespace, list, self.record_time());
                answer(What::Want(number, &wanted));
            }
            What::Records(number, list) if self.store(namespace, place, list) => {
                answer(What::Stored(number));
            }
            What::Packed(number, packed) => {
                if let Some(list) = unpack(packed)
                    && self.store(namespace, place, &list)
                {
                    answer(What::Stored(number));
                }
            }
            What::End => {
                active.receiving.remove(&key);
                if self.transition(place, |of| Ok((of.received(from)?, ()))).is_ok() {
                    self.cluster.partitions_changed();
                    self.look_for_errand(active, place);
                    answer(What::Ended);
                }
            }
            _ => {}
        }
    }

    /// Stores records of another node. False if some could not be: they come again.
    fn store(&self, namespace: &Namespace, place: Place, list: &[u8]) -> bool {
        let (mut scratch, mut received, mut all) = (Vec::new(), 0, true);
        let mut pledges = Pledges::default();
        for (digest, transfer) in records(list) {
            let taken = storage::blocking(|fetched| {
                let mut turn = Turn {
                    now: self.record_time(),
                    stripe: Stripe::SHARED,
                    scratch: &mut scratch,
                    fetched,
                    pledges: &mut pledges,
                    written: Written::Nothing,
                };
                self.take_over(namespace, &digest, transfer, &mut turn)
            });
            all &= taken.is_ok();
            received += 1;
        }
        let counts = self.migrations.counts(place.0);
        counts.records_received.fetch_add(received, Ordering::Relaxed);
        if !pledges.is_empty() {
            // Whoever gave them may give them up next: with `commit-to-device` they must last here before.
            namespace.flush_devices();
            all &= namespace.settled(&pledges) != Settled::Failed;
        }
        all
    }
}

/// Largest part, in bytes: records that are sent together, the last of them of the greatest size.
const PART_BYTES_MAX: u32 = 16 << 20;

/// What was compressed; `None` if it is damaged or too much.
fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    // Looked at first: that much is going to be allocated.
    let size = packed.first_chunk().map(|size| u32::from_le_bytes(*size))?;
    (size <= PART_BYTES_MAX).then_some(())?;
    lz4_flex::block::decompress_size_prepended(packed).ok()
}

/// In which sprigs a giver has something else than we, and in which we have nothing.
fn compare(ours: &[u64; SPRIGS], theirs: &[u64; SPRIGS]) -> (u16, u16) {
    let set = |which: &dyn Fn(usize) -> bool| {
        (0..SPRIGS).filter(|sprig| which(*sprig)).fold(0, |set, sprig| set | 1 << sprig)
    };
    (set(&|sprig| ours[sprig] != theirs[sprig]), set(&|sprig| ours[sprig] == 0))
}

/// Which records of a list count more than what is here, or are not here.
fn wanted(namespace: &Namespace, list: &[u8], now: LastUpdateTime) -> Vec<u8> {
    let listed: Vec<Known> = Known::list(list).collect();
    let mut wanted = vec![0u8; listed.len().div_ceil(8)];
    for (number, known) in listed.iter().enumerate() {
        let theirs = RecordMeta {
            last_update_time: known.last_update_time,
            generation: known.generation,
            ..RecordMeta::default()
        };
        if namespace.wants(&known.digest, &theirs, now) {
            wanted[number / 8] |= 1 << (number % 8);
        }
    }
    wanted
}
