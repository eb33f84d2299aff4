//! The stream of rows that a query returns.

use std::fmt;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine::latencies::LatencyKind;
use engine::query::Row;
use engine::sindex::Sindex;
use engine::{Stripe, Turn};
use storage::{Fetch, Fetched, Pledges, Ticket};
use wire::compress::shrink_last_frame;
use wire::proto::{ProtoType, close_frame, open_frame};
use wire::{Digest, ResultCode, query};

use super::counters::{End, of_basic};
use super::jobs::{Brief, Ending, Job, JobKind};
use super::pace::Pace;
use super::plan::{Plan, name_of, sindex_of};
use super::walk::{Reach, Walk};
use crate::node::Node;
use crate::unfinished::{Progress, Unfinished};
use crate::waits::{Claim, Waits};
use crate::worker::{Answer, Worker};

/// Most records that a slice looks at: as with batches, others wait no longer than for some hundred
/// requests.
const SLICE_RECORDS: usize = 256;

/// A slice begins no further row once its frame has this size in bytes.
const SLICE_BYTES: usize = 112 << 10;

/// Most times that a slice lists records: where few are of the set, each time passes over thousands of
/// others.
const SLICE_LISTS: usize = 4;

/// Records that are loaded ahead, so that their cache misses overlap.
const GROUP: usize = 16;

/// Records, from the one that misses, that are read from devices together.
const READ_TOGETHER: usize = 64;

/// A query that returns records, between two slices.
pub struct Query {
    node: Arc<Node>,
    stripe: Stripe,
    plan: Plan,
    begun: Duration,
    /// The job that it is, if it is a long one.
    job: Option<Arc<Job>>,
    pace: Pace,
    walk: Walk,
    /// Rows that may still be returned.
    rows_left: u64,
    /// Once it has waited.
    claim: Option<Claim>,
    /// What was read for the records that come next.
    fetched: Fetched,
    /// How many of these were looked at when it was.
    ahead: usize,
    is_over: bool,
}

/// Why a slice ended.
enum Pause {
    /// It was enough for a turn.
    Enough,
    Over(ResultCode),
    /// The next record has to be read first.
    Misses(Box<Fetch>),
    /// It has to wait for its pace.
    Until(Duration),
}

impl Query {
    /// Begins a query. A long one becomes a job.
    ///
    /// # Errors
    /// Those of the table of jobs.
    pub(super) fn new(
        node: &Arc<Node>,
        plan: Plan,
        from: SocketAddr,
        begun: Duration,
        stripe: Stripe,
    ) -> Result<Self, ResultCode> {
        let job = match plan.short_ms {
            Some(_) => None,
            None => {
                let active_max = node.config().service.query_threads_limit as usize;
                Some(node.jobs.begin(brief_of(&plan, from, begun), active_max)?)
            }
        };
        let mut plan = plan;
        Ok(Self {
            node: Arc::clone(node),
            stripe,
            begun,
            job,
            pace: Pace::new(plan.records_per_second, begun),
            walk: match plan.is_set_unknown {
                // No record can be in a set that nobody has heard of.
                true => Walk::without_records(mem::take(&mut plan.parts)),
                false => Walk::new(mem::take(&mut plan.parts)),
            },
            rows_left: plan.rows_max,
            plan,
            claim: None,
            fetched: Fetched::default(),
            ahead: 0,
            is_over: false,
        })
    }

    /// Answers the query, or begins to.
    pub(super) fn start(
        mut self,
        turn: &mut Turn<'_>,
        waits: &mut Waits,
        out: &mut Vec<u8>,
    ) -> Answer {
        let pause = self.slice(turn, out);
        match self.pause(pause, waits) {
            Progress::Over => Answer::Whole { work: self.walk.done().max(1) },
            _ => Answer::Partial(Box::new(Unfinished::Query(Box::new(self)))),
        }
    }

    /// Appends the rows of one slice to `out`.
    pub(crate) fn advance(&mut self, worker: &mut Worker, out: &mut Vec<u8>) -> Progress {
        if let Some(claim) = &self.claim {
            let Some(outcome) = claim.outcome() else { return Progress::Waits(claim.ticket()) };
            if !outcome.fetched.is_empty() {
                self.fetched = outcome.fetched;
            }
        }
        let (fetched, mut pledges) = (mem::take(&mut self.fetched), Pledges::default());
        let (_, turn, _) = worker.resume(&fetched, &mut pledges);
        self.plan.patience.taken();
        let pause = self.slice(&turn, out);
        self.fetched = fetched;
        self.pause(pause, worker.waits())
    }

