//! Statistics of finished requests: which counter an outcome raises, which histogram takes its time.

use std::time::Duration;

use engine::Namespace;
use engine::counters::Stripe;
use engine::latencies::LatencyKind;
use engine::stats::NamespaceCounter;
use wire::{Info1, Info2, Request, ResultCode};

use crate::udf::is_call;

/// What a request turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    Read,
    Write,
    Delete,
}

/// Where a request came from, which decides what it is counted under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// A message of its own.
    Client,
    /// A message of its own that came to another node.
    Proxy,
    /// A row of a batch.
    Batch,
}

/// Raises the counters of a request that ended so.
pub(crate) fn count(
    namespace: &Namespace,
    origin: Origin,
    request: &Request<'_>,
    command: Command,
    result: ResultCode,
    stripe: Stripe,
) {
    let counter = match origin {
        Origin::Client => client_counter(command, result),
        Origin::Proxy => from_proxy_counter(command, result),
        Origin::Batch => batch_counter(command, result),
    };
    namespace.counters.raise(stripe, counter);
    if request.header.info1.contains(Info1::XDR)
        && let Some(counter) = match origin {
            Origin::Proxy => shipped_from_proxy_counter(command, result),
            Origin::Client | Origin::Batch => shipped_counter(command, result),
        }
    {
        namespace.counters.raise(stripe, counter);
    }
}

/// Raises the counter of a request that failed before its command was known.
pub(crate) fn count_early(
    namespace: &Namespace,
    origin: Origin,
    result: ResultCode,
    stripe: Stripe,
) {
    let counter = match (origin, result) {
        (Origin::Client, ResultCode::TIMEOUT) => NamespaceCounter::ClientTsvcTimeout,
        (Origin::Client, _) => NamespaceCounter::ClientTsvcError,
        (Origin::Proxy, ResultCode::TIMEOUT) => NamespaceCounter::FromProxyTsvcTimeout,
        (Origin::Proxy, _) => NamespaceCounter::FromProxyTsvcError,
        (Origin::Batch, ResultCode::TIMEOUT) => NamespaceCounter::BatchSubTsvcTimeout,
        (Origin::Batch, _) => NamespaceCounter::BatchSubTsvcError,
    };
    namespace.counters.raise(stripe, counter);
}

/// The counter of changes that this request had made, and that had to be sent to a replica again.
pub(crate) fn resent_write(origin: Origin, request: &Request<'_>) -> NamespaceCounter {
    use NamespaceCounter::*;
    let deletes = request.header.info2.contains(Info2::DELETE);
    match (origin, deletes) {
        (Origin::Batch, true) => RetransmitAllBatchSubDeleteReplWrite,
        (Origin::Batch, false) => RetransmitAllBatchSubWriteReplWrite,
        (Origin::Client | Origin::Proxy, true) => RetransmitAllDeleteReplWrite,
        (Origin::Client | Origin::Proxy, false) => RetransmitAllWriteReplWrite,
    }
}

/// The counter of requests like this one that had to ask other nodes once more what they have.
pub(crate) fn resent_lookup(origin: Origin, request: &Request<'_>) -> NamespaceCounter {
    use NamespaceCounter::*;
    let (writes, deletes) = (Info2::WRITE, Info2::DELETE);
    let info2 = request.header.info2;
    if is_call(request) {
        return match origin {
            Origin::Batch => RetransmitAllBatchSubUdfDupRes,
            Origin::Client | Origin::Proxy => RetransmitAllUdfDupRes,
        };
    }
    match (origin, info2.contains(writes), info2.contains(deletes)) {
        (Origin::Batch, false, _) => RetransmitAllBatchSubReadDupRes,
        (Origin::Batch, true, false) => RetransmitAllBatchSubWriteDupRes,
        (Origin::Batch, true, true) => RetransmitAllBatchSubDeleteDupRes,
        (Origin::Client | Origin::Proxy, false, _) => RetransmitAllReadDupRes,
        (Origin::Client | Origin::Proxy, true, false) => RetransmitAllWriteDupRes,
        (Origin::Client | Origin::Proxy, true, true) => RetransmitAllDeleteDupRes,
    }
}

