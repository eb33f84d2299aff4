//! Batches: requests about many records in one message, answered by a stream of rows.
//!
//! A row is carried out as the single-record request that it stands for, by the thread that read the
//! batch, so filters, operations and checks are the same. What is different is around it:
//!
//! - A batch runs in *slices* of bounded work. Most are over with the first, and cost neither a copy
//!   nor an allocation. Otherwise a [`Batch`] keeps a copy of the message and the place in it; it
//!   holds no replies, and goes on only when the client has taken what it was sent.
//! - Rows come in frames of at most 128 KiB, unless a single row is larger. The last frame holds the
//!   overall result alone.
//! - Unless the client wants every row answered, one that fails silences those after it. They are
//!   carried out nevertheless, as the original does: by then its threads have them in their queues.
//! - A row whose record has to be read from a device ends its slice, but not its frame. The records of the rows that
//!   follow are read with it, so that the device has more than one read to do at a time; then the batch
//!   goes on from that row.
//! - A row that calls a function ends its slice likewise: another thread carries it out, and those that
//!   follow it and call functions as well.
//! - A row that another node has to carry out, or about which others have to be asked first, ends its
//!   slice likewise: it and those that follow it and are alike are carried out as requests of their own.
//! - What a slice has written waits for its devices before it is sent, if they are to be waited for.
//!   When one fails, the batch ends with `UNKNOWN`, and those rows are not answered.
//! - A batch that breaks off, or names an unknown namespace, ends there with `PARAMETER`: the rows
//!   before are carried out, and those of the frame under way are not answered.
//!
//! Where to look: who may start a batch and what rows do to it in `slice.rs`, frames in `frames.rs`,
//! batches between two slices in `partial.rs`, reading ahead in `ahead.rs`, rows that call functions in
//! `calls.rs`, rows that other nodes have to do with in `relay.rs`.

mod ahead;
mod calls;
mod frames;
mod partial;
mod relay;
mod slice;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use engine::Turn;
use expr::Filter;
use wire::batch::{BatchFlags, BatchHeader, Place, Rows};
use wire::{FieldType, Info1, Request, ResultCode, reply};

pub use partial::Batch;

use crate::counters::ServiceCounter;
use crate::node::Node;
use crate::unfinished::Unfinished;
use crate::waits::Waits;
use crate::worker::Answer;

/// Time in ms that a batch has when the client does not say.
const TIME_MS_DEFAULT: u32 = 30_000;

/// A batch between two of its slices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct State {
    place: Place,
    flags: BatchFlags,
    course: Course,
    /// Whether the client takes compressed frames.
    compresses: bool,
    /// When the wake-up that brought it began, by the monotonic clock.
    begun: Duration,
    /// When rows are not carried out any more, by the monotonic clock.
    deadline: Duration,
    /// Whether that has happened.
    is_late: bool,
}

/// What becomes of further rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Course {
    /// They are carried out and answered.
    Answering,
    /// A row has failed: those of its frame are still answered.
    Ending(ResultCode),
    /// A row has failed: they are carried out only.
    Silent(ResultCode),
}

impl Course {
    /// The overall result, as far as it is known.
    fn result(self) -> ResultCode {
        match self {
            Self::Answering => ResultCode::OK,
            Self::Ending(result) | Self::Silent(result) => result,
        }
    }
}

impl Node {
    /// Answers a batch, or begins to. `body` is that of its message.
    pub(crate) fn batch(
        self: &Arc<Self>,
        message: &Request<'_>,
        body: &[u8],
        woken: Duration,
        turn: &mut Turn<'_>,
        waits: &mut Waits,
        out: &mut Vec<u8>,
    ) -> Answer {
        self.counters.raise(turn.stripe, ServiceCounter::BatchIndexInitiate);
        let (header, mut rows) = match self.admit_batch(message) {
            Ok(admitted) => admitted,
            Err(result) => {
                self.counters.raise(turn.stripe, ServiceCounter::BatchIndexError);
                reply::last(out, result);
                return Answer::POINT;
            }
        };
        let time_ms = match message.header.transaction_ttl_ms {
            0 => TIME_MS_DEFAULT,
            time_ms => time_ms,
        };
        let mut state = State {
            place: rows.place(),
            flags: header.flags,
            course: Course::Answering,
            compresses: message.header.info1.contains(Info1::COMPRESS_RESPONSE),
            begun: woken,
            deadline: woken.saturating_add(Duration::from_millis(time_ms.into())),
            is_late: false,
        };
        let start = out.len();
        let ran = slice::run(self, &mut state, &mut rows, &mut slice::Open::default(), turn, out);
        if let Some(result) = ran.end
            && ran.pledged.is_empty()
            && ran.changes.is_empty()
        {
            slice::finish(self, &state, result, turn.stripe, out);
            return Answer::Whole { work: ran.rows };
        }
        let mut batch = Batch::new(Arc::clone(self), turn.stripe, body, state);
        batch.pause(ran, waits, (out, start));
        Answer::Partial(Box::new(Unfinished::Batch(batch)))
    }

    /// Refuses batches that cannot even begin: nothing of them is carried out.
    fn admit_batch<'a>(
        &self,
        message: &Request<'a>,
    ) -> Result<(BatchHeader, Rows<'a>), ResultCode> {
        let config = self.config();
        if config.service.batch_index_threads == Some(0) {
            return Err(ResultCode::BATCH_DISABLED);
        }
        let (header, rows) = Rows::of(message).map_err(|_| ResultCode::PARAMETER)?;
        let rows_max = config.service.batch_max_requests;
        if header.row_count == 0 {
            return Err(ResultCode::PARAMETER);
        }
        if rows_max != 0 && header.row_count > rows_max {
            return Err(ResultCode::BATCH_MAX_REQUESTS);
        }
        if let Some(filter) = message.field(FieldType::FILTER) {
            Filter::build(filter)?;
        }
        Ok((header, rows))
    }
}
