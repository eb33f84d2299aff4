//! One slice of a batch: rows are carried out until they are enough for a turn.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;
use cluster::partition::Partition;
use engine::copies::Written;
use engine::latencies::{Benchmark, LatencyKind};
use engine::stats::NamespaceCounter;
use engine::{Namespace, Stripe, Turn};
use storage::Fetch;
use wire::batch::{BatchFlags, Place, Row, Rows};
use wire::client::Reply;
use wire::reply::RowCodes;
use wire::{Digest, FieldType, Info2, ProtoHeader, Request, ResultCode, reply};

use super::calls::{self, Called};
use super::frames::{FRAME_BYTES_MAX, Frames};
use super::{Course, State};
use crate::counters::ServiceCounter;
use crate::dispatch::execute;
use crate::node::Node;
use crate::outcome::{self, Command, Origin};
use crate::peers::{Admission, waits_for_all};
use crate::udf::counters::OF_BATCHES;
use crate::waits::Pledged;

/// Most rows in a slice: at a microsecond or less for each, other clients wait no longer than for a
/// few hundred requests.
const SLICE_ROWS_MAX: usize = 256;

/// A slice begins no further row once its replies have this size in bytes. What ends a slice ends a
/// frame, and a frame has room for one more row after that unless it is large.
const SLICE_BYTES: usize = FRAME_BYTES_MAX / 8 * 7;

/// Rows that share what is done once for several: a look at the clock, which would else be a good part
/// of a row's cost, and the loading of records ahead, which lets their cache misses overlap.
const GROUP_ROWS: usize = 16;

/// Rows from which loading ahead pays.
const PREFETCH_FROM: usize = 4;

/// What a slice came to.
#[derive(Debug)]
pub(super) struct Ran {
    /// Rows carried out.
    pub rows: usize,
    /// The overall result, if no row is left.
    pub end: Option<ResultCode>,
    /// What has to be read before the next row can be carried out, if the slice ended with that.
    pub miss: Option<Fetch>,
    /// Whether it ended with a row that calls a function, which is for another thread.
    pub calls: bool,
    /// Whether it ended with a row that other nodes have to do with.
    pub relays: bool,
    /// What other nodes have to hear of before the rows may be answered.
    pub changes: Vec<Change>,
    /// The frame that is open then.
    pub open: Open,
    /// What devices have to do before the rows may be answered.
    pub pledged: Vec<Pledged>,
}

/// A change that other nodes have to hear of.
#[derive(Debug)]
pub(super) struct Change {
    pub namespace: Arc<Namespace>,
    pub partition: Arc<Partition>,
    pub digest: Digest,
    pub written: Written,
    /// The new body.
    pub bytes: Vec<u8>,
    /// Whether the rows wait for it.
    pub is_awaited: bool,
    /// Counts it when it is sent again.
    pub resent: NamespaceCounter,
}

/// A row is not carried out in the slice.
struct NotHere;

/// What the next slice goes on with. Where frames end shall not depend on what had to be read.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// The open frame; empty if there is none.
    pub frame: Vec<u8>,
    /// Rows carried out since a slice ended without a miss.
    rows: usize,
    /// What came of rows that call functions, by their places.
    pub called: VecDeque<(Place, Called)>,
    /// The answers to rows that other nodes have to do with, by their places.
    pub relayed: VecDeque<(Place, Vec<u8>)>,
}

impl Open {
    /// Whether the row at a place was carried out already, by another thread or node.
    pub fn has(&self, place: Place) -> bool {
        self.called.iter().any(|(of, _)| *of == place)
            || self.relayed.iter().any(|(of, _)| *of == place)
    }
}

/// What came of the row at a place. Others may stand before it: which rows are for this node can have changed
/// since they were carried out.
pub(super) fn take<T>(rows: &mut VecDeque<(Place, T)>, place: Place) -> Option<T> {
    let at = rows.iter().position(|(of, _)| *of == place)?;
    rows.remove(at).map(|(_, row)| row)
}

/// Why a slice ended.
enum End {
    /// It was enough for a turn.
    Enough,
    /// No row is left.
    Over(ResultCode),
    /// The record of the row at this place has to be read first.
    Misses(Place, Fetch),
    /// The row at this place calls a function.
    Calls(Place),
    /// Other nodes have to do with the row at this place.
    Relays(Place),
}

