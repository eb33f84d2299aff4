//! Jobs that change records: the operations of one request, or a function, applied to each record that a
//! query comes to.
//!
//! Nobody waits for what they answer. The host's threads carry them out a step at a time; between two
//! steps a job is a value in a queue (`queue.rs`), so that many jobs share few threads. These threads may
//! wait for devices.

use engine::copies::Written;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine::latencies::{Benchmark, LatencyKind};
use engine::query::{Listed, Row, Wanted, WantedBins};
use engine::sindex::Sindex;
use engine::stats::NamespaceCounter;
use engine::{Namespace, Stripe, Turn};
use expr::Filter;
use storage::{Fetch, Fetched, Pledges, Settled};
use wire::query::Part;
use wire::reply::{self, ReplyWriter};
use wire::{Digest, FieldType, Info1, Info3, OpCode, PartitionId, Request, ResultCode};

use super::counters::of_job;
use super::jobs::{Brief, Counts, Ending, Job, JobKind};
use super::pace::Pace;
use super::plan::{name_of, number, predicate_of, sindex_of};
use super::walk::{Reach, Scope, Walk};
use crate::node::Node;
use crate::peers::{Cause, Waiter};
use crate::udf::counters::OF_JOBS;
use crate::udf::execute;

/// Records of a step: a thread goes to the next job after some tens of microseconds.
const STEP_RECORDS: usize = 64;

/// How long a job waits for a device that has enough to write.
const OVERLOAD_PAUSE: Duration = Duration::from_millis(5);

/// Changes that wait for being sent to other nodes, above which a job waits for them.
const UNCOPIED_MAX: usize = 1_024;

/// A job that changes records, between two steps.
pub(crate) struct Background {
    namespace: Arc<Namespace>,
    /// Which records it is about.
    wanted: Wanted,
    /// The request's message.
    body: Box<[u8]>,
    job: Arc<Job>,
    walk: Walk,
    pace: Pace,
    /// What devices have to do before the job is over.
    pledges: Pledges,
    /// When it may go on, by the monotonic clock.
    pub(super) not_before: Duration,
}

/// What a step came to.
pub(super) enum Stepped {
    On,
    Until(Duration),
    Over(Ending),
}

impl Node {
    /// Begins a job that changes records, and answers that it has.
    pub(super) fn background(
        &self,
        request: &Request<'_>,
        body: &[u8],
        from: SocketAddr,
        out: &mut Vec<u8>,
    ) -> Result<(), ResultCode> {
        let namespace = request.namespace.and_then(|name| self.namespace(name));
        let namespace = namespace.ok_or(ResultCode::NAMESPACE)?;
        let job = self.plan_background(request, body, namespace, from).inspect_err(|_| {
            let has_where = request.present.contains(FieldType::INDEX_RANGE);
            let is_udf = request.present.contains(FieldType::UDF_FILENAME);
            let counter = of_job(is_udf, has_where, Ending::Failed);
            namespace.counters.raise(Stripe::SHARED, counter);
        })?;
        self.background.push(Box::new(job));
        reply::last(out, ResultCode::OK);
        Ok(())
    }

