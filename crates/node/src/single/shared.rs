//! Requests about a record that other nodes have to do with.

use std::time::Duration;

use cluster::NodeId;
use cluster::fabric::{Kind, Lookup, Status};
use cluster::partition::Partition;
use engine::copies::Written;
use engine::latencies::{Benchmark, LatencyKind};
use engine::stats::NamespaceCounter;
use engine::{Stripe, Turn};
use wire::{Info2, Request, ResultCode, reply};

use super::{Asks, Change, Single, Stay, redirect};
use crate::health::PeerEvent;
use crate::node::Node;
use crate::outcome::{self, Origin};
use crate::peers::{Cause, Question, waits_for_all};
use crate::unfinished::Progress;
use crate::waits::{Outcome, Waits};

/// How long to wait before a request is tried again that nobody can carry out.
const RETRY: Duration = Duration::from_millis(5);

impl Single {
    /// Sends a change to the other replicas. The reply waits for them unless the client, or the
    /// namespace, wants it otherwise.
    pub(super) fn tell_replicas(
        &mut self,
        node: &Node,
        request: &Request<'_>,
        change: &Change,
        turn: &Turn<'_>,
        waits: &mut Waits,
    ) {
        // That a read has renewed a record is no matter of the answer.
        let is_awaited = change.written != Written::Renewed;
        let wants_all = is_awaited && waits_for_all(&self.namespace, request);
        let waiter = wants_all.then(|| waits.await_copy(&self.claim));
        if wants_all {
            waits.limit(&self.claim, self.deadline(node, request));
        }
        let Change { partition, digest, written } = change;
        let version = (digest, *written, &turn.scratch[..]);
        let resent = Some(outcome::resent_write(self.origin, request));
        let cause = Cause { waiter: waiter.into(), resent };
        waits.peers.copy(node, &self.namespace, partition, version, cause);
    }

    /// Whether it is measured how long the request waits for that.
    pub(super) fn is_timed(&self, stay: &Stay) -> bool {
        match stay {
            Stay::Elsewhere(_) => self.namespace.latencies.is_on(Benchmark::Proxy),
            Stay::Lookup(_) | Stay::Hold(_, Some(_), _) => self.times.begun.is_some(),
            _ => false,
        }
    }

    /// Notes how long the request waited for other nodes.
    pub(super) fn time_asking(&mut self, node: &Node, request: &Request<'_>, stripe: Stripe) {
        let Some(asked_at) = self.asked_at.take() else { return };
        let writes = request.header.info2.contains(Info2::WRITE);
        let kind = match (&self.asks, writes) {
            (Asks::Proxy, _) => LatencyKind::Proxy,
            (Asks::Versions, false) => LatencyKind::ReadDupRes,
            (Asks::Versions, true) => LatencyKind::WriteDupRes,
            (Asks::Nothing, _) => LatencyKind::WriteReplWrite,
        };
        let took = node.host.monotonic().saturating_sub(asked_at);
        self.namespace.latencies.record_step(stripe, kind, took, node.histograms_in_micros());
    }

    /// When the client has no use for an answer any more, by the monotonic clock.
    fn deadline(&self, node: &Node, request: &Request<'_>) -> Duration {
        let time_ms = match request.header.transaction_ttl_ms {
            0 => node.config().service.transaction_max_ms,
            time_ms => time_ms.into(),
        };
        self.times.woken.saturating_add(Duration::from_millis(time_ms))
    }

    /// Asks those who may have a newer version of the record.
    pub(super) fn look_up(
        &mut self,
        node: &Node,
        request: &Request<'_>,
        partition: &Partition,
        waits: &mut Waits,
        out: &mut Vec<u8>,
    ) -> Progress {
        let Some(digest) = request.valid_digest() else { return Progress::Over };
        let counter = match std::mem::replace(&mut self.has_asked, true) {
            false => NamespaceCounter::DupResAsk,
            true => outcome::resent_lookup(self.origin, request),
        };
        self.namespace.counters.raise(Stripe::SHARED, counter);
        let known = self.namespace.meta_of(&digest);
        let known = known.map(|meta| (meta.last_update_time, meta.generation));
        let (cluster_key, namespace) = (partition.cluster_key, self.namespace.name.as_bytes());
        for &to in &partition.duplicates {
            let question = Question { cluster: &node.cluster, to, kind: Kind::Lookup };
            let lookup = Lookup { cluster_key, namespace, digest, known };
            if !waits.ask(&self.claim, question, |out| lookup.encode(out)) {
                return self.try_later(node, request, waits, out);
            }
        }
        waits.limit(&self.claim, self.deadline(node, request));
        self.asks = Asks::Versions;
        Progress::Waits(self.claim.ticket())
    }

