//! Where calls leave this crate: to the operations on lists, maps, blobs and sketches.

use value::{StoredBytes, bits, cdt, hll};
use wire::ParticleType;

use crate::program::System;
use crate::values::{Particle, Unknown};

/// A value that an operation works on; `None` where it begins without one.
pub(crate) type Target<'t> = Option<(ParticleType, &'t [u8])>;

/// Runs an operation that reads; what it answers.
///
/// # Errors
/// [`Unknown`], whatever went wrong: no result code leaves an expression.
pub(crate) fn read<'t>(
    system: System,
    target: Target<'t>,
    operation: &[u8],
) -> Result<Particle<'t>, Unknown> {
    let target = target.ok_or(Unknown)?;
    let answer = match system {
        System::Collections => cdt::read(target.into(), operation)
            .map(|answer| answer.map(|(kind, bytes)| (kind, StoredBytes::Owned(bytes)))),
        System::Bits => bits::read(target, operation).map(Some),
        System::Hll => hll::read(target, operation).map(Some),
    };
    answer.map_err(|_| Unknown)
}

/// Runs an operation that modifies; the new value, or `None` if the target is as before.
///
/// # Errors
/// Those of [`read`].
pub(crate) fn modify(
    system: System,
    target: Target<'_>,
    operation: &[u8],
) -> Result<Option<(ParticleType, Vec<u8>)>, Unknown> {
    let bin = match system {
        System::Collections => {
            cdt::modify(target.map(Into::into), operation).map(|modified| modified.bin)
        }
        System::Bits => bits::modify(target, operation).map(|modified| modified.bin),
        System::Hll => hll::modify(target, operation).map(|modified| modified.bin),
    };
    bin.map_err(|_| Unknown)
}
