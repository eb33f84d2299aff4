//! What other nodes ask about records, answered from the namespace.

use std::sync::Arc;
use std::time::Duration;

use cluster::fabric::{Change, Frame, Kind, Lookup, Removal, Status, Transfer};
use cluster::partition::Partition;
use engine::copies::{Accepted, Rule, UnreadableRecord, Version};
use engine::stats::NamespaceCounter;
use engine::{Namespace, Turn};
use storage::{Fetch, Fetched};
use wire::{Digest, Request, ResultCode};

use super::Cause;
use super::copies::Lost;
use crate::node::Node;
use crate::outcome::Origin;
use crate::unfinished::Unfinished;

impl Node {
    /// Answers a question about a record. Returns the namespace if a device may have something to do before the
    /// answer is sent.
    pub(super) fn serve_record(
        &self,
        frame: &Frame<'_>,
        turn: &mut Turn<'_>,
        answer: &mut Vec<u8>,
    ) -> Result<Option<Arc<Namespace>>, Fetch> {
        answer.clear();
        let malformed = |answer: &mut Vec<u8>| {
            answer.push(Status::Malformed as u8);
            Ok(None)
        };
        match frame.kind {
            Kind::Write => {
                let Some((change, body)) = Change::decode(frame.body) else {
                    return malformed(answer);
                };
                let Change { cluster_key, namespace, digest, is_late, transfer } = change;
                let Some(namespace) = self.addressed(cluster_key, namespace, &digest, answer)
                else {
                    return Ok(None);
                };
                let Transfer { meta, set_name, bytes } = transfer;
                self.observe_time(meta.last_update_time);
                let version = Version { meta, set_name, body, bytes };
                if is_late {
                    self.accept_late(&namespace, &digest, &version, turn, answer)?;
                } else {
                    let rule = Rule::LastUpdateTime;
                    let accepted = namespace.accept(&digest, &version, rule, turn)?;
                    put_status(answer, accepted.err());
                }
                Ok(Some(namespace))
            }
            Kind::Remove => {
                let Some(removal) = Removal::decode(frame.body) else { return malformed(answer) };
                let Removal { cluster_key, namespace, digest, at } = removal;
                self.observe_time(at);
                let Some(namespace) = self.addressed(cluster_key, namespace, &digest, answer)
                else {
                    return Ok(None);
                };
                let accepted = namespace.accept_removal(&digest, at, turn)?;
                if self.partition(&namespace, &digest).serves() {
                    // It is from a node that served before; the others hear of it from this one.
                    self.copy_from_thread(&namespace, &digest, turn.written, Cause::NONE);
                }
                put_status(answer, accepted.err());
                Ok(Some(namespace))
            }
            _ => {
                let Some(lookup) = Lookup::decode(frame.body) else { return malformed(answer) };
                self.look_up(&lookup, turn, answer)?;
                Ok(None)
            }
        }
    }

    /// Takes over a write of a node that served before, if nothing was written since. Otherwise that node
    /// hears what is here instead.
    fn accept_late(
        &self,
        namespace: &Arc<Namespace>,
        digest: &Digest,
        version: &Version<'_>,
        turn: &mut Turn<'_>,
        answer: &mut Vec<u8>,
    ) -> Result<(), Fetch> {
        let partition = self.partition(namespace, digest);
        if !partition.serves() {
            answer.push(Status::Later as u8);
            return Ok(());
        }
        match namespace.accept(digest, version, Rule::Successor, turn)? {
            Ok(Accepted::Unfit) => {
                answer.extend_from_slice(&[Status::Failed as u8, ResultCode::LOST_CONFLICT.0]);
                // Without it the other node keeps what it has.
                let _ = append_copy(namespace, digest, turn.fetched, answer)?;
            }
            accepted => {
                // The others hear of it from whoever serves.
                self.copy_from_thread(namespace, digest, turn.written, Cause::NONE);
                put_status(answer, accepted.err());
            }
        }
        Ok(())
    }

    /// The namespace that another node means, if both are in the same view.
    fn addressed(
        &self,
        cluster_key: u64,
        namespace: &[u8],
        digest: &Digest,
        answer: &mut Vec<u8>,
    ) -> Option<Arc<Namespace>> {
        let Some(namespace) = self.namespace(namespace) else {
            answer.extend_from_slice(&[Status::Failed as u8, ResultCode::NAMESPACE.0]);
            return None;
        };
        let key = self.partition(namespace, digest).cluster_key;
        if key != cluster_key {
            answer.push(Status::OtherView as u8);
            return None;
        }
        Some(Arc::clone(namespace))
    }

