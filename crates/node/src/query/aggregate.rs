//! Queries that run a function over their records, and return what it yields.
//!
//! The function runs partition by partition, on the host's threads: it may take long. They carry out some
//! partitions at a time and leave what these yield; the event loop sends it, and asks for more when the client
//! has taken it. So no thread waits for a client, and an aggregation holds the yield of a few partitions at
//! most.

use engine::copies::Written;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::udf::{Particle, RecordAccess};
use engine::query::{Listed, Row, Wanted, WantedBins};
use engine::sindex::Sindex;
use engine::{Namespace, Stripe, Turn};
use parking_lot::Mutex;
use storage::{Fetch, Pledges, Ticket};
use wire::proto::{ProtoType, close_frame, open_frame};
use wire::query::Part;
use wire::{
    FieldType, Info1, MessageHeader, OpCode, ParticleType, PartitionId, Request, ResultCode, reply,
};

use super::counters::of_aggregation;
use super::jobs::{Brief, Counts, Ending, Job, JobKind};
use super::patience::Patience;
use super::plan::{name_of, number, sindex_of, where_of};
use super::walk::{Reach, Scope, Walk};
use crate::node::Node;
use crate::udf::{LoadedRecord, named_call};
use crate::unfinished::{Progress, Unfinished};
use crate::waits::{Caller, Claim, Waits};
use crate::worker::{Answer, Worker};

/// Yield in bytes, and time, after which a thread leaves further partitions for later.
const PIECE_BYTES: usize = 256 << 10;
const PIECE_TIME: Duration = Duration::from_millis(5);

/// Time that a function has for a partition.
const PARTITION_TIME: Duration = Duration::from_secs(10);

/// An aggregation, between two pieces.
pub struct Aggregation {
    node: Arc<Node>,
    shared: Arc<Shared>,
    stripe: Stripe,
    claim: Claim,
    slot: Arc<Slot>,
    patience: Patience,
    is_over: bool,
}

/// What the threads know of an aggregation.
struct Shared {
    namespace: Arc<Namespace>,
    wanted: Wanted,
    /// The request's message.
    body: Box<[u8]>,
    job: Arc<Job>,
}

/// Where a piece is put.
type Slot = Mutex<Option<Piece>>;

/// What some partitions yielded.
struct Piece {
    rows: Vec<u8>,
    /// Partitions done with so far.
    done: usize,
    /// The overall result, if there is nothing more.
    end: Option<ResultCode>,
}

impl Node {
    /// Begins to answer a query that runs a function over its records.
    pub(super) fn aggregation(
        self: &Arc<Self>,
        request: &Request<'_>,
        body: &[u8],
        from: SocketAddr,
        turn: &Turn<'_>,
        waits: &mut Waits,
    ) -> Result<Answer, ResultCode> {
        let namespace = request.namespace.and_then(|name| self.namespace(name));
        let namespace = namespace.ok_or(ResultCode::NAMESPACE)?;
        let planned = self.plan_aggregation(request, body, namespace, from, turn.stripe);
        let (shared, patience) = planned.inspect_err(|_| {
            let has_where = request.present.contains(FieldType::INDEX_RANGE);
            namespace.counters.raise(turn.stripe, of_aggregation(has_where, Ending::Failed));
        })?;
        let aggregation = Aggregation {
            node: Arc::clone(self),
            shared: Arc::new(shared),
            stripe: turn.stripe,
            claim: waits.claim(),
            slot: Arc::default(),
            patience,
            is_over: false,
        };
        aggregation.ask(0, waits);
        Ok(Answer::Partial(Box::new(Unfinished::Aggregation(Box::new(aggregation)))))
    }