    fn plan_background(
        &self,
        request: &Request<'_>,
        body: &[u8],
        namespace: &Arc<Namespace>,
        from: SocketAddr,
    ) -> Result<Background, ResultCode> {
        let function = function_of(request);
        let kind = if function.is_some() { JobKind::BackgroundUdf } else { JobKind::BackgroundOps };
        if function.is_none() {
            check_ops(request)?;
        } else if self.config().service.disable_udf_execution {
            return Err(ResultCode::FORBIDDEN);
        }
        let rate_max = namespace.config().background_query_max_rps;
        let rate = match number(request, FieldType::RECORDS_PER_SECOND)? {
            None | Some(0) => rate_max,
            Some(rate) if rate > rate_max => return Err(ResultCode::PARAMETER),
            Some(rate) => rate,
        };
        let filter = request.field(FieldType::FILTER).map(Filter::build).transpose()?;
        let predicate = predicate_of(request, namespace, Stripe::SHARED)?;
        let set = match request.set {
            None => None,
            Some(name) => Some(namespace.sets.by_name(name).ok_or(ResultCode::NOT_FOUND)?.id),
        };
        let matching = predicate
            .map(|predicate| namespace.sindexes.find(request.set, predicate))
            .transpose()?;
        let wanted = Wanted {
            set,
            bins: WantedBins::None,
            filter: filter.map(Filter::into_owned),
            matching,
            begun: self.host.now(),
        };
        let now = self.host.monotonic();
        let id = request.field(FieldType::QUERY_ID).and_then(|id| id.try_into().ok());
        let brief = Brief {
            id: id.map_or(0, u64::from_be_bytes),
            namespace: namespace.name.clone(),
            set: request.set.map(Into::into),
            index_name: sindex_of(&wanted).map(name_of),
            kind,
            requested: (wire::PARTITIONS, 0),
            records_per_second: rate,
            socket_timeout_ms: 0,
            function,
            from,
            begun: now,
        };
        let active_max = self.config().service.query_threads_limit as usize;
        let parts = PartitionId::all().map(|partition| Part { partition, after: None }).collect();
        Ok(Background {
            namespace: Arc::clone(namespace),
            wanted,
            body: body.into(),
            job: self.jobs.begin(brief, active_max)?,
            walk: Walk::once(parts),
            pace: Pace::new(rate, now),
            pledges: Pledges::default(),
            not_before: now,
        })
    }
}

/// Module and function that a request names.
fn function_of(request: &Request<'_>) -> Option<(Box<str>, Box<str>)> {
    let module = request.field(FieldType::UDF_FILENAME)?;
    let function = request.field(FieldType::UDF_FUNCTION).unwrap_or_default();
    Some((String::from_utf8_lossy(module).into(), String::from_utf8_lossy(function).into()))
}

/// A job only writes, and answers nothing.
fn check_ops(request: &Request<'_>) -> Result<(), ResultCode> {
    let reads = |code| {
        matches!(
            code,
            OpCode::READ
                | OpCode::CDT_READ
                | OpCode::BITS_READ
                | OpCode::HLL_READ
                | OpCode::EXPRESSION_READ
        )
    };
    let wants_reply = request.header.info1.contains(Info1::READ);
    if request.header.n_ops == 0 || wants_reply || request.ops().any(|op| reads(op.code)) {
        return Err(ResultCode::PARAMETER);
    }
    Ok(())
}

impl Background {
    pub(super) fn step(&mut self, node: &Node, now: Duration) -> Stepped {
        if self.job.is_aborted() {
            return Stepped::Over(Ending::Aborted);
        }
        let is_over = self.walk.ahead().is_empty() && {
            let table = node.cluster.table(self.namespace.number());
            let reach = Reach { table, scope: Scope::Served };
            let step = self.walk.list(&self.namespace, &self.wanted, reach);
            self.job.counts.parts_done.fetch_add(step.parts_done, Ordering::Relaxed);
            step.is_over
        };
        // Asked last: there is nothing in an index that was dropped, so that is not the end of it.
        if sindex_of(&self.wanted).is_some_and(Sindex::is_dropped) {
            return Stepped::Over(Ending::Failed);
        }
        if is_over {
            return self.await_devices(now);
        }
        if node.uncopied_count() >= UNCOPIED_MAX {
            return Stepped::Until(now + OVERLOAD_PAUSE);
        }
        let allowance = self.pace.allowance(now);
        if allowance == 0 {
            self.tell(|counts| &counts.throttled);
            return Stepped::Until(self.pace.next_at());
        }
        let body = std::mem::take(&mut self.body);
        // It was read before, so it can be read again.
        let stepped = match Request::parse(&body) {
            Ok(request) => self.apply_to_some(node, request, allowance),
            Err(_) => Stepped::Over(Ending::Failed),
        };
        self.body = body;
        stepped
    }