    /// Appends the frames of a slice.
    fn slice(&mut self, turn: &Turn<'_>, out: &mut Vec<u8>) -> Pause {
        let start = out.len();
        let open_at = open_frame(out);
        let pause = self.rows(turn, out);
        let is_empty = out.len() == start + wire::ProtoHeader::SIZE;
        match &pause {
            Pause::Over(result) if self.job.is_none() || is_empty => query::last(out, *result),
            _ if is_empty => out.truncate(start),
            _ => {}
        }
        if out.len() > start {
            self.close_frame(out, open_at);
        }
        if let Pause::Over(result) = pause {
            if self.job.is_some() && !is_empty {
                let open_at = open_frame(out);
                query::last(out, result);
                self.close_frame(out, open_at);
            }
            self.finish(result);
        }
        pause
    }

    /// Sees to it that the query goes on after a slice.
    fn pause(&mut self, pause: Pause, waits: &mut Waits) -> Progress {
        match pause {
            Pause::Over(_) => Progress::Over,
            Pause::Enough => Progress::More,
            Pause::Misses(fetch) => self.read(&fetch, waits),
            Pause::Until(time) => {
                let claim = self.claim.get_or_insert_with(|| waits.claim());
                waits.sleep(claim, time);
                Progress::Waits(claim.ticket())
            }
        }
    }

    /// Appends rows until it is time for a pause.
    fn rows(&mut self, turn: &Turn<'_>, out: &mut Vec<u8>) -> Pause {
        let (now, start) = (self.node.host.monotonic(), out.len());
        if let Some(result) = self.cut_short(now) {
            return Pause::Over(result);
        }
        let allowance = self.pace.allowance(now);
        let (mut looked_at, mut lists) = (0, 0);
        while looked_at < SLICE_RECORDS && out.len() - start < SLICE_BYTES {
            if self.rows_left == 0 {
                return Pause::Over(ResultCode::OK);
            }
            if self.walk.ahead().is_empty() {
                if lists == SLICE_LISTS {
                    break;
                }
                lists += 1;
                if !self.list(out) {
                    // The index may have been dropped meanwhile: then there is nothing more in it.
                    return Pause::Over(self.cut_short(now).unwrap_or(ResultCode::OK));
                }
                continue;
            }
            if looked_at == allowance {
                self.tell(|counts| &counts.throttled, 1);
                return Pause::Until(self.pace.next_at());
            }
            if self.walk.done().is_multiple_of(GROUP) {
                self.load_ahead();
            }
            match self.row(turn, out) {
                Ok(()) => looked_at += 1,
                Err(fetch) => return Pause::Misses(fetch),
            }
            self.pace.worked(1);
        }
        Pause::Enough
    }

    /// The result with which the query ends before it is through, if it does.
    fn cut_short(&self, now: Duration) -> Option<ResultCode> {
        if self.job.as_ref().is_some_and(|job| job.is_aborted()) {
            return Some(ResultCode::QUERY_ABORT);
        }
        if sindex_of(&self.plan.wanted).is_some_and(Sindex::is_dropped) {
            return Some(ResultCode::UNKNOWN);
        }
        let short_ms = self.plan.short_ms?;
        let deadline = self.begun + Duration::from_millis(short_ms.into());
        (now >= deadline).then_some(ResultCode::TIMEOUT)
    }

    /// Lists the next records, and tells of partitions that are not here. False if there are none left.
    fn list(&mut self, out: &mut Vec<u8>) -> bool {
        self.ahead = 0;
        let table = self.node.cluster.table(self.plan.namespace.number());
        let reach = Reach { table, scope: self.plan.scope };
        let step = self.walk.list(&self.plan.namespace, &self.plan.wanted, reach);
        for partition in &step.absent {
            query::partition_failed(out, *partition, ResultCode::UNAVAILABLE);
        }
        self.tell(|counts| &counts.parts_done, step.parts_done);
        !step.is_over
    }

    /// Begins to load the next records.
    fn load_ahead(&self) {
        let mut digests = [Digest([0; Digest::SIZE]); GROUP];
        let ahead = self.walk.ahead();
        let count = ahead.len().min(GROUP);
        for (digest, listed) in digests.iter_mut().zip(ahead) {
            *digest = listed.digest;
        }
        self.plan.namespace.prefetch(&digests[..count]);
    }

    /// Looks at the next record.
    fn row(&mut self, turn: &Turn<'_>, out: &mut Vec<u8>) -> Result<(), Box<Fetch>> {
        let Some(listed) = self.walk.ahead().first() else { return Ok(()) };
        let row = self.plan.namespace.row(&self.plan.wanted, listed, turn, out)?;
        self.walk.pass();
        self.ahead = self.ahead.saturating_sub(1);
        match row {
            Row::Written => {
                self.rows_left -= 1;
                self.tell(|counts| &counts.succeeded, 1);
            }
            Row::Absent => {}
            Row::FilteredByMetadata => self.tell(|counts| &counts.filtered_by_metadata, 1),
            Row::FilteredByBins => self.tell(|counts| &counts.filtered_by_bins, 1),
            Row::Failed => self.tell(|counts| &counts.failed, 1),
        }
        Ok(())
    }