/// Runs one slice, from the row at which `rows` stand. When no row is left, [`finish`] is still to come.
pub(super) fn run(
    node: &Node,
    state: &mut State,
    rows: &mut Rows<'_>,
    open: &mut Open,
    turn: &mut Turn<'_>,
    out: &mut Vec<u8>,
) -> Ran {
    let (called, relayed) = (mem::take(&mut open.called), mem::take(&mut open.relayed));
    let frames = Frames::new(out, node, turn.stripe, state.compresses, &open.frame);
    let now = if open.rows == 0 { state.begun } else { node.host.monotonic() };
    let (namespace, pledged) = (None, Vec::new());
    let (ran, changes) = (open.rows, Vec::new());
    let mut slice =
        Slice { node, state, frames, namespace, now, ran, pledged, changes, called, relayed };
    let end = slice.run_rows(rows, turn);
    slice.collect_pledges(turn);
    let mut ran = Ran {
        rows: slice.ran - open.rows,
        end: None,
        miss: None,
        calls: false,
        relays: false,
        open: Open::default(),
        pledged: std::mem::take(&mut slice.pledged),
        changes: std::mem::take(&mut slice.changes),
    };
    let place = match &end {
        End::Misses(place, _) | End::Calls(place) | End::Relays(place) => Some(*place),
        End::Enough | End::Over(_) => None,
    };
    if let Some(place) = place {
        ran.calls = matches!(end, End::Calls(_));
        ran.relays = matches!(end, End::Relays(_));
        if let End::Misses(_, fetch) = end {
            ran.miss = Some(fetch);
        }
        let (called, relayed) = (mem::take(&mut slice.called), mem::take(&mut slice.relayed));
        ran.open = Open { frame: slice.frames.suspend(), rows: slice.ran, called, relayed };
        state.place = place;
        return ran;
    }
    ran.open.called = mem::take(&mut slice.called);
    ran.open.relayed = mem::take(&mut slice.relayed);
    slice.frames.close();
    slice.frame_closed();
    state.place = rows.place();
    if let End::Over(result) = end {
        ran.end = Some(result);
    }
    ran
}

/// Writes the last message of a batch, and counts it.
pub(super) fn finish(
    node: &Node,
    state: &State,
    result: ResultCode,
    stripe: Stripe,
    out: &mut Vec<u8>,
) {
    reply::last(out, result);
    let counter = match result {
        _ if state.is_late => ServiceCounter::BatchIndexTimeout,
        ResultCode::OK => ServiceCounter::BatchIndexComplete,
        _ => ServiceCounter::BatchIndexError,
    };
    node.counters.raise(stripe, counter);
    let took = node.host.monotonic().saturating_sub(state.begun).as_micros() as u64;
    let value = if node.histograms_in_micros() { took } else { took / 1000 };
    node.batch_latency.record(stripe, value);
}

struct Slice<'s> {
    node: &'s Node,
    state: &'s mut State,
    frames: Frames<'s>,
    /// That of the last row, which rows that repeat it share.
    namespace: Option<&'s Arc<Namespace>>,
    /// The last look at the clock.
    now: Duration,
    /// Rows carried out.
    ran: usize,
    /// Pledges of rows in other namespaces than that of the last.
    pledged: Vec<Pledged>,
    /// What other nodes have to hear of.
    changes: Vec<Change>,
    /// What came of rows that call functions, by their places.
    called: VecDeque<(Place, Called)>,
    /// The answers to rows that other nodes have to do with, by their places.
    relayed: VecDeque<(Place, Vec<u8>)>,
}

impl<'s> Slice<'s> {
    fn run_rows(&mut self, rows: &mut Rows<'_>, turn: &mut Turn<'_>) -> End {
        while self.ran < SLICE_ROWS_MAX && self.frames.bytes() < SLICE_BYTES {
            // The first row of a kind says in which namespace to look for those that repeat it.
            if self.ran % GROUP_ROWS == 1 {
                self.look_ahead(rows);
            }
            let place = rows.place();
            let row = match rows.next_row() {
                Ok(Some(row)) => row,
                Ok(None) => return End::Over(self.state.course.result()),
                Err(_) => return End::Over(self.break_off()),
            };
            let Some(namespace) = self.namespace_of(row, turn) else {
                return End::Over(self.break_off());
            };
            if self.ran.is_multiple_of(GROUP_ROWS) {
                self.now = self.node.host.monotonic();
            }
            // Once it was carried out it must not be again, whoever is to do it by now.
            if let Some(answer) = take(&mut self.relayed, place) {
                let result = self.answer_relayed(row, &answer);
                self.steer(result);
                self.ran += 1;
                continue;
            }
            if let Some(called) = take(&mut self.called, place) {
                let result = self.answer_call(row, namespace, called);
                self.steer(result);
                self.ran += 1;
                continue;
            }
            let shared = match self.admit(row, namespace) {
                Ok(shared) => shared,
                Err(NotHere) => return End::Relays(place),
            };
            if calls::is_call(&row.request) {
                return End::Calls(place);
            }
            turn.written = Written::Nothing;
            match self.run_row(row, namespace, turn) {
                Ok(result) => {
                    if let Some(partition) = shared.filter(|_| turn.written != Written::Nothing) {
                        self.note_change(row, namespace, partition, turn);
                    }
                    self.steer(result);
                }
                Err(fetch) => {
                    self.frames.take_row_back();
                    return End::Misses(place, fetch);
                }
            }
            self.ran += 1;
        }
        End::Enough
    }