    fn apply_to_some(
        &mut self,
        node: &Node,
        mut request: Request<'_>,
        allowance: usize,
    ) -> Stepped {
        // Records that are gone by now are not made anew.
        if self.job.brief.kind == JobKind::BackgroundOps {
            request.header.info3 |= Info3::UPDATE_ONLY;
        }
        let mut scratch = Scratch::default();
        for _ in 0..STEP_RECORDS.min(allowance) {
            let Some(&listed) = self.walk.ahead().first() else { break };
            let result = self.apply(node, &request, &listed, &mut scratch);
            if result == ResultCode::DEVICE_OVERLOAD {
                return Stepped::Until(node.host.monotonic() + OVERLOAD_PAUSE);
            }
            self.walk.pass();
            self.pace.worked(1);
        }
        Stepped::On
    }

    /// Applies the operations to a record, if the job is about it, and counts what came of that. Waits for
    /// the device that it is on.
    fn apply(
        &mut self,
        node: &Node,
        request: &Request<'_>,
        listed: &Listed,
        scratch: &mut Scratch,
    ) -> ResultCode {
        storage::blocking(|fetched| self.try_apply(node, request, listed, fetched, scratch))
    }

    fn try_apply(
        &mut self,
        node: &Node,
        request: &Request<'_>,
        listed: &Listed,
        fetched: &Fetched,
        scratch: &mut Scratch,
    ) -> Result<ResultCode, Fetch> {
        let namespace = Arc::clone(&self.namespace);
        let mut turn = Turn {
            now: node.record_time(),
            stripe: Stripe::SHARED,
            scratch: &mut scratch.body,
            fetched,
            pledges: &mut self.pledges,
            written: Written::Nothing,
        };
        scratch.reply.clear();
        let row = namespace.row(&self.wanted, listed, &turn, &mut scratch.reply);
        let result = match row.map_err(|fetch| *fetch)? {
            Row::Written => {
                // A write names the set of its record. A job may go through several.
                let set = namespace.set_of(&listed.digest);
                let mut request = *request;
                request.set = set.map(|set| &*set.name);
                if self.job.brief.kind == JobKind::BackgroundUdf {
                    return Ok(self.call(node, &request, &listed.digest));
                }
                scratch.reply.clear();
                let reply = ReplyWriter::new(&mut scratch.reply);
                let is_benchmarked = namespace.latencies.is_on(Benchmark::OpsSub);
                let begun = is_benchmarked.then(|| node.host.monotonic());
                let result = namespace.write(&request, &listed.digest, &mut turn, reply)?;
                let written = turn.written;
                let cause = unawaited(NamespaceCounter::RetransmitOpsSubReplWrite);
                node.copy_from_thread(&namespace, &listed.digest, written, cause);
                if let Some(begun) = begun {
                    time_step(node, &namespace, LatencyKind::OpsSubMaster, begun);
                }
                result
            }
            row => {
                self.leave_out(row);
                return Ok(ResultCode::NOT_FOUND);
            }
        };
        if result != ResultCode::DEVICE_OVERLOAD {
            self.count(result);
        }
        Ok(result)
    }

    /// Calls the function for a record, and counts what came of that.
    fn call(&mut self, node: &Node, request: &Request<'_>, digest: &Digest) -> ResultCode {
        let time_ms = node.config().service.transaction_max_ms;
        let begun = node.host.monotonic();
        let deadline = begun + Duration::from_millis(time_ms);
        let namespace = Arc::clone(&self.namespace);
        let executed = execute(node, &namespace, request, digest, deadline, &mut self.pledges);
        let cause = unawaited(NamespaceCounter::RetransmitUdfSubReplWrite);
        node.copy_from_thread(&namespace, digest, executed.written, cause);
        if namespace.latencies.is_on(Benchmark::UdfSub) {
            time_step(node, &namespace, LatencyKind::UdfSubMaster, begun);
        }
        let of: fn(&Counts) -> &AtomicU64 = match executed.result {
            ResultCode::OK => |counts| &counts.succeeded,
            ResultCode::FILTERED_OUT => |counts| &counts.filtered_by_bins,
            // The record is tried again.
            ResultCode::DEVICE_OVERLOAD => return executed.result,
            _ => |counts| &counts.failed,
        };
        self.tell(of);
        for counter in OF_JOBS.of(&executed) {
            namespace.counters.raise(Stripe::SHARED, counter);
        }
        executed.result
    }