    fn partition(&self, namespace: &Namespace, digest: &Digest) -> Arc<Partition> {
        self.cluster.table(namespace.number()).get(digest.partition())
    }

    /// Says what is here of a record, unless it is what the other node has.
    fn look_up(
        &self,
        lookup: &Lookup<'_>,
        turn: &Turn<'_>,
        answer: &mut Vec<u8>,
    ) -> Result<(), Fetch> {
        let Lookup { cluster_key, namespace, digest, known } = *lookup;
        let Some(namespace) = self.addressed(cluster_key, namespace, &digest, answer) else {
            return Ok(());
        };
        answer.push(Status::Done as u8);
        let meta = namespace.meta_of(&digest);
        let is_known =
            |meta: &record::RecordMeta| known == Some((meta.last_update_time, meta.generation));
        let sends = match meta.as_ref().is_none_or(is_known) {
            true => false,
            false => match append_copy(&namespace, &digest, turn.fetched, answer)? {
                Ok(sends) => sends,
                Err(UnreadableRecord) if namespace.config().migrate_skip_unreadable => false,
                // It may be the last one: nothing is to be built on any other.
                Err(UnreadableRecord) => {
                    answer.clear();
                    put_status(answer, Some(ResultCode::UNKNOWN));
                    false
                }
            },
        };
        let counter = match sends {
            true => NamespaceCounter::DupResRespondRead,
            false => NamespaceCounter::DupResRespondNoRead,
        };
        namespace.counters.raise(turn.stripe, counter);
        Ok(())
    }

    /// Takes over what another node has of a record, if that counts more.
    pub(crate) fn take_over(
        &self,
        namespace: &Namespace,
        digest: &Digest,
        bytes: &[u8],
        turn: &mut Turn<'_>,
    ) -> Result<Result<(), ResultCode>, Fetch> {
        let Some((Transfer { meta, set_name, bytes }, body)) = Transfer::decode(bytes) else {
            return Ok(Err(ResultCode::UNKNOWN));
        };
        self.observe_time(meta.last_update_time);
        let version = Version { meta, set_name, body, bytes };
        let accepted = namespace.accept(digest, &version, namespace.conflict_rule(), turn)?;
        Ok(accepted.map(|_| ()))
    }

    /// Takes over the version of whoever serves in place of a change that came too late there.
    pub(super) fn adopt(
        &self,
        lost: &Lost,
        version: &[u8],
        turn: &mut Turn<'_>,
    ) -> Result<(), Fetch> {
        let Some((time, generation)) = lost.sent else { return Ok(()) };
        let Some((Transfer { meta, set_name, bytes }, body)) = Transfer::decode(version) else {
            return Ok(());
        };
        let version = Version { meta, set_name, body, bytes };
        let rule = Rule::Instead(time, generation);
        // If it cannot be stored, the next migration brings it.
        let _ = lost.namespace.accept(&lost.digest, &version, rule, turn)?;
        Ok(())
    }

    /// Answers a client's request that came to another node, or begins to.
    pub(super) fn answer_proxied(
        self: &Arc<Self>,
        body: &[u8],
        woken: Duration,
        turn: &mut Turn<'_>,
        waits: &mut crate::waits::Waits,
        out: &mut Vec<u8>,
    ) -> Option<Unfinished> {
        let refuse = |out: &mut Vec<u8>, status: Status| {
            out.clear();
            out.push(status as u8);
            None
        };
        let Ok(request) = Request::parse(body) else { return refuse(out, Status::Malformed) };
        if request.is_batch() || request.digest.is_none() {
            return refuse(out, Status::Malformed);
        }
        self.answer_for((Origin::Proxy, woken), &request, body, turn, waits, out)
    }
}

/// Appends what is here of a record, dead or alive, as another node takes it over. False if there is nothing.
/// The outer error is what has to be read first.
pub(crate) fn append_copy(
    namespace: &Namespace,
    digest: &Digest,
    fetched: &Fetched,
    out: &mut Vec<u8>,
) -> Result<Result<bool, UnreadableRecord>, Fetch> {
    let mut bytes = Vec::new();
    let (meta, set) = match namespace.copy_out(digest, fetched, &mut bytes)? {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Ok(false)),
        Err(unreadable) => return Ok(Err(unreadable)),
    };
    let set_name = set.map_or(&[][..], |set| &set.name);
    Transfer { meta, set_name, bytes: &bytes }.encode(out);
    Ok(Ok(true))
}

fn put_status(answer: &mut Vec<u8>, failure: Option<ResultCode>) {
    match failure {
        None => answer.push(Status::Done as u8),
        Some(result) => answer.extend_from_slice(&[Status::Failed as u8, result.0]),
    }
}
