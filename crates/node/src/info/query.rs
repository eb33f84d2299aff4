//! Queries that run, and the last that have ended.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wire::ResultCode;
use wire::info::ParamError;

use super::call::{Call, Refusal, c_number, put, put_joined};
use crate::query::{Job, JobKind};

/// Most bytes of a query's id.
const ID_BYTES_MAX: usize = 25;

fn parse_id(id: &[u8]) -> Result<u64, Refusal> {
    c_number(id).ok_or_else(|| Refusal::parameter("bad trid"))
}

/// All queries, or one of them.
pub(super) fn show(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let now = call.node.host.monotonic();
    let shown = match call.optional("trid", ID_BYTES_MAX)? {
        None => call.node.jobs.list(),
        Some(id) => {
            let job = call.node.jobs.get(parse_id(id)?);
            vec![job.ok_or_else(|| Refusal::new(ResultCode::NOT_FOUND, "job not found"))?]
        }
    };
    put_joined(out, b';', shown, |out, job| describe(&job, now, out));
    Ok(())
}

/// Appends what is told of a job, in the order of the info reference.
fn describe(job: &Job, now: Duration, out: &mut Vec<u8>) {
    let (brief, counts) = (&job.brief, &job.counts);
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let mut pair = |name: &str, value: &dyn fmt::Display| {
        put(out, format_args!("{}{name}={value}", if name == "trid" { "" } else { ":" }));
    };
    pair("trid", &brief.id);
    pair("ns", &brief.namespace);
    if let Some(set) = &brief.set {
        pair("set", &String::from_utf8_lossy(set));
    }
    if let Some(index) = &brief.index_name {
        pair("sindex-name", index);
    }
    let (whole, begun) = brief.requested;
    pair("n-pids-requested", &whole);
    pair("n-keyds-requested", &begun);
    pair("rps", &brief.records_per_second);
    pair("active-threads", &u8::from(job.end().is_none()));
    let until = match job.end() {
        None => {
            pair("status", &"active(ok)");
            now
        }
        Some((ending, at)) => {
            pair("status", &format_args!("done({})", ending.name()));
            at
        }
    };
    pair("job-progress", &format_args!("{:.2}", job.progress_pct()));
    pair("run-time", &until.saturating_sub(brief.begun).as_millis());
    pair("time-since-done", &now.saturating_sub(until).as_millis());
    pair("recs-throttled", &of(&counts.throttled));
    pair("recs-filtered-meta", &of(&counts.filtered_by_metadata));
    pair("recs-filtered-bins", &of(&counts.filtered_by_bins));
    pair("recs-succeeded", &of(&counts.succeeded));
    pair("recs-failed", &of(&counts.failed));
    pair("from", &brief.from.to_string().replace(':', "+"));
    pair("job-type", &brief.kind.name());
    pair("net-io-bytes", &of(&counts.reply_bytes));
    if brief.kind == JobKind::Basic {
        pair("net-io-time", &0);
    }
    pair("socket-timeout", &brief.socket_timeout_ms);
    if brief.kind == JobKind::BackgroundOps {
        pair("ops-active", &0);
    }
    if let Some((module, function)) = &brief.function {
        pair("udf-filename", module);
        pair("udf-function", function);
        pair("udf-active", &0);
    }
}

/// Stops a query, which is named by `trid` or by the older `id`.
pub(super) fn abort(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let id = match call.params().get("trid", ID_BYTES_MAX) {
        Err(ParamError::Missing) => call.optional("id", ID_BYTES_MAX)?,
        _ => None,
    };
    let id = id.map_or_else(|| call.required("trid", ID_BYTES_MAX), Ok)?;
    if !call.node.jobs.abort(parse_id(id)?) {
        return Err(Refusal::new(ResultCode::NOT_FOUND, "trid not active"));
    }
    put(out, "ok");
    Ok(())
}

pub(super) fn abort_all(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, format_args!("number-of-queries-killed:{}", call.node.jobs.abort_all()));
    Ok(())
}