    /// Counts a record to which nothing is applied.
    fn leave_out(&self, row: Row) {
        use NamespaceCounter::{
            OpsSubWriteError, OpsSubWriteFilteredOut, UdfSubUdfError, UdfSubUdfFilteredOut,
        };
        let (error, filtered) = match self.job.brief.kind {
            JobKind::BackgroundUdf => (UdfSubUdfError, UdfSubUdfFilteredOut),
            _ => (OpsSubWriteError, OpsSubWriteFilteredOut),
        };
        let (of, counter): (fn(&Counts) -> &AtomicU64, _) = match row {
            Row::FilteredByMetadata => (|counts| &counts.filtered_by_metadata, filtered),
            Row::FilteredByBins => (|counts| &counts.filtered_by_bins, filtered),
            Row::Failed => (|counts| &counts.failed, error),
            Row::Written | Row::Absent => return,
        };
        self.tell(of);
        self.namespace.counters.raise(Stripe::SHARED, counter);
    }

    /// Counts a record to which the operations were applied.
    fn count(&self, result: ResultCode) {
        use NamespaceCounter::{OpsSubWriteError, OpsSubWriteFilteredOut, OpsSubWriteSuccess};
        let (of, counter): (fn(&Counts) -> &AtomicU64, _) = match result {
            ResultCode::OK => (|counts| &counts.succeeded, OpsSubWriteSuccess),
            // It went meanwhile, or changed so that the filter leaves it out.
            ResultCode::NOT_FOUND => return,
            ResultCode::FILTERED_OUT => (|counts| &counts.filtered_by_bins, OpsSubWriteFilteredOut),
            _ => (|counts| &counts.failed, OpsSubWriteError),
        };
        self.tell(of);
        self.namespace.counters.raise(Stripe::SHARED, counter);
    }

    /// A job is over when what it has written is where it is to be.
    fn await_devices(&mut self, now: Duration) -> Stepped {
        match self.namespace.settled(&self.pledges) {
            Settled::Kept => Stepped::Over(Ending::Done),
            Settled::Waiting => Stepped::Until(now + OVERLOAD_PAUSE),
            Settled::Failed => Stepped::Over(Ending::Failed),
        }
    }

    fn tell(&self, of: impl FnOnce(&Counts) -> &AtomicU64) {
        of(&self.job.counts).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self, node: &Node, ending: Ending) {
        let is_udf = self.job.brief.kind == JobKind::BackgroundUdf;
        let counter = of_job(is_udf, self.wanted.matching.is_some(), ending);
        self.namespace.counters.raise(Stripe::SHARED, counter);
        let ended_max = node.config().service.query_max_done as usize;
        node.jobs.end(&self.job, ending, node.host.monotonic(), ended_max);
    }
}

/// Notes how long a step of what is benchmarked took that began then.
fn time_step(node: &Node, namespace: &Namespace, kind: LatencyKind, begun: Duration) {
    let took = node.host.monotonic().saturating_sub(begun);
    namespace.latencies.record(Stripe::SHARED, kind, took, node.histograms_in_micros());
}

/// What a step needs again for each record.
#[derive(Default)]
struct Scratch {
    body: Vec<u8>,
    reply: Vec<u8>,
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").field("job", &self.job).finish_non_exhaustive()
    }
}

/// Nobody waits for the replicas of what a job changes.
fn unawaited(resent: NamespaceCounter) -> Cause {
    Cause { waiter: Waiter::Nobody, resent: Some(resent) }
}
