//! Frames: eight bytes of header, then the body.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// Type of a body that is text.
pub const INFO: u8 = 1;
/// Type of a body that is a security message.
pub const SECURITY: u8 = 2;
/// Type of a body that is a message.
pub const MESSAGE: u8 = 3;
/// Type of a body that is a compressed frame.
pub const COMPRESSED: u8 = 4;

const VERSION: u8 = 2;

/// A frame of the protocol's version.
pub fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    frame_of_version(VERSION, kind, body)
}

/// A frame of any version.
pub fn frame_of_version(version: u8, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut header = (body.len() as u64).to_be_bytes();
    header[0] = version;
    header[1] = kind;
    [&header, body].concat()
}

/// The body of a compressed frame: the size that it inflates to (or another, to lie), then `inner`
/// as a zlib stream.
pub fn compressed(announced_bytes: u64, inner: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(announced_bytes.to_be_bytes().to_vec(), Compression::best());
    encoder.write_all(inner).expect("the writer is memory");
    encoder.finish().expect("the writer is memory")
}

/// The whole frame in the body of a compressed one; `None` unless its size is the one announced.
pub fn inflate(body: &[u8]) -> Option<Vec<u8>> {
    let (announced_bytes, stream) = body.split_first_chunk()?;
    let mut inner = Vec::new();
    ZlibDecoder::new(stream).read_to_end(&mut inner).ok()?;
    (inner.len() as u64 == u64::from_be_bytes(*announced_bytes)).then_some(inner)
}
