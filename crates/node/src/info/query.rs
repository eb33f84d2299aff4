//! Queries that run. There are none yet.

use wire::ResultCode;
use wire::info::ParamError;

use super::call::{Call, Refusal, c_number, put};

/// Most bytes of a query's id.
const ID_BYTES_MAX: usize = 25;

fn parse_id(id: &[u8]) -> Result<u64, Refusal> {
    c_number(id).ok_or_else(|| Refusal::parameter("bad trid"))
}

/// All queries, or one of them.
pub(super) fn show(call: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    match call.optional("trid", ID_BYTES_MAX)? {
        None => Ok(()),
        Some(id) => {
            parse_id(id)?;
            Err(Refusal::new(ResultCode::NOT_FOUND, "job not found"))
        }
    }
}

/// Stops a query, which is named by `trid` or by the older `id`.
pub(super) fn abort(call: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    let id = match call.params().get("trid", ID_BYTES_MAX) {
        Err(ParamError::Missing) => call.optional("id", ID_BYTES_MAX)?,
        _ => None,
    };
    let id = id.map_or_else(|| call.required("trid", ID_BYTES_MAX), Ok)?;
    parse_id(id)?;
    Err(Refusal::new(ResultCode::NOT_FOUND, "trid not active"))
}

pub(super) fn abort_all(_: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, "number-of-queries-killed:0");
    Ok(())
}