    /// Takes over what the others have, and goes on.
    pub(super) fn merge_versions(
        &mut self,
        node: &Node,
        request: &Request<'_>,
        outcome: &Outcome,
        turn: &mut Turn<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Stay> {
        if outcome.is_late {
            self.time_out(turn.stripe, out);
            return None;
        }
        let Some(digest) = request.valid_digest() else { return Some(Stay::Later) };
        for answer in &outcome.answers {
            let answered = answer.body.as_deref().and_then(Status::split);
            match answered {
                Some((Status::Done, [])) => {}
                Some((Status::Done, version)) => {
                    // It waits for a device only where secondary indexes have to know the old bins.
                    let taken = storage::blocking(|fetched| {
                        let mut turn = Turn {
                            now: turn.now,
                            stripe: turn.stripe,
                            scratch: turn.scratch,
                            fetched,
                            pledges: turn.pledges,
                            written: turn.written,
                        };
                        node.take_over(&self.namespace, &digest, version, &mut turn)
                    });
                    if let Err(result) = taken {
                        reply::header_only(out, result, 0, 0);
                        return None;
                    }
                }
                // It has a version that may be the last one, and cannot read it.
                Some((Status::Failed, &[result, ..])) => {
                    reply::header_only(out, ResultCode(result), 0, 0);
                    return None;
                }
                // The partition may be another's by now.
                _ => return Some(Stay::Later),
            }
        }
        self.has_looked = true;
        let run = (self.origin, self.times, true);
        let stay = node.run_single(&self.namespace.clone(), request, run, turn, out);
        // It holds for this run alone: what comes later may be newer again.
        if !matches!(stay, Some(Stay::Fetch(_))) {
            self.has_looked = false;
        }
        stay
    }

    /// Has another node carry the request out, unless it came from another node: that one finds it.
    pub(super) fn go_elsewhere(
        &mut self,
        node: &Node,
        (request, body): (&Request<'_>, &[u8]),
        to: NodeId,
        waits: &mut Waits,
        out: &mut Vec<u8>,
    ) -> Progress {
        if self.origin == Origin::Proxy {
            redirect(Status::Elsewhere, Some(to), out);
            return Progress::Over;
        }
        let question = Question { cluster: &node.cluster, to, kind: Kind::Proxy };
        if !waits.ask(&self.claim, question, |out| out.extend_from_slice(body)) {
            return self.try_later(node, request, waits, out);
        }
        node.health.count(to, PeerEvent::Proxy);
        waits.limit(&self.claim, self.deadline(node, request));
        self.asks = Asks::Proxy;
        Progress::Waits(self.claim.ticket())
    }

    /// Hands on what the other node replied.
    pub(super) fn relay(
        &mut self,
        request: &Request<'_>,
        outcome: &Outcome,
        stripe: Stripe,
        out: &mut Vec<u8>,
    ) -> Option<Stay> {
        use NamespaceCounter::{
            BatchSubProxyComplete, BatchSubProxyError, BatchSubProxyTimeout, ClientProxyComplete,
            ClientProxyError, ClientProxyTimeout,
        };
        let count = |[of_client, of_batch]: [NamespaceCounter; 2]| {
            let counter = if self.origin == Origin::Batch { of_batch } else { of_client };
            self.namespace.counters.raise(stripe, counter);
        };
        let answer = outcome.answers.first();
        let is_lost = answer.is_some_and(|answer| answer.body.is_none());
        let body = answer.and_then(|answer| answer.body.as_deref());
        match body.and_then(Status::split) {
            Some((Status::Done, reply)) => {
                out.extend_from_slice(reply);
                count([ClientProxyComplete, BatchSubProxyComplete]);
                None
            }
            Some((Status::Malformed | Status::Failed, _)) => {
                reply::header_only(out, ResultCode::UNKNOWN, 0, 0);
                count([ClientProxyError, BatchSubProxyError]);
                None
            }
            // A write whose answer is lost may have been carried out: it must not be again.
            _ if outcome.is_late || is_lost && request.header.info2.contains(Info2::WRITE) => {
                reply::header_only(out, ResultCode::TIMEOUT, 0, 0);
                count([ClientProxyTimeout, BatchSubProxyTimeout]);
                None
            }
            // Partitions that were handed over in this view: only those who took part know.
            Some((Status::Elsewhere, to)) if !std::mem::replace(&mut self.is_led, true) => {
                let to = to.try_into().map(|id| NodeId(u64::from_le_bytes(id)));
                Some(to.map_or(Stay::Later, Stay::Elsewhere))
            }
            // The other node knows better, or is gone; this one will hear of it.
            _ => {
                self.is_led = false;
                Some(Stay::Later)
            }
        }
    }

    /// Tries again in a moment, unless the time is over.
    pub(super) fn try_later(
        &mut self,
        node: &Node,
        request: &Request<'_>,
        waits: &mut Waits,
        out: &mut Vec<u8>,
    ) -> Progress {
        let now = node.host.monotonic();
        if now >= self.deadline(node, request) {
            self.time_out(Stripe::SHARED, out);
            return Progress::Over;
        }
        self.asks = Asks::Nothing;
        waits.sleep(&self.claim, now + RETRY);
        Progress::Waits(self.claim.ticket())
    }

    fn time_out(&self, stripe: Stripe, out: &mut Vec<u8>) {
        reply::header_only(out, ResultCode::TIMEOUT, 0, 0);
        outcome::count_early(&self.namespace, self.origin, ResultCode::TIMEOUT, stripe);
    }
}