    /// Begins to read what the next record misses, and what those behind it are likely to miss.
    fn read(&mut self, fetch: &Fetch, waits: &mut Waits) -> Progress {
        let claim = self.claim.get_or_insert_with(|| waits.claim());
        if self.ahead > 0 {
            // Its record has moved since; what was read for others is still good.
            waits.keep(claim, mem::take(&mut self.fetched));
            waits.read(claim, fetch);
            return Progress::Waits(claim.ticket());
        }
        self.fetched.clear();
        waits.read(claim, fetch);
        let behind = self.walk.ahead();
        for listed in behind.iter().take(READ_TOGETHER).skip(1) {
            if let Some(fetch) = self.plan.namespace.fetch_for(&listed.digest, Fetched::NONE) {
                waits.read(claim, &fetch);
            }
        }
        self.ahead = behind.len().min(READ_TOGETHER);
        Progress::Waits(claim.ticket())
    }

    fn close_frame(&self, out: &mut Vec<u8>, open_at: usize) {
        close_frame(out, open_at, ProtoType::Message);
        if self.plan.compresses {
            let (before, after) = shrink_last_frame(out, open_at);
            self.plan.namespace.query_compression.record(before, after);
        }
        self.tell(|counts| &counts.reply_bytes, (out.len() - open_at) as u64);
    }

    /// Counts for the job.
    fn tell(&self, of: impl FnOnce(&super::jobs::Counts) -> &AtomicU64, amount: u64) {
        if let Some(job) = &self.job {
            of(&job.counts).fetch_add(amount, Ordering::Relaxed);
        }
    }

    fn finish(&mut self, result: ResultCode) {
        let (end, ending) = match result {
            ResultCode::OK => (End::Complete, Ending::Done),
            ResultCode::TIMEOUT => (End::Late, Ending::Failed),
            ResultCode::QUERY_ABORT => (End::Aborted, Ending::Aborted),
            _ => (End::Failed, Ending::Failed),
        };
        self.end(end, ending);
    }

    fn end(&mut self, end: End, ending: Ending) {
        if mem::replace(&mut self.is_over, true) {
            return;
        }
        let (namespace, now) = (&self.plan.namespace, self.node.host.monotonic());
        let has_where = self.plan.wanted.matching.is_some();
        let counter = of_basic(has_where, self.job.is_none(), end);
        namespace.counters.raise(self.stripe, counter);
        let kind = if has_where { LatencyKind::SiQuery } else { LatencyKind::PiQuery };
        let took = now.saturating_sub(self.begun);
        namespace.latencies.record(self.stripe, kind, took, self.node.histograms_in_micros());
        if let Some(job) = &self.job {
            let ended_max = self.node.config().service.query_max_done as usize;
            self.node.jobs.end(job, ending, now, ended_max);
        }
    }

    /// The ticket for which it waits, if it does.
    pub(crate) fn ticket(&self) -> Option<Ticket> {
        self.claim.as_ref().filter(|claim| !claim.is_over()).map(Claim::ticket)
    }

    /// Notes that the client did not take all that the last slice gave: what was read ahead is given up,
    /// since it may be long until it has.
    pub(crate) fn delayed(&mut self) {
        self.plan.patience.delayed(self.node.host.monotonic());
        self.fetched.clear();
        self.ahead = 0;
    }

    /// See [`Unfinished::send_timeout_ms`].
    pub(crate) fn send_timeout_ms(&self) -> u32 {
        self.plan.patience.timeout_ms
    }

    /// Memory that it holds, in bytes; what is being read not included.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.walk.held_bytes() + self.fetched.held_bytes()
    }
}

fn brief_of(plan: &Plan, from: SocketAddr, begun: Duration) -> Brief {
    Brief {
        id: plan.id,
        namespace: plan.namespace.name.clone(),
        set: plan.set.clone(),
        index_name: sindex_of(&plan.wanted).map(name_of),
        kind: JobKind::Basic,
        requested: plan.requested,
        records_per_second: plan.records_per_second,
        socket_timeout_ms: plan.patience.timeout_ms,
        function: None,
        from,
        begun,
    }
}

impl Drop for Query {
    /// A query whose client has gone is one that failed.
    fn drop(&mut self) {
        self.end(End::Failed, self.plan.patience.given_up(self.node.host.monotonic()));
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("walk", &self.walk).finish_non_exhaustive()
    }
}
