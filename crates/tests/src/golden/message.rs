//! Decoder of messages, for requests and replies alike.
//!
//! Layout: a 22-byte header, then fields (`u32` size that counts the type byte, type, data), then
//! operations (`u32` size that counts what follows, code, particle type, flags, name size, name,
//! value). All integers are big-endian.

use thiserror::Error;

/// Bytes of the message header.
#[cfg(test)]
pub const HEADER_SIZE: usize = 22;

/// Flag of the third info byte: last message of a reply that has many.
const INFO3_LAST: u8 = 0x01;
/// Flag of the third info byte: the status of a partition rather than a row.
const INFO3_PARTITION_DONE: u8 = 0x04;

/// Field that holds a row's digest.
const FIELD_DIGEST: u8 = 4;

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What the first byte says, which is the size of the header.
    pub header_size: u8,
    /// The four info bytes, in order.
    pub info: [u8; 4],
    /// Result code.
    pub result: u8,
    /// In a partition status, the partition id.
    pub generation: u32,
    /// In a reply: void-time in seconds since 2010-01-01, 0 for never. In a request: the TTL.
    pub void_time: u32,
    /// In a batch row: the row's index. In a request: the timeout in milliseconds.
    pub transaction_ttl: u32,
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// The operations, in order.
    pub ops: Vec<Op>,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    /// Its type.
    pub kind: u8,
    /// Without type and size.
    pub data: Vec<u8>,
}

/// One operation of a request, or one bin of a reply.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Op {
    /// What is done, or was.
    pub code: u8,
    /// Particle type of the value.
    pub particle: u8,
    /// Flags.
    pub flags: u8,
    /// Name of the bin.
    pub name: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("malformed message: {0}")]
pub struct Malformed(pub &'static str);

impl Message {
    /// Whether it ends a reply of several.
    pub fn is_last(&self) -> bool {
        self.info[2] & INFO3_LAST != 0
    }

    /// Whether it tells of a partition rather than of a record.
    pub fn is_partition_done(&self) -> bool {
        self.info[2] & INFO3_PARTITION_DONE != 0
    }

    /// Data of the first field of a type.
    pub fn field(&self, kind: u8) -> Option<&[u8]> {
        self.fields.iter().find(|field| field.kind == kind).map(|field| &field.data[..])
    }

    /// The digest of a row, empty when it has none.
    pub fn digest(&self) -> &[u8] {
        self.field(FIELD_DIGEST).unwrap_or_default()
    }
}

/// All messages of one frame body.
///
/// # Errors
/// [`Malformed`] when the body does not consist of whole messages.
pub fn decode_body(body: &[u8]) -> Result<Vec<Message>, Malformed> {
    let mut bytes = Bytes(body);
    let mut messages = Vec::new();
    while !bytes.0.is_empty() {
        messages.push(bytes.message()?);
    }
    Ok(messages)
}

/// The first message of a frame body, whatever follows it.
pub fn decode_first(body: &[u8]) -> Result<Message, Malformed> {
    Bytes(body).message()
}

/// What is left to decode.
pub(super) struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn take(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(size).ok_or(Malformed("too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        let bytes = self.take(2)?.try_into().expect("two bytes were taken");
        Ok(u16::from_be_bytes(bytes))
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        let bytes = self.take(4)?.try_into().expect("four bytes were taken");
        Ok(u32::from_be_bytes(bytes))
    }

    fn message(&mut self) -> Result<Message, Malformed> {
        let header_size = self.u8()?;
        let info = [self.u8()?, self.u8()?, self.u8()?, self.u8()?];
        let result = self.u8()?;
        let (generation, void_time, transaction_ttl) = (self.u32()?, self.u32()?, self.u32()?);
        let (n_fields, n_ops) = (self.u16()?, self.u16()?);
        // Nothing is reserved by these counts: each element must first prove its bytes.
        let fields = (0..n_fields).map(|_| self.field()).collect::<Result<_, _>>()?;
        let ops = (0..n_ops).map(|_| self.op()).collect::<Result<_, _>>()?;
        Ok(Message {
            header_size,
            info,
            result,
            generation,
            void_time,
            transaction_ttl,
            fields,
            ops,
        })
    }

    pub fn field(&mut self) -> Result<Field, Malformed> {
        let size = self.u32()?;
        let (kind, data) =
            self.take(size as usize)?.split_first().ok_or(Malformed("field without a type"))?;
        Ok(Field { kind: *kind, data: data.to_vec() })
    }

    pub fn op(&mut self) -> Result<Op, Malformed> {
        let size = self.u32()?;
        let mut op = Bytes(self.take(size as usize)?);
        let (code, particle, flags, name_size) = (op.u8()?, op.u8()?, op.u8()?, op.u8()?);
        let name = op.take(usize::from(name_size))?.to_vec();
        Ok(Op { code, particle, flags, name, value: op.0.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with the given counts and nothing else set.
    fn header(n_fields: u16, n_ops: u16) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_SIZE - 4];
        bytes[0] = HEADER_SIZE as u8;
        bytes.extend(n_fields.to_be_bytes());
        bytes.extend(n_ops.to_be_bytes());
        bytes
    }

    #[test]
    fn decodes_fields_and_ops() {
        let mut body = header(1, 1);
        body.extend([0, 0, 0, 3, 1, b's', b'1']);
        body.extend([0, 0, 0, 7, 2, 3, 0, 1, b'b', b'h', b'i']);
        let messages = decode_body(&body).unwrap();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].field(1), Some(&b"s1"[..]));
        let op = Op { code: 2, particle: 3, flags: 0, name: b"b".into(), value: b"hi".into() };
        assert_eq!(messages[0].ops, [op]);
    }

    #[test]
    fn refuses_what_does_not_add_up() {
        assert_eq!(decode_body(&[22, 0, 0]), Err(Malformed("too short")));
        assert!(decode_body(&header(1, 0)).is_err());
        let mut empty_field = header(1, 0);
        empty_field.extend([0, 0, 0, 0]);
        assert_eq!(decode_body(&empty_field), Err(Malformed("field without a type")));
        let mut long_name = header(0, 1);
        long_name.extend([0, 0, 0, 4, 1, 0, 0, 9]);
        assert_eq!(decode_body(&long_name), Err(Malformed("too short")));
    }

    #[test]
    fn survives_any_bytes() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for size in 0..2000 {
            let bytes: Vec<u8> = (0..size % 97)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    // Small numbers, so that counts and sizes are often plausible.
                    (state % 5) as u8
                })
                .collect();
            if let Ok(messages) = decode_body(&bytes) {
                assert!(messages.len() * HEADER_SIZE <= bytes.len());
            }
        }
    }
}
