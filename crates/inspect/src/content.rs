//! The content of a record, whichever form it lies in: set, key and bins.

use std::borrow::Cow;

use record::Body;
use storage::format::flat::{Found, Kind, Packing};
use storage::packing::unpack;
use wire::ParticleType;

use crate::original::{self, FlatRecord};
use crate::seen::{Raw, SetName};

/// What a record holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content<'b> {
    /// Name of its set; empty for none.
    pub set: &'b [u8],
    /// The user key, if one is stored: particle type, then the value as clients send it.
    pub key: Option<&'b [u8]>,
    /// Its bins, in order.
    pub bins: Vec<Bin<'b>>,
}

/// A bin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bin<'b> {
    /// Its name.
    pub name: &'b [u8],
    /// Type of its value.
    pub particle_type: ParticleType,
    /// Its value, as a reply would carry it.
    pub value: Cow<'b, [u8]>,
}

/// Why a record that is sound cannot be shown.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Hidden {
    /// It is encrypted, and there is no key.
    #[error("encrypted")]
    Encrypted,
    /// Its payload is not what its header says. The checksum held, so it was written like this.
    #[error("{0}")]
    Malformed(String),
}

/// A payload without encryption. Where there is a key, whoever walked over the device has decrypted it.
fn opened<'b>(found: &Found<'b>) -> Result<&'b [u8], Hidden> {
    if found.header.encrypted { Err(Hidden::Encrypted) } else { Ok(found.payload) }
}

/// The set of a record of ours. A grave has no payload, hence no set.
pub fn set_of<'b>(found: &Found<'b>) -> SetName<'b> {
    if found.header.encrypted {
        return SetName::Hidden;
    }
    SetName::Known(split_set(found.payload).map_or(&[], |(set, _)| set))
}

fn split_set(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = payload.split_first()?;
    rest.split_at_checked(usize::from(*size))
}

/// Room for what has to be made to look into a record; to be used again for the next one.
#[derive(Debug, Default)]
pub struct Room {
    unpacked: Vec<u8>,
}

/// Reads a record's content.
///
/// # Errors
/// [`Hidden`] if there is no way to.
pub fn read<'b>(raw: &Raw<'b>, room: &'b mut Room) -> Result<Content<'b>, Hidden> {
    match raw {
        Raw::Own(found) => read_own(found, room),
        Raw::Original(record) => read_original(record),
    }
}

fn read_own<'b>(found: &Found<'b>, room: &'b mut Room) -> Result<Content<'b>, Hidden> {
    if found.header.kind == Kind::Grave {
        return Ok(Content { set: &[], key: None, bins: Vec::new() });
    }
    let Room { unpacked } = room;
    let payload = opened(found)?;
    let malformed = |what: &str| Hidden::Malformed(what.into());
    let (set, packed) =
        split_set(payload).ok_or_else(|| malformed("the set's name exceeds the payload"))?;
    let body = match found.header.packing {
        Packing::Plain => packed,
        packing => {
            unpack(packing, packed, unpacked)
                .map_err(|_| malformed("the body cannot be decompressed"))?;
            unpacked
        }
    };
    let whole = body.first_chunk().is_some_and(|start| Body::size_bytes(*start) == body.len());
    let body = Body::new(body);
    let bins: Vec<_> = body
        .bins()
        .map(|bin| Bin {
            name: bin.name,
            particle_type: bin.particle_type,
            value: Cow::Borrowed(bin.value),
        })
        .collect();
    if !whole || bins.len() != usize::from(body.bin_count()) {
        return Err(malformed("the body is not whole"));
    }
    Ok(Content { set, key: body.key(), bins })
}

fn read_original<'b>(record: &FlatRecord<'b>) -> Result<Content<'b>, Hidden> {
    let bins: Result<Vec<_>, original::Malformed> = record.bins().collect();
    let bins = bins.map_err(|malformed| Hidden::Malformed(malformed.to_string()))?;
    Ok(Content { set: record.set, key: record.key, bins })
}
