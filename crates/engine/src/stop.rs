//! Why a request goes no further.

use storage::{Fetch, Miss, Refusal};
use wire::ResultCode;

/// Why a request goes no further, for now or for good.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It has failed.
    Fails(ResultCode),
    /// A record has to be read first. The request has done nothing yet that lasts, but for a set that
    /// came into being. A fetch is large, and seldom: whoever returns this should not pay for its size.
    Waits(Box<Fetch>),
}

impl From<ResultCode> for Stop {
    fn from(result: ResultCode) -> Self {
        Self::Fails(result)
    }
}

impl From<Box<Fetch>> for Stop {
    fn from(fetch: Box<Fetch>) -> Self {
        Self::Waits(fetch)
    }
}

impl From<Miss> for Stop {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::Elsewhere(fetch) => Self::Waits(fetch),
            Miss::Damaged => Self::Fails(ResultCode::UNKNOWN),
        }
    }
}

/// What a client is told of a write that storage refuses.
pub(crate) fn result_of(refusal: Refusal) -> ResultCode {
    match refusal {
        Refusal::Body | Refusal::Full => ResultCode::OUT_OF_SPACE,
        Refusal::TooBig => ResultCode::RECORD_TOO_BIG,
        Refusal::Overload => ResultCode::DEVICE_OVERLOAD,
        Refusal::Index | Refusal::Offline => ResultCode::UNKNOWN,
    }
}