/// Notes how long a request took. Deletes have no histogram.
pub(crate) fn time(
    namespace: &Namespace,
    origin: Origin,
    command: Command,
    took: Duration,
    in_micros: bool,
    stripe: Stripe,
) {
    let kind = match (origin, command) {
        // The node that the client asked measures these.
        (Origin::Proxy, _) | (_, Command::Delete) => return,
        (Origin::Client, Command::Read) => LatencyKind::Read,
        (Origin::Client, Command::Write) => LatencyKind::Write,
        (Origin::Batch, Command::Read) => LatencyKind::BatchSubRead,
        (Origin::Batch, Command::Write) => LatencyKind::BatchSubWrite,
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
    let steps = match command {
        Command::Read => [ReadStart, ReadLocal, ReadResponse],
        Command::Write | Command::Delete => [WriteStart, WriteMaster, WriteResponse],
    };
    for (kind, [from, to]) in steps.into_iter().zip(moments.array_windows()) {
        namespace.latencies.record_step(stripe, kind, to.saturating_sub(*from), in_micros);
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

fn from_proxy_counter(command: Command, result: ResultCode) -> NamespaceCounter {
    use NamespaceCounter::*;
    match (command, result) {
        (Command::Read, ResultCode::OK) => FromProxyReadSuccess,
        (Command::Read, ResultCode::TIMEOUT) => FromProxyReadTimeout,
        (Command::Read, ResultCode::NOT_FOUND) => FromProxyReadNotFound,
        (Command::Read, ResultCode::FILTERED_OUT) => FromProxyReadFilteredOut,
        (Command::Read, _) => FromProxyReadError,
        (Command::Write, ResultCode::OK) => FromProxyWriteSuccess,
        (Command::Write, ResultCode::TIMEOUT) => FromProxyWriteTimeout,
        (Command::Write, ResultCode::FILTERED_OUT) => FromProxyWriteFilteredOut,
        (Command::Write, _) => FromProxyWriteError,
        (Command::Delete, ResultCode::OK) => FromProxyDeleteSuccess,
        (Command::Delete, ResultCode::TIMEOUT) => FromProxyDeleteTimeout,
        (Command::Delete, ResultCode::NOT_FOUND) => FromProxyDeleteNotFound,
        (Command::Delete, ResultCode::FILTERED_OUT) => FromProxyDeleteFilteredOut,
        (Command::Delete, _) => FromProxyDeleteError,
    }
}

fn shipped_from_proxy_counter(command: Command, result: ResultCode) -> Option<NamespaceCounter> {
    use NamespaceCounter::*;
    Some(match (command, result) {
        (Command::Read, _) | (_, ResultCode::FILTERED_OUT) => return None,
        (Command::Write, ResultCode::OK) => XdrFromProxyWriteSuccess,
        (Command::Write, ResultCode::TIMEOUT) => XdrFromProxyWriteTimeout,
        (Command::Write, _) => XdrFromProxyWriteError,
        (Command::Delete, ResultCode::OK) => XdrFromProxyDeleteSuccess,
        (Command::Delete, ResultCode::TIMEOUT) => XdrFromProxyDeleteTimeout,
        (Command::Delete, ResultCode::NOT_FOUND) => XdrFromProxyDeleteNotFound,
        (Command::Delete, _) => XdrFromProxyDeleteError,
    })
}

fn batch_counter(command: Command, result: ResultCode) -> NamespaceCounter {
    use NamespaceCounter::*;
    match (command, result) {
        (Command::Read, ResultCode::OK) => BatchSubReadSuccess,
        (Command::Read, ResultCode::TIMEOUT) => BatchSubReadTimeout,
        (Command::Read, ResultCode::NOT_FOUND) => BatchSubReadNotFound,
        (Command::Read, ResultCode::FILTERED_OUT) => BatchSubReadFilteredOut,
        (Command::Read, _) => BatchSubReadError,
        (Command::Write, ResultCode::OK) => BatchSubWriteSuccess,
        (Command::Write, ResultCode::TIMEOUT) => BatchSubWriteTimeout,
        (Command::Write, ResultCode::FILTERED_OUT) => BatchSubWriteFilteredOut,
        (Command::Write, _) => BatchSubWriteError,
        (Command::Delete, ResultCode::OK) => BatchSubDeleteSuccess,
        (Command::Delete, ResultCode::TIMEOUT) => BatchSubDeleteTimeout,
        (Command::Delete, ResultCode::NOT_FOUND) => BatchSubDeleteNotFound,
        (Command::Delete, ResultCode::FILTERED_OUT) => BatchSubDeleteFilteredOut,
        (Command::Delete, _) => BatchSubDeleteError,
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
