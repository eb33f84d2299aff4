//! Security messages (type 2): log in, users, roles.
//!
//! Body: scheme, result, command, number of fields (1 byte each), 12 bytes of zero, then the fields:
//! length of what follows (u32), id (1 byte), data.

use crate::ResultCode;
use crate::cursor::Cursor;
use crate::proto::{ProtoType, frame};

/// Bytes of the header of a security message.
pub const HEADER_BYTES: usize = 16;

/// A security message as read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdminMessage<'a> {
    /// Version of the scheme, 0.
    pub scheme: u8,
    /// How a request ended.
    pub result: ResultCode,
    /// Number of the command.
    pub command: u8,
    n_fields: u8,
    fields: &'a [u8],
}

impl<'a> AdminMessage<'a> {
    /// Reads the body of a security frame, or `None` if it has no room for the header.
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let (header, fields) = body.split_first_chunk::<HEADER_BYTES>()?;
        let [scheme, result, command, n_fields, ..] = *header;
        Some(Self { scheme, result: ResultCode(result), command, n_fields, fields })
    }

    /// Fields in order: id and data. Ends early, with `None` for the bad one, where bytes run out.
    pub fn fields(&self) -> impl Iterator<Item = Option<(u8, &'a [u8])>> + use<'a> {
        let mut cursor = Cursor(self.fields);
        let mut broken = false;
        (0..self.n_fields).map_while(move |_| {
            if broken {
                return None;
            }
            let field = read_field(&mut cursor);
            broken = field.is_none();
            Some(field)
        })
    }
}

fn read_field<'a>(cursor: &mut Cursor<'a>) -> Option<(u8, &'a [u8])> {
    let size = cursor.u32()? as usize;
    let (id, data) = cursor.take(size)?.split_first()?;
    Some((*id, data))
}

/// Appends a reply that is only a result.
pub fn append_result(out: &mut Vec<u8>, result: ResultCode) {
    frame(out, ProtoType::Admin, |out| {
        let mut header = [0; HEADER_BYTES];
        header[1] = result.0;
        out.extend_from_slice(&header);
    });
}

/// A request as a frame.
pub fn request_frame(command: u8, fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    frame(&mut out, ProtoType::Admin, |out| {
        let mut header = [0; HEADER_BYTES];
        header[2] = command;
        header[3] = fields.len() as u8;
        out.extend_from_slice(&header);
        for (id, data) in fields {
            out.extend_from_slice(&(data.len() as u32 + 1).to_be_bytes());
            out.push(*id);
            out.extend_from_slice(data);
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProtoHeader;

    #[test]
    fn fields_are_found() {
        let frame = request_frame(20, &[(0, b"admin"), (3, b"secret")]);
        let message = AdminMessage::parse(&frame[ProtoHeader::SIZE..]).unwrap();
        assert_eq!(message.command, 20);
        let fields: Vec<_> = message.fields().collect();
        assert_eq!(fields, [Some((0, &b"admin"[..])), Some((3, &b"secret"[..]))]);
    }

    #[test]
    fn cut_fields_end_the_list() {
        let frame = request_frame(20, &[(0, b"admin"), (3, b"secret")]);
        let message = AdminMessage::parse(&frame[ProtoHeader::SIZE..frame.len() - 1]).unwrap();
        let fields: Vec<_> = message.fields().collect();
        assert_eq!(fields, [Some((0, &b"admin"[..])), None]);
        assert_eq!(AdminMessage::parse(&[0; 15]), None);
    }
}
