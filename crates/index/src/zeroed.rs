//! Arrays that the operating system hands out as zeros: they take no memory until they are used.

#![allow(unsafe_code)]

use std::sync::atomic::AtomicUsize;

use parking_lot::lock_api::RawRwLock as _;
use parking_lot::{RawRwLock, RwLock};

use crate::primary::PartitionUse;
use crate::search::Keyed;
use crate::tree::Tree;

/// A type of which all bytes zero are a value.
///
/// # Safety
/// That is the claim.
pub(crate) unsafe trait Zeroed {}

// SAFETY: the enum is `repr(u32)`, its variant 0 has no fields.
unsafe impl<T: Keyed> Zeroed for Tree<T> {}
// SAFETY: an unlocked lock is all zeros (asserted below for this version of the lock), and so is
// what it guards; it has no other field.
unsafe impl<T: Zeroed> Zeroed for RwLock<T> {}
// SAFETY: counters, all integers.
unsafe impl Zeroed for PartitionUse {}

const _: () = {
    assert!(size_of::<RwLock<()>>() == size_of::<RawRwLock>());
    // SAFETY: the lock is one atomic word; were it of another size this would not compile.
    let unlocked = unsafe { std::mem::transmute::<RawRwLock, AtomicUsize>(RawRwLock::INIT) };
    assert!(unlocked.into_inner() == 0);
};

/// `N` values of all zeros, untouched memory.
pub(crate) fn zeroed_array<T: Zeroed, const N: usize>() -> Box<[T; N]> {
    // SAFETY: zeros are a value of `T`, by its `Zeroed`, and so of an array of it.
    unsafe { Box::new_zeroed().assume_init() }
}
