//! The request that writes one record.

use std::borrow::Cow;

use value::geo;
use wire::client::RequestBuilder;
use wire::{FieldType, Info2, Info3, OpCode, ParticleType};

use crate::content::{Bin, Content};
use crate::seen::Seen;

/// Time to live that means never.
const TTL_NEVER: u32 = u32::MAX;
/// Longest time to live that a server takes, in seconds: ten years.
const TTL_MAX: u32 = 10 * 365 * 86_400;
/// Time in ms that the server may take; more than its default, since nobody waits for one record.
const PATIENCE_MS: u32 = 10_000;
/// The set in which the original keeps its running transactions. Clients cannot write there.
const TRANSACTIONS_SET: &[u8] = b"<ERO~MRT";

/// Why no request is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Skipped {
    /// It has expired since the survey.
    Expired,
    /// It is encrypted.
    Encrypted,
    /// Its body cannot be read.
    Unreadable,
    /// It has no bins.
    Empty,
    /// It is the state of a transaction, not a record of anybody's.
    Transaction,
}

/// Makes the request that creates a record, or replaces it. `now` is in seconds since 2010.
///
/// # Errors
/// [`Skipped`] says why there is none.
pub fn request(
    seen: &Seen<'_>,
    content: &Content<'_>,
    namespace: &str,
    now: u32,
) -> Result<Vec<u8>, Skipped> {
    if content.bins.is_empty() {
        return Err(Skipped::Empty);
    }
    if content.set == TRANSACTIONS_SET {
        return Err(Skipped::Transaction);
    }
    let mut request = RequestBuilder::new()
        .info2(Info2::WRITE)
        .info3(Info3::CREATE_OR_REPLACE)
        .record_ttl(ttl(seen.version.void_time, now).ok_or(Skipped::Expired)?)
        .transaction_ttl_ms(PATIENCE_MS)
        .namespace(namespace);
    if !content.set.is_empty() {
        request = request.field(FieldType::SET, content.set);
    }
    request = request.digest(&seen.digest);
    if let Some(key) = content.key {
        request = request.field(FieldType::KEY, key);
    }
    for bin in &content.bins {
        request = request.op(OpCode::WRITE, bin.particle_type, bin.name, &sent_value(bin));
    }
    Ok(request.into_frame())
}

/// The time to live that makes a record expire at its void-time; `None` if that is over.
fn ttl(void_time: u32, now: u32) -> Option<u32> {
    if void_time == 0 {
        return Some(TTL_NEVER);
    }
    void_time.checked_sub(now).filter(|ttl| *ttl > 0).map(|ttl| ttl.min(TTL_MAX))
}

/// A value as a client sends it: of GeoJSON the text alone, since the server makes the cells itself.
fn sent_value<'b>(bin: &'b Bin<'_>) -> Cow<'b, [u8]> {
    if bin.particle_type != ParticleType::GEOJSON {
        return Cow::Borrowed(&bin.value);
    }
    match geo::text(&bin.value) {
        Some(text) => [&[0, 0, 0], text].concat().into(),
        None => Cow::Borrowed(&bin.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn void_times_become_times_to_live() {
        assert_eq!(ttl(0, 100), Some(TTL_NEVER));
        assert_eq!(ttl(101, 100), Some(1));
        assert_eq!(ttl(100, 100), None);
        assert_eq!(ttl(99, 100), None);
        assert_eq!(ttl(u32::MAX - 1, 100), Some(TTL_MAX));
    }

    #[test]
    fn geojson_goes_without_its_cells() {
        let value = [&[1, 0, 1][..], &[7; 8], b"{}"].concat();
        let bin = Bin { name: b"g", particle_type: ParticleType::GEOJSON, value: value.into() };
        assert_eq!(*sent_value(&bin), *b"\0\0\0{}");
    }
}