    /// Begins to load the records of the next rows.
    fn look_ahead(&self, rows: &Rows<'_>) {
        let mut digests = [Digest([0; Digest::SIZE]); GROUP_ROWS];
        let count = rows.repeats_ahead(&mut digests);
        if let Some(namespace) = self.namespace
            && count >= PREFETCH_FROM
        {
            namespace.prefetch(&digests[..count]);
        }
    }

    /// Whether the row is carried out here; if so, the partition, if others have to hear of a change.
    #[inline]
    fn admit(
        &self,
        row: &Row<'_>,
        namespace: &Namespace,
    ) -> Result<Option<Arc<Partition>>, NotHere> {
        let Some(digest) = row.request.valid_digest() else { return Ok(None) };
        match self.node.admit(namespace, &row.request, &digest, false) {
            Admission::Here(partition) if partition.is_sole() => Ok(None),
            Admission::Here(partition) => Ok(Some(Guard::into_inner(partition))),
            Admission::AfterLookup(_) | Admission::Elsewhere(_) | Admission::Unavailable => {
                Err(NotHere)
            }
        }
    }

    /// Keeps what other nodes have to hear of a row.
    fn note_change(
        &mut self,
        row: &Row<'_>,
        namespace: &Arc<Namespace>,
        partition: Arc<Partition>,
        turn: &Turn<'_>,
    ) {
        let Some(digest) = row.request.valid_digest() else { return };
        if partition.others().next().is_none() {
            return;
        }
        self.changes.push(Change {
            namespace: Arc::clone(namespace),
            partition,
            digest,
            written: turn.written,
            bytes: turn.scratch.clone(),
            is_awaited: waits_for_all(namespace, &row.request),
            resent: outcome::resent_write(Origin::Batch, &row.request),
        });
    }

    /// Writes the answer to a row that was carried out as a request of its own.
    fn answer_relayed(&mut self, row: &Row<'_>, answer: &[u8]) -> ResultCode {
        let mut reply = self.frames.begin_row(row.index, codes_of(&row.request));
        let body = answer.get(ProtoHeader::SIZE..).unwrap_or_default();
        let Ok((answered, _)) = Reply::parse(body) else {
            reply.finish(ResultCode::UNKNOWN, 0, 0);
            return ResultCode::UNKNOWN;
        };
        for op in answered.ops() {
            reply.op(op.code, op.particle_type, op.name, op.value);
        }
        let header = answered.header;
        reply.finish(header.result, header.generation, header.record_ttl);
        header.result
    }

