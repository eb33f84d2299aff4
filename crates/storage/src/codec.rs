//! How bodies are packed on their way to a device, and unpacked on their way back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::cipher::Cipher;
use crate::format::flat::{HEADER_BYTES, Header, Packing};
use crate::packing::{pack, unpack};
use crate::tuning::Tuning;

/// Packs and unpacks the payloads of records.
#[derive(Debug)]
pub(crate) struct Codec {
    tuning: Arc<Tuning>,
    cipher: Option<Cipher>,
    /// Bytes of bodies that were to be compressed, before and after.
    before: AtomicU64,
    after: AtomicU64,
}

/// A payload that cannot be read though its checksum held: it is encrypted with another key, or was
/// written by a later version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unreadable;

/// What a payload consists of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'p> {
    pub set_name: &'p [u8],
    pub body: &'p [u8],
}

/// Scratch space for unpacking.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    opened: Vec<u8>,
    unpacked: Vec<u8>,
}

impl Codec {
    pub fn new(tuning: Arc<Tuning>, cipher: Option<Cipher>) -> Self {
        Self { tuning, cipher, before: AtomicU64::new(0), after: AtomicU64::new(0) }
    }

    /// Appends the payload of a record to `out`, which holds its header, and notes there how it is packed.
    pub fn encode(&self, header: &mut Header, set_name: &[u8], body: &[u8], out: &mut Vec<u8>) {
        out.push(set_name.len() as u8);
        out.extend_from_slice(set_name);
        let (packing, level, acceleration) = self.tuning.compression();
        if packing != Packing::Plain {
            let from = out.len();
            if pack(packing, level, acceleration, body, out) {
                header.packing = packing;
            } else {
                out.extend_from_slice(body);
            }
            self.before.fetch_add(body.len() as u64, Relaxed);
            self.after.fetch_add((out.len() - from) as u64, Relaxed);
        } else {
            out.extend_from_slice(body);
        }
        if let Some(cipher) = &self.cipher {
            header.encrypted = true;
            cipher.seal(out, HEADER_BYTES, &header.digest.0);
        }
    }

    /// Lets `payload` be unpacked into `scratch` if it has to be, and shows set name and body.
    pub fn decode<'p>(
        &self,
        header: &Header,
        payload: &'p [u8],
        scratch: &'p mut Scratch,
    ) -> Result<Parts<'p>, Unreadable> {
        let Scratch { opened, unpacked } = scratch;
        let payload = if header.encrypted {
            let cipher = self.cipher.as_ref().ok_or(Unreadable)?;
            opened.clear();
            cipher.unseal(payload, &header.digest.0, opened).ok_or(Unreadable)?;
            opened
        } else {
            payload
        };
        let parts = parts(payload).ok_or(Unreadable)?;
        if header.packing == Packing::Plain {
            return Ok(parts);
        }
        unpack(header.packing, parts.body, unpacked).map_err(|_| Unreadable)?;
        Ok(Parts { set_name: parts.set_name, body: unpacked })
    }

    /// Size of compressed bodies in relation to what they were; 1 as long as there are none.
    pub fn ratio(&self) -> f64 {
        match self.before.load(Relaxed) {
            0 => 1.0,
            before => self.after.load(Relaxed) as f64 / before as f64,
        }
    }
}

fn parts(payload: &[u8]) -> Option<Parts<'_>> {
    let (&size, rest) = payload.split_first()?;
    let (set_name, body) = rest.split_at_checked(usize::from(size))?;
    Some(Parts { set_name, body })
}
