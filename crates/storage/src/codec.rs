//! How bodies are packed on their way to a device, and unpacked on their way back.

use crate::format::flat::Header;

/// Packs and unpacks the payloads of records.
#[derive(Debug, Default)]
pub(crate) struct Codec {}

/// A payload that cannot be read though its checksum held: it is encrypted with another key, or was
/// written by a later version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unreadable;

impl Codec {
    /// Appends the payload of a record to `out` and notes in its header how it is packed.
    pub fn encode(&self, header: &mut Header, set_name: &[u8], body: &[u8], out: &mut Vec<u8>) {
        let _ = header;
        out.push(set_name.len() as u8);
        out.extend_from_slice(set_name);
        out.extend_from_slice(body);
    }

    /// Lets `payload` be unpacked into `scratch` if it has to be, and shows set name and body.
    pub fn decode<'p>(
        &self,
        header: &Header,
        payload: &'p [u8],
        scratch: &'p mut Vec<u8>,
    ) -> Result<Parts<'p>, Unreadable> {
        let _ = (header, scratch);
        parts(payload).ok_or(Unreadable)
    }
}

/// What a payload consists of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'p> {
    pub set_name: &'p [u8],
    pub body: &'p [u8],
}

fn parts(payload: &[u8]) -> Option<Parts<'_>> {
    let (&size, rest) = payload.split_first()?;
    let (set_name, body) = rest.split_at_checked(usize::from(size))?;
    Some(Parts { set_name, body })
}
