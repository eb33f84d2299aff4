//! Keeping secondary indexes in step with a record that changes.
//!
//! Whoever changes a record takes note of its numbers first ([`OldKeys`]), enters those that it will
//! have in addition, changes it, and removes those that it has no more. If the change fails, what was
//! entered is removed again. All of that happens under the record's write lock.

use std::sync::Arc;

use record::{Body, RecordMeta};
use storage::{Fetch, Fetched, Miss, WriteGuard};
use wire::{Digest, ResultCode};

use super::Sindex;
use crate::namespace::Namespace;

/// The numbers of a record that is about to change, in the indexes that cover it. Nothing where there are
/// no indexes, and that costs nothing.
#[derive(Default)]
#[must_use]
pub(crate) struct OldKeys(Option<Box<Known>>);

/// What is known of the numbers of a record.
enum Known {
    /// They are these; of other indexes there are none.
    Numbers(Vec<Numbers>),
    /// Its body is damaged, and they are not known.
    Unknown,
}

/// The numbers of a record in an index.
struct Numbers {
    sindex: Arc<Sindex>,
    bvals: Vec<i64>,
}

/// A change of a record whose new numbers are entered already.
#[derive(Default)]
#[must_use]
pub(crate) struct Shift(Option<Box<Parts>>);

struct Parts {
    /// Numbers that come, which are entered.
    come: Vec<Numbers>,
    /// Numbers that go, which are still there.
    gone: Vec<Numbers>,
}

impl Namespace {
    /// The numbers of the record under a guard before it changes: it has this metadata, or is not there.
    /// Without indexes nothing is looked at.
    ///
    /// # Errors
    /// What has to be read first.
    #[inline]
    pub(crate) fn old_keys(
        &self,
        meta: Option<&RecordMeta>,
        guard: &mut WriteGuard<'_>,
        fetched: &Fetched,
    ) -> Result<OldKeys, Box<Fetch>> {
        match meta {
            Some(meta) if !self.sindexes.is_empty() => self.read_keys(meta, guard, fetched),
            _ => Ok(OldKeys(None)),
        }
    }

    #[inline(never)]
    fn read_keys(
        &self,
        meta: &RecordMeta,
        guard: &mut WriteGuard<'_>,
        fetched: &Fetched,
    ) -> Result<OldKeys, Box<Fetch>> {
        let list = self.sindexes.list.load();
        if !list.iter().any(|sindex| sindex.covers(meta)) {
            return Ok(OldKeys(None));
        }
        let digest = *guard.digest();
        let known = match guard.body(fetched) {
            Ok(body) => Known::Numbers(numbers_of(&list, &digest, meta, &body)),
            Err(Miss::Elsewhere(fetch)) => return Err(fetch),
            Err(Miss::Damaged) => Known::Unknown,
        };
        Ok(OldKeys(Some(Box::new(known))))
    }

    /// Enters a record under the numbers that it is about to have in addition: it gets this metadata and
    /// body. `guard` is its lock.
    ///
    /// # Errors
    /// `UNKNOWN` when memory is short; then nothing was entered.
    #[inline]
    pub(crate) fn shift_keys(
        &self,
        old: OldKeys,
        guard: &WriteGuard<'_>,
        meta: &RecordMeta,
        body: &[u8],
    ) -> Result<Shift, ResultCode> {
        if self.sindexes.is_empty() && old.0.is_none() {
            return Ok(Shift(None));
        }
        self.enter_keys(old, guard, meta, body)
    }

    #[inline(never)]
    fn enter_keys(
        &self,
        old: OldKeys,
        guard: &WriteGuard<'_>,
        meta: &RecordMeta,
        body: &[u8],
    ) -> Result<Shift, ResultCode> {
        let list = self.sindexes.list.load();
        let new = numbers_of(&list, guard.digest(), meta, &Body::new(body));
        let old = match old.0.map(|known| *known) {
            None => Vec::new(),
            Some(Known::Numbers(old)) => old,
            Some(Known::Unknown) => {
                // What it had goes first, and does not come back should the change fail.
                purge(&list, guard);
                Vec::new()
            }
        };
        let (come, gone) = difference(new, old);
        let parts = Parts { come, gone };
        let digest = guard.digest();
        for (at, numbers) in parts.come.iter().enumerate() {
            if numbers.sindex.index.add(digest, &numbers.bvals).is_err() {
                parts.come[..at].iter().for_each(|numbers| numbers.leave(digest));
                return Err(ResultCode::UNKNOWN);
            }
        }
        Ok(Shift(Some(Box::new(parts))))
    }

    /// Removes a record that is gone from its indexes. `guard` is its lock.
    #[inline]
    pub(crate) fn drop_keys(&self, old: OldKeys, guard: &WriteGuard<'_>) {
        match old.0.map(|known| *known) {
            None => {}
            Some(Known::Numbers(old)) => old.iter().for_each(|old| old.leave(guard.digest())),
            Some(Known::Unknown) => purge(&self.sindexes.list.load(), guard),
        }
    }
}

impl Shift {
    /// The record has changed: it is in its indexes under its new numbers alone.
    #[inline]
    pub fn complete(self, digest: &Digest) {
        if let Some(parts) = self.0 {
            parts.gone.iter().for_each(|numbers| numbers.leave(digest));
        }
    }

    /// The record has not changed.
    #[inline]
    pub fn take_back(self, digest: &Digest) {
        if let Some(parts) = self.0 {
            parts.come.iter().for_each(|numbers| numbers.leave(digest));
        }
    }
}

impl Numbers {
    fn leave(&self, digest: &Digest) {
        self.sindex.index.remove(digest, &self.bvals);
    }
}

/// The numbers of a record in the indexes that cover it, where it has any.
fn numbers_of(
    list: &[Arc<Sindex>],
    digest: &Digest,
    meta: &RecordMeta,
    body: &Body<'_>,
) -> Vec<Numbers> {
    let mut all = Vec::new();
    for sindex in list.iter().filter(|sindex| sindex.covers(meta)) {
        let mut bvals = Vec::new();
        sindex.definition.bvals_of(digest, body, &mut bvals);
        if !bvals.is_empty() {
            all.push(Numbers { sindex: Arc::clone(sindex), bvals });
        }
    }
    all
}

/// Takes out of both what is in both, and puts what is left together.
fn difference(mut new: Vec<Numbers>, mut old: Vec<Numbers>) -> (Vec<Numbers>, Vec<Numbers>) {
    for after in &mut new {
        let same = |before: &&mut Numbers| Arc::ptr_eq(&before.sindex, &after.sindex);
        if let Some(before) = old.iter_mut().find(same) {
            let bvals = std::mem::take(&mut before.bvals);
            before.bvals = without(&bvals, &after.bvals);
            after.bvals = without(&after.bvals, &bvals);
        }
    }
    (new, old)
}

/// The numbers of a sorted run that are not in another.
fn without(bvals: &[i64], others: &[i64]) -> Vec<i64> {
    bvals.iter().copied().filter(|bval| others.binary_search(bval).is_err()).collect()
}

/// Removes a record from all indexes whatever its numbers. One that shares its stub with another stays,
/// lest the other be lost: then queries look twice at both.
fn purge(list: &[Arc<Sindex>], guard: &WriteGuard<'_>) {
    if !guard.shares_stub() {
        list.iter().for_each(|sindex| sindex.index.purge(guard.digest()));
    }
}
