//! Where calls leave this crate: to the operations on lists, maps, blobs and sketches.

use wire::ParticleType;

use crate::program::System;
use crate::values::Unknown;

/// A value that an operation works on; `None` where it begins without one.
pub(crate) type Target<'t> = Option<(ParticleType, &'t [u8])>;

/// A value that an operation made.
pub(crate) type Made = Option<(ParticleType, Vec<u8>)>;

/// Runs an operation that reads; what it answers.
///
/// # Errors
/// [`Unknown`], whatever went wrong: no result code leaves an expression.
pub(crate) fn read(system: System, target: Target<'_>, operation: &[u8]) -> Result<Made, Unknown> {
    let _ = (system, target, operation);
    Err(Unknown)
}

/// Runs an operation that modifies; the new value, or `None` if the target is as before.
///
/// # Errors
/// Those of [`read`].
pub(crate) fn modify(
    system: System,
    target: Target<'_>,
    operation: &[u8],
) -> Result<Made, Unknown> {
    let _ = (system, target, operation);
    Err(Unknown)
}