    fn plan_aggregation(
        &self,
        request: &Request<'_>,
        body: &[u8],
        namespace: &Arc<Namespace>,
        from: SocketAddr,
        stripe: Stripe,
    ) -> Result<(Shared, Patience), ResultCode> {
        if self.config().service.disable_udf_execution {
            return Err(ResultCode::FORBIDDEN);
        }
        if request.header.info1.contains(Info1::SHORT_QUERY) {
            return Err(ResultCode::PARAMETER);
        }
        if request.present.contains(FieldType::FILTER) {
            return Err(ResultCode::UNSUPPORTED_FEATURE);
        }
        let call = named_call(request).ok_or(ResultCode::PARAMETER)?;
        let rate = number(request, FieldType::RECORDS_PER_SECOND)?;
        let patience = Patience::of(request)?;
        let set = match request.set {
            None => None,
            Some(name) => Some(namespace.sets.by_name(name).ok_or(ResultCode::NOT_FOUND)?.id),
        };
        let matching = where_of(request, namespace, stripe)?;
        let wanted =
            Wanted { set, bins: WantedBins::None, filter: None, matching, begun: self.host.now() };
        let id = request.field(FieldType::QUERY_ID).and_then(|id| id.try_into().ok());
        let function = (call.module.into(), String::from_utf8_lossy(call.function).into());
        let brief = Brief {
            id: id.map_or(0, u64::from_be_bytes),
            namespace: namespace.name.clone(),
            set: request.set.map(Into::into),
            index_name: sindex_of(&wanted).map(name_of),
            kind: JobKind::Aggregation,
            requested: (wire::PARTITIONS, 0),
            records_per_second: rate.unwrap_or(0),
            socket_timeout_ms: patience.timeout_ms,
            function: Some(function),
            from,
            begun: self.host.monotonic(),
        };
        let active_max = self.config().service.query_threads_limit as usize;
        let job = self.jobs.begin(brief, active_max)?;
        let namespace = Arc::clone(namespace);
        Ok((Shared { namespace, wanted, body: body.into(), job }, patience))
    }
}

impl Aggregation {
    /// Asks for the next piece, behind so many partitions.
    fn ask(&self, done: usize, waits: &Waits) {
        let (shared, slot) = (Arc::clone(&self.shared), Arc::clone(&self.slot));
        let caller = waits.call(&self.claim);
        self.node.submit(Box::new(move |node| carry_out(node, &shared, done, &slot, caller)));
    }

    /// Appends what a piece yielded.
    pub(crate) fn advance(&mut self, worker: &mut Worker, out: &mut Vec<u8>) -> Progress {
        if self.claim.outcome().is_none() {
            return Progress::Waits(self.claim.ticket());
        }
        self.patience.taken();
        let piece = self.slot.lock().take();
        // Without one, the thread that had it is gone.
        let failed = Piece { rows: Vec::new(), done: 0, end: Some(ResultCode::UNKNOWN) };
        let Piece { rows, done, end } = piece.unwrap_or(failed);
        if !rows.is_empty() {
            let start = open_frame(out);
            out.extend_from_slice(&rows);
            close_frame(out, start, ProtoType::Message);
        }
        match end {
            None => {
                self.ask(done, worker.waits());
                Progress::Waits(self.claim.ticket())
            }
            Some(result) => {
                reply::last(out, result);
                self.end(match result {
                    ResultCode::OK => Ending::Done,
                    ResultCode::QUERY_ABORT => Ending::Aborted,
                    _ => Ending::Failed,
                });
                Progress::Over
            }
        }
    }

    /// Notes that the client did not take all that the last piece gave.
    pub(crate) fn delayed(&mut self) {
        self.patience.delayed(self.node.host.monotonic());
    }

    /// See [`Unfinished::send_timeout_ms`].
    pub(crate) fn send_timeout_ms(&self) -> u32 {
        self.patience.timeout_ms
    }

    fn end(&mut self, ending: Ending) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let (shared, node) = (&self.shared, &self.node);
        let counter = of_aggregation(shared.wanted.matching.is_some(), ending);
        shared.namespace.counters.raise(self.stripe, counter);
        let ended_max = node.config().service.query_max_done as usize;
        node.jobs.end(&shared.job, ending, node.host.monotonic(), ended_max);
    }

    pub(crate) fn ticket(&self) -> Ticket {
        self.claim.ticket()
    }

    pub(crate) fn buffered_bytes(&self) -> usize {
        self.shared.body.len() + self.slot.lock().as_ref().map_or(0, |piece| piece.rows.len())
    }
}

/// Carries out the partitions behind the first `done`, for a piece.
fn carry_out(node: &Node, shared: &Shared, done: usize, slot: &Slot, caller: Caller) {
    let (mut rows, begun) = (Vec::new(), node.host.monotonic());
    let (mut done, mut end) = (done, None);
    for partition in PartitionId::all().skip(done) {
        if let Err(result) = shared.run_partition(node, partition, &mut rows) {
            end = Some(result);
            break;
        }
        done += 1;
        shared.job.counts.parts_done.fetch_add(1, Ordering::Relaxed);
        let took = node.host.monotonic().saturating_sub(begun);
        if rows.len() >= PIECE_BYTES || took >= PIECE_TIME {
            break;
        }
    }
    if done == wire::PARTITIONS {
        end = Some(shared.cut_short().unwrap_or(ResultCode::OK));
    }
    *slot.lock() = Some(Piece { rows, done, end });
    caller.answered();
}