    fn namespace_of(&mut self, row: &Row<'_>, turn: &mut Turn<'_>) -> Option<&'s Arc<Namespace>> {
        if !row.repeats || self.namespace.is_none() {
            self.collect_pledges(turn);
            self.namespace = row.request.namespace.and_then(|name| self.node.namespace(name));
        }
        self.namespace
    }

    /// Joins the pledges that rows made to the namespace that they are of.
    fn collect_pledges(&mut self, turn: &mut Turn<'_>) {
        if !turn.pledges.is_empty()
            && let Some(namespace) = self.namespace
        {
            self.pledged.push((Arc::clone(namespace), turn.pledges.take()));
        }
    }

    /// Carries a row out and writes the answer to it, if its record is at hand.
    #[inline]
    fn run_row(
        &mut self,
        row: &Row<'_>,
        namespace: &Namespace,
        turn: &mut Turn<'_>,
    ) -> Result<ResultCode, Fetch> {
        let reply = self.frames.begin_row(row.index, codes_of(&row.request));
        if self.now >= self.state.deadline {
            self.state.is_late = true;
            outcome::count_early(namespace, Origin::Batch, ResultCode::TIMEOUT, turn.stripe);
            reply.finish(ResultCode::TIMEOUT, 0, 0);
            return Ok(ResultCode::TIMEOUT);
        }
        let is_benchmarked = namespace.latencies.is_on(Benchmark::BatchSub);
        let begun = is_benchmarked.then(|| self.node.host.monotonic());
        Ok(match execute(namespace, &row.request, turn, reply)? {
            (Some(command), result) => {
                if let Some(begun) = begun {
                    self.benchmark(namespace, command, begun, turn.stripe);
                }
                let origin = Origin::Batch;
                outcome::count(namespace, origin, &row.request, command, result, turn.stripe);
                let took = self.now.saturating_sub(self.state.begun);
                let in_micros = self.node.histograms_in_micros();
                outcome::time(namespace, origin, command, took, in_micros, turn.stripe);
                result
            }
            (None, result) => {
                outcome::count_early(namespace, Origin::Batch, result, turn.stripe);
                result
            }
        })
    }

    /// Notes how long the steps of a row took whose turn was then.
    fn benchmark(&self, namespace: &Namespace, command: Command, begun: Duration, stripe: Stripe) {
        let in_micros = self.node.histograms_in_micros();
        let kind = match command {
            Command::Read => LatencyKind::BatchSubReadLocal,
            Command::Write | Command::Delete => LatencyKind::BatchSubWriteMaster,
        };
        let waited = begun.saturating_sub(self.state.begun);
        let took = self.node.host.monotonic().saturating_sub(begun);
        for (kind, took) in [(LatencyKind::BatchSubStart, waited), (kind, took)] {
            namespace.latencies.record_step(stripe, kind, took, in_micros);
        }
    }

    /// Writes the answer to a row that has called a function.
    fn answer_call(
        &mut self,
        row: &Row<'_>,
        namespace: &Namespace,
        Called { executed, took: in_function, pledged }: Called,
    ) -> ResultCode {
        executed.answer(self.frames.begin_row(row.index, codes_of(&row.request)));
        for counter in OF_BATCHES.of(&executed) {
            namespace.counters.raise(Stripe::SHARED, counter);
        }
        let took = self.now.saturating_sub(self.state.begun);
        let in_micros = self.node.histograms_in_micros();
        for (kind, took) in
            [(LatencyKind::BatchSubUdf, took), (LatencyKind::BatchSubUdfMaster, in_function)]
        {
            namespace.latencies.record_step(Stripe::SHARED, kind, took, in_micros);
        }
        self.pledged.extend(pledged);
        executed.result
    }

    /// Decides what becomes of the answer to the row just carried out, and of those to come.
    #[inline]
    fn steer(&mut self, result: ResultCode) {
        if self.frames.fit_row() {
            self.frame_closed();
        }
        if is_failure(result) {
            self.fail(result);
        }
        if let Course::Silent(_) = self.state.course {
            self.frames.discard();
        }
    }

    /// Of several failures, the last is the overall result.
    fn fail(&mut self, result: ResultCode) {
        let flags = self.state.flags;
        if flags.contains(BatchFlags::RESPOND_ALL) {
            return;
        }
        self.state.course = match self.state.course {
            Course::Answering if flags.contains(BatchFlags::INCLUDE_FAILURE) => {
                Course::Ending(result)
            }
            Course::Ending(_) => Course::Ending(result),
            Course::Answering | Course::Silent(_) => Course::Silent(result),
        };
    }

    /// The frame that held a failed row was the last.
    fn frame_closed(&mut self) {
        if let Course::Ending(result) = self.state.course {
            self.state.course = Course::Silent(result);
        }
    }

    /// It cannot be told where a further row would begin.
    fn break_off(&mut self) -> ResultCode {
        self.frames.discard();
        ResultCode::PARAMETER
    }
}

/// Whether a row with this result ends a batch that does not want every row answered. A record that
/// is not there, or that a filter leaves out, is no failure.
fn is_failure(result: ResultCode) -> bool {
    !matches!(result, ResultCode::OK | ResultCode::NOT_FOUND | ResultCode::FILTERED_OUT)
}

/// Rows that write answer as single-record requests do, others as if each operation were a read.
fn codes_of(request: &Request<'_>) -> RowCodes {
    let writes = request.header.info2.contains(Info2::WRITE);
    if writes && !request.present.contains(FieldType::UDF_FILENAME) {
        RowCodes::Requested
    } else {
        RowCodes::Read
    }
}
