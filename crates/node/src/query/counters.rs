//! What is counted of queries.

use engine::sindex::Predicate;
use engine::stats::NamespaceCounter;
use engine::{Namespace, Stripe};

use super::jobs::Ending;

/// How a query ended, as it is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Complete,
    Failed,
    /// A short one was out of time.
    Late,
    /// Somebody aborted a long one.
    Aborted,
}

/// The counter of queries that return records and ended so.
pub(super) fn of_basic(has_where: bool, is_short: bool, end: End) -> NamespaceCounter {
    use NamespaceCounter::*;
    match (has_where, is_short, end) {
        (false, true, End::Complete) => PiQueryShortBasicComplete,
        (false, true, End::Late) => PiQueryShortBasicTimeout,
        (false, true, End::Failed | End::Aborted) => PiQueryShortBasicError,
        (false, false, End::Complete) => PiQueryLongBasicComplete,
        (false, false, End::Aborted) => PiQueryLongBasicAbort,
        (false, false, End::Failed | End::Late) => PiQueryLongBasicError,
        (true, true, End::Complete) => SiQueryShortBasicComplete,
        (true, true, End::Late) => SiQueryShortBasicTimeout,
        (true, true, End::Failed | End::Aborted) => SiQueryShortBasicError,
        (true, false, End::Complete) => SiQueryLongBasicComplete,
        (true, false, End::Aborted) => SiQueryLongBasicAbort,
        (true, false, End::Failed | End::Late) => SiQueryLongBasicError,
    }
}

/// The counter of aggregations that ended so.
pub(super) fn of_aggregation(has_where: bool, ending: Ending) -> NamespaceCounter {
    use NamespaceCounter::*;
    match (has_where, ending) {
        (false, Ending::Done) => PiQueryAggrComplete,
        (false, Ending::Aborted) => PiQueryAggrAbort,
        (false, Ending::Abandoned | Ending::TimedOut | Ending::Failed) => PiQueryAggrError,
        (true, Ending::Done) => SiQueryAggrComplete,
        (true, Ending::Aborted) => SiQueryAggrAbort,
        (true, Ending::Abandoned | Ending::TimedOut | Ending::Failed) => SiQueryAggrError,
    }
}

/// The counter of jobs that change records and ended so.
pub(super) fn of_job(is_udf: bool, has_where: bool, ending: Ending) -> NamespaceCounter {
    use NamespaceCounter::*;
    let of = match (is_udf, has_where) {
        (false, false) => [PiQueryOpsBgComplete, PiQueryOpsBgAbort, PiQueryOpsBgError],
        (false, true) => [SiQueryOpsBgComplete, SiQueryOpsBgAbort, SiQueryOpsBgError],
        (true, false) => [PiQueryUdfBgComplete, PiQueryUdfBgAbort, PiQueryUdfBgError],
        (true, true) => [SiQueryUdfBgComplete, SiQueryUdfBgAbort, SiQueryUdfBgError],
    };
    let [complete, abort, error] = of;
    match ending {
        Ending::Done => complete,
        Ending::Aborted => abort,
        Ending::Abandoned | Ending::TimedOut | Ending::Failed => error,
    }
}

/// Counts a query that asks for points in a region, however it goes on.
pub(super) fn count_region(namespace: &Namespace, stripe: Stripe, predicate: &Predicate) {
    if let Some(cells) = predicate.region_cells() {
        namespace.counters.raise(stripe, NamespaceCounter::GeoRegionQueryReqs);
        namespace.counters.add(stripe, NamespaceCounter::GeoRegionQueryCells, cells as u64);
    }
}
