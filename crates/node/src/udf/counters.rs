//! Counting calls by how they ended.

use engine::stats::NamespaceCounter::{self, *};
use wire::ResultCode;

use super::execute::{Effect, Executed};

/// The counters of the calls that come in one way.
pub(crate) struct CallCounters {
    complete: NamespaceCounter,
    timeout: NamespaceCounter,
    filtered_out: NamespaceCounter,
    error: NamespaceCounter,
    function_read: NamespaceCounter,
    function_wrote: NamespaceCounter,
    function_deleted: NamespaceCounter,
    function_failed: NamespaceCounter,
}

/// Of single requests.
pub(crate) const OF_CLIENTS: CallCounters = CallCounters {
    complete: ClientUdfComplete,
    timeout: ClientUdfTimeout,
    filtered_out: ClientUdfFilteredOut,
    error: ClientUdfError,
    function_read: ClientLangReadSuccess,
    function_wrote: ClientLangWriteSuccess,
    function_deleted: ClientLangDeleteSuccess,
    function_failed: ClientLangError,
};

/// Of rows of batches.
pub(crate) const OF_BATCHES: CallCounters = CallCounters {
    complete: BatchSubUdfComplete,
    timeout: BatchSubUdfTimeout,
    filtered_out: BatchSubUdfFilteredOut,
    error: BatchSubUdfError,
    function_read: BatchSubLangReadSuccess,
    function_wrote: BatchSubLangWriteSuccess,
    function_deleted: BatchSubLangDeleteSuccess,
    function_failed: BatchSubLangError,
};

/// Of records that background jobs come to.
pub(crate) const OF_JOBS: CallCounters = CallCounters {
    complete: UdfSubUdfComplete,
    timeout: UdfSubUdfTimeout,
    filtered_out: UdfSubUdfFilteredOut,
    error: UdfSubUdfError,
    function_read: UdfSubLangReadSuccess,
    function_wrote: UdfSubLangWriteSuccess,
    function_deleted: UdfSubLangDeleteSuccess,
    function_failed: UdfSubLangError,
};

impl CallCounters {
    /// Those that a call raises: for how it was answered, and for what its function did.
    pub(crate) fn of(&self, executed: &Executed) -> impl Iterator<Item = NamespaceCounter> + use<> {
        let of_call = match executed.result {
            ResultCode::OK => self.complete,
            ResultCode::TIMEOUT => self.timeout,
            ResultCode::FILTERED_OUT => self.filtered_out,
            _ => self.error,
        };
        let of_function = match (executed.result, executed.effect) {
            (ResultCode::OK, Effect::None) => Some(self.function_read),
            (ResultCode::OK, Effect::Written) => Some(self.function_wrote),
            (ResultCode::OK, Effect::Deleted) => Some(self.function_deleted),
            (ResultCode::UDF_EXECUTION, _) => Some(self.function_failed),
            _ => None,
        };
        [Some(of_call), of_function].into_iter().flatten()
    }
}
