//! Filters of requests.

use record::{Body, Scene, StoredRecord};
use storage::Miss;
use wire::Request;

use crate::stop::Stop;

/// Lets a request's filter, if it has one, decide about the record of an unread scene: by its metadata
/// if that is enough, else by its body, which is not asked for before.
///
/// Filters are large and most requests have none, so this stays out of their way.
#[inline(never)]
pub(crate) fn check_filter<'s>(
    request: &Request<'_>,
    unread: Scene<'s>,
    body: impl FnOnce() -> Result<Body<'s>, Miss>,
) -> Result<(), Stop> {
    if let Some(filter) = unread.undecided_filter(request)? {
        let body = body()?;
        Scene { stored: StoredRecord::Read(&body), ..unread }.check(&filter)?;
    }
    Ok(())
}
