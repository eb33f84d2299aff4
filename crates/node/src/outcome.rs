//! Statistics of finished requests: which counter an outcome raises, which histogram takes its time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use engine::Namespace;
use engine::counters::Stripe;
use engine::latencies::LatencyKind;
use engine::stats::NamespaceCounter;
use wire::{Info1, Request, ResultCode};

/// What a request turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    Read,
    Write,
    Delete,
}

/// Raises the counters of a client's request that ended so.
pub(crate) fn count(
    namespace: &Namespace,
    request: &Request<'_>,
    command: Command,
    result: ResultCode,
    stripe: Stripe,
) {
    namespace.counters.raise(stripe, client_counter(command, result));
    if request.header.info1.contains(Info1::XDR)
        && let Some(counter) = shipped_counter(command, result)
    {
        namespace.counters.raise(stripe, counter);
    }
}

/// Raises the counter of a client's request that failed before its command was known.
pub(crate) fn count_early(namespace: &Namespace, result: ResultCode, stripe: Stripe) {
    let counter = match result {
        ResultCode::TIMEOUT => NamespaceCounter::ClientTsvcTimeout,
        _ => NamespaceCounter::ClientTsvcError,
    };
    namespace.counters.raise(stripe, counter);
}

/// Notes how long a request took. Deletes have no histogram.
pub(crate) fn time(
    namespace: &Namespace,
    command: Command,
    took: Duration,
    in_micros: bool,
    stripe: Stripe,
) {
    let kind = match command {
        Command::Read => LatencyKind::Read,
        Command::Write => LatencyKind::Write,
        Command::Delete => return,
    };
    namespace.latencies.record(stripe, kind, took, in_micros);
}

/// Notes how long the steps of a request took, if its kind is benchmarked: the moments are those of
/// the wake-up, of its turn, of its execution's end, and of its end.
pub(crate) fn benchmark(
    namespace: &Namespace,
    command: Command,
    moments: [Duration; 4],
    in_micros: bool,
    stripe: Stripe,
) {
    use LatencyKind::*;
    let latencies = &namespace.latencies;
    let (enabled, steps) = match command {
        Command::Read => (&latencies.benchmarks_read, [ReadStart, ReadLocal, ReadResponse]),
        Command::Write | Command::Delete => {
            (&latencies.benchmarks_write, [WriteStart, WriteMaster, WriteResponse])
        }
    };
    if enabled.load(Ordering::Relaxed) {
        for (kind, [from, to]) in steps.into_iter().zip(moments.array_windows()) {
            latencies.record(stripe, kind, to.saturating_sub(*from), in_micros);
        }
    }
}

fn client_counter(command: Command, result: ResultCode) -> NamespaceCounter {
    use NamespaceCounter::*;
    match (command, result) {
        (Command::Read, ResultCode::OK) => ClientReadSuccess,
        (Command::Read, ResultCode::TIMEOUT) => ClientReadTimeout,
        (Command::Read, ResultCode::NOT_FOUND) => ClientReadNotFound,
        (Command::Read, ResultCode::FILTERED_OUT) => ClientReadFilteredOut,
        (Command::Read, _) => ClientReadError,
        (Command::Write, ResultCode::OK) => ClientWriteSuccess,
        (Command::Write, ResultCode::TIMEOUT) => ClientWriteTimeout,
        (Command::Write, ResultCode::FILTERED_OUT) => ClientWriteFilteredOut,
        (Command::Write, _) => ClientWriteError,
        (Command::Delete, ResultCode::OK) => ClientDeleteSuccess,
        (Command::Delete, ResultCode::TIMEOUT) => ClientDeleteTimeout,
        (Command::Delete, ResultCode::NOT_FOUND) => ClientDeleteNotFound,
        (Command::Delete, ResultCode::FILTERED_OUT) => ClientDeleteFilteredOut,
        (Command::Delete, _) => ClientDeleteError,
    }
}

/// Writes and deletes that shipping sent are counted once more by themselves.
fn shipped_counter(command: Command, result: ResultCode) -> Option<NamespaceCounter> {
    use NamespaceCounter::*;
    Some(match (command, result) {
        (Command::Read, _) | (_, ResultCode::FILTERED_OUT) => return None,
        (Command::Write, ResultCode::OK) => XdrClientWriteSuccess,
        (Command::Write, ResultCode::TIMEOUT) => XdrClientWriteTimeout,
        (Command::Write, _) => XdrClientWriteError,
        (Command::Delete, ResultCode::OK) => XdrClientDeleteSuccess,
        (Command::Delete, ResultCode::TIMEOUT) => XdrClientDeleteTimeout,
        (Command::Delete, ResultCode::NOT_FOUND) => XdrClientDeleteNotFound,
        (Command::Delete, _) => XdrClientDeleteError,
    })
}