impl Shared {
    /// The result with which the aggregation ends before it is through, if it does. There is nothing in an
    /// index that was dropped, so what came of it is not all.
    fn cut_short(&self) -> Option<ResultCode> {
        if self.job.is_aborted() {
            return Some(ResultCode::QUERY_ABORT);
        }
        let is_lost = sindex_of(&self.wanted).is_some_and(Sindex::is_dropped);
        is_lost.then_some(ResultCode::UNKNOWN)
    }

    /// Runs the function over the records of a partition, if there are any.
    fn run_partition(
        &self,
        node: &Node,
        partition: PartitionId,
        rows: &mut Vec<u8>,
    ) -> Result<(), ResultCode> {
        if let Some(result) = self.cut_short() {
            return Err(result);
        }
        let parsed = Request::parse(&self.body).ok();
        let call = parsed.as_ref().and_then(named_call).ok_or(ResultCode::UNKNOWN)?;
        let request = parsed.as_ref().ok_or(ResultCode::UNKNOWN)?;
        let mut walk = Walk::new(vec![Part { partition, after: None }]);
        let mut next = || -> Option<Box<dyn RecordAccess>> {
            loop {
                while let Some(&listed) = walk.ahead().first() {
                    walk.pass();
                    if let Some(record) = self.load(node, request, &listed) {
                        return Some(Box::new(record));
                    }
                }
                let table = node.cluster.table(self.namespace.number());
                let reach = Reach { table, scope: Scope::Served };
                let step = walk.list(&self.namespace, &self.wanted, reach);
                if step.is_over {
                    return None;
                }
            }
        };
        // A partition without records yields nothing, whatever the function.
        let Some(first) = next() else { return Ok(()) };
        let mut first = Some(first);
        let mut source = || first.take().or_else(&mut next);
        let mut sink = |value: Particle| {
            append_row(rows, b"SUCCESS", value.kind, &value.bytes);
            true
        };
        let deadline = node.host.monotonic() + PARTITION_TIME;
        let outcome = node.udf.aggregate(call, &mut source, &mut sink, deadline);
        outcome.map_err(|failure| {
            append_row(rows, b"FAILURE", ParticleType::STRING, &failure.text());
            ResultCode::UNKNOWN
        })
    }

    /// A record that the aggregation is about. Waits for the device that it is on.
    fn load(&self, node: &Node, request: &Request<'_>, listed: &Listed) -> Option<LoadedRecord> {
        let (mut scratch, mut row) = (Vec::new(), Vec::new());
        storage::blocking(|fetched| {
            let now = node.host.now();
            let turn = Turn {
                now,
                stripe: Stripe::SHARED,
                scratch: &mut scratch,
                fetched,
                pledges: &mut Pledges::default(),
                written: Written::Nothing,
            };
            match self.namespace.row(&self.wanted, listed, &turn, &mut row)? {
                Row::Written => {}
                Row::Failed => {
                    self.tell(|counts| &counts.failed);
                    return Ok(None);
                }
                _ => return Ok(None),
            }
            let mut request = *request;
            let set = self.namespace.set_of(&listed.digest);
            request.set = set.map(|set| &*set.name);
            let loaded = self.namespace.load(&request, &listed.digest, &turn)?;
            let Some(loaded) = loaded.ok().filter(|loaded| loaded.meta.is_some()) else {
                return Ok(None);
            };
            self.tell(|counts| &counts.succeeded);
            let namespace = Arc::clone(&self.namespace);
            Ok::<_, Box<Fetch>>(Some(LoadedRecord { loaded, namespace, now }))
        })
    }

    fn tell(&self, of: impl FnOnce(&Counts) -> &AtomicU64) {
        of(&self.job.counts).fetch_add(1, Ordering::Relaxed);
    }
}

/// Appends a row that is about no record.
fn append_row(rows: &mut Vec<u8>, name: &[u8], kind: ParticleType, value: &[u8]) {
    let header = MessageHeader { n_ops: 1, ..MessageHeader::default() };
    rows.extend_from_slice(&header.to_bytes());
    reply::append_op(rows, OpCode::READ, kind, name, value);
}

impl Drop for Aggregation {
    /// One whose client has gone ends with the piece under way.
    fn drop(&mut self) {
        self.end(self.patience.given_up(self.node.host.monotonic()));
    }
}

impl fmt::Debug for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregation").field("job", &self.shared.job).finish_non_exhaustive()
    }
}
