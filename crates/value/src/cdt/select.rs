//! Selecting by position: what indexes, ranks and counts mean, and what an inverted range leaves.

use std::ops::Range;

use wire::ResultCode;

use super::answer::{Answer, Request};
use super::path;

/// Elements of a list or pairs of a map that an operation selected.
pub(crate) struct Selection {
    /// What it answers.
    pub(crate) answer: Answer,
    /// Their indexes, ascending.
    pub(crate) indexes: Vec<usize>,
}

pub(crate) type Selected = Result<Selection, ResultCode>;

impl Selection {
    /// Nothing; what was looked for would have been at `index`.
    pub(crate) fn nothing(request: Request, index: i64) -> Self {
        Self { answer: request.nothing(index), indexes: Vec::new() }
    }

    /// Nothing, for a return type that does not exist: when none of an empty list of values is
    /// looked for, the original does not notice.
    pub(crate) fn unanswered() -> Self {
        Self { answer: None, indexes: Vec::new() }
    }
}

/// A selection by value or rank can only be inverted if it can be of several elements.
pub(crate) fn check_inversion(request: Request) -> Result<(), ResultCode> {
    if request.is_inverted && !request.is_multi {
        Err(ResultCode::OP_NOT_APPLICABLE)
    } else {
        Ok(())
    }
}

/// The positions that an index or rank and a count mean. For one that must be there, the start has
/// to lie within `total`; otherwise whatever lies outside is cut off.
pub(crate) fn range(
    index: i64,
    count: u64,
    total: usize,
    is_multi: bool,
) -> Result<Range<usize>, ResultCode> {
    if !is_multi {
        let start = path::from_either_end(index, total).ok_or(ResultCode::OP_NOT_APPLICABLE)?;
        return Ok(start..start + 1);
    }
    let from_front = if index < 0 { index.saturating_add_unsigned(total as u64) } else { index };
    let limit = |position: u64| usize::try_from(position).map_or(total, |at| at.min(total));
    let (start, end) = match u64::try_from(from_front) {
        Ok(start) => (start, start.saturating_add(count)),
        // The part before the front counts as well.
        Err(_) => (0, count.saturating_sub(from_front.unsigned_abs())),
    };
    Ok(limit(start)..limit(end))
}

/// A rank and count relative to a rank. The sum wraps, as it does in the original.
pub(crate) fn relative(rank: i64, count: u64, base: usize) -> (i64, u64) {
    let rank = rank.wrapping_add_unsigned(base as u64);
    if rank < 0 { (0, count.saturating_sub(rank.unsigned_abs())) } else { (rank, count) }
}

/// All positions that are not among ascending ones.
pub(crate) fn others(positions: &[usize], total: usize) -> Vec<usize> {
    let mut left_out = positions.iter().copied().peekable();
    (0..total).filter(|position| left_out.next_if_eq(position).is_none()).collect()
}

/// What an inverted range comes down to: of what is left, the part before or after the range if
/// there is but one. Only a range with something on either side remains inverted.
pub(crate) fn not_inverted_range(
    request: Request,
    range: Range<usize>,
    total: usize,
) -> Result<(Request, Range<usize>), ResultCode> {
    check_inversion(request)?;
    let plain = request.not_inverted();
    Ok(match range {
        range if !request.is_inverted => (request, range),
        range if range.is_empty() => (plain, 0..total),
        range if range.start == 0 => (plain, range.end..total),
        range if range.end == total => (plain, 0..range.start),
        range => (request, range),
    })
}
