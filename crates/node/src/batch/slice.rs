//! One slice of a batch: rows are carried out until they are enough for a turn.

use std::time::Duration;

use engine::{Namespace, Turn};
use wire::batch::{BatchFlags, Row, Rows};
use wire::reply::RowCodes;
use wire::{Digest, FieldType, Info2, Request, ResultCode, reply};

use super::frames::{FRAME_BYTES_MAX, Frames};
use super::{Course, State};
use crate::counters::ServiceCounter;
use crate::dispatch::execute;
use crate::node::Node;
use crate::outcome::{self, Origin};

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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ran {
    /// Rows carried out.
    pub rows: usize,
    /// Whether no row is left and the reply is whole.
    pub is_over: bool,
}

/// Runs one slice, from the row at which `rows` stand.
pub(super) fn run(
    node: &Node,
    state: &mut State,
    rows: &mut Rows<'_>,
    turn: &mut Turn<'_>,
    out: &mut Vec<u8>,
) -> Ran {
    let frames = Frames::new(out, node, turn.stripe, state.compresses);
    let now = state.begun;
    let mut slice = Slice { node, state, frames, namespace: None, now, ran: 0 };
    let end = slice.run_rows(rows, turn);
    slice.frames.close();
    slice.frame_closed();
    let ran = slice.ran;
    state.place = rows.place();
    if let Some(result) = end {
        reply::last(out, result);
        count_batch(node, state, result, turn);
    }
    Ran { rows: ran, is_over: end.is_some() }
}

fn count_batch(node: &Node, state: &State, result: ResultCode, turn: &Turn<'_>) {
    let counter = match result {
        _ if state.is_late => ServiceCounter::BatchIndexTimeout,
        ResultCode::OK => ServiceCounter::BatchIndexComplete,
        _ => ServiceCounter::BatchIndexError,
    };
    node.counters.raise(turn.stripe, counter);
    let took = node.host.monotonic().saturating_sub(state.begun).as_micros() as u64;
    let value = if node.histograms_in_micros() { took } else { took / 1000 };
    node.batch_latency.record(turn.stripe, value);
}

struct Slice<'s> {
    node: &'s Node,
    state: &'s mut State,
    frames: Frames<'s>,
    /// That of the last row, which rows that repeat it share.
    namespace: Option<&'s Namespace>,
    /// The last look at the clock.
    now: Duration,
    /// Rows carried out.
    ran: usize,
}

impl<'s> Slice<'s> {
    /// Returns the overall result once no row is left.
    fn run_rows(&mut self, rows: &mut Rows<'_>, turn: &mut Turn<'_>) -> Option<ResultCode> {
        while self.ran < SLICE_ROWS_MAX && self.frames.bytes() < SLICE_BYTES {
            // The first row of a kind says in which namespace to look for those that repeat it.
            if self.ran % GROUP_ROWS == 1 {
                self.look_ahead(rows);
            }
            let row = match rows.next_row() {
                Ok(Some(row)) => row,
                Ok(None) => return Some(self.state.course.result()),
                Err(_) => return Some(self.break_off()),
            };
            let Some(namespace) = self.namespace_of(row) else { return Some(self.break_off()) };
            if self.ran.is_multiple_of(GROUP_ROWS) {
                self.now = self.node.host.monotonic();
            }
            let result = self.run_row(row, namespace, turn);
            self.steer(result);
            self.ran += 1;
        }
        None
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

    fn namespace_of(&mut self, row: &Row<'_>) -> Option<&'s Namespace> {
        if !row.repeats || self.namespace.is_none() {
            let found = row.request.namespace.and_then(|name| self.node.namespace(name));
            self.namespace = found.map(|namespace| &**namespace);
        }
        self.namespace
    }

    /// Carries a row out and writes the answer to it.
    #[inline]
    fn run_row(&mut self, row: &Row<'_>, namespace: &Namespace, turn: &mut Turn<'_>) -> ResultCode {
        let reply = self.frames.begin_row(row.index, codes_of(&row.request));
        if self.now >= self.state.deadline {
            self.state.is_late = true;
            outcome::count_early(namespace, Origin::Batch, ResultCode::TIMEOUT, turn.stripe);
            reply.finish(ResultCode::TIMEOUT, 0, 0);
            return ResultCode::TIMEOUT;
        }
        match execute(namespace, &row.request, turn, reply) {
            (Some(command), result) => {
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
        }
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
