//! Replies about one record, written straight into the connection's output: a frame of its own, or a
//! row in the frame of a batch.

use crate::message::{Info3, MessageHeader, OpCode};
use crate::proto::{ProtoHeader, ProtoType, close_frame};
use crate::{ParticleType, ResultCode};

/// Bytes of an operation in a reply before its name: length, code, particle type, flags, name length.
pub const OP_HEADER_BYTES: usize = 8;

/// A reply under construction at the end of an output buffer.
///
/// Nothing is valid until [`Self::finish`] has written the header; [`Self::fail`] takes back what was
/// appended.
#[derive(Debug)]
pub struct ReplyWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    form: Form,
    n_ops: u16,
}

/// What a reply is part of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// Nothing: it is a frame with one message.
    Frame,
    /// The frame of a batch, which others open and close. The row's index goes into the header.
    Row { index: u32, codes: RowCodes },
}

/// Which codes the operations in a row carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowCodes {
    /// Those of the request: rows that write.
    Requested,
    /// `READ`, whatever was asked: rows that read.
    Read,
}

impl<'a> ReplyWriter<'a> {
    /// Starts a reply at the end of `out`, with a frame of its own.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self::start(out, Form::Frame)
    }

    /// Starts the reply to the row of a batch at the end of `out`, without a frame.
    pub fn row(out: &'a mut Vec<u8>, index: u32, codes: RowCodes) -> Self {
        Self::start(out, Form::Row { index, codes })
    }

    fn start(out: &'a mut Vec<u8>, form: Form) -> Self {
        let start = out.len();
        if form == Form::Frame {
            out.extend_from_slice(&[0; ProtoHeader::SIZE]);
        }
        out.extend_from_slice(&[0; MessageHeader::SIZE]);
        Self { out, start, form, n_ops: 0 }
    }

    /// Appends the result of one operation.
    pub fn op(&mut self, code: OpCode, particle_type: ParticleType, name: &[u8], value: &[u8]) {
        let code = match self.form {
            Form::Row { codes: RowCodes::Read, .. } => OpCode::READ,
            _ => code,
        };
        append_op(self.out, code, particle_type, name, value);
        self.n_ops += 1;
    }

    /// Appends operations that are already in the form of a reply.
    pub fn raw_ops(&mut self, count: u16, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.n_ops += count;
    }

    /// Takes back all operations appended so far.
    pub fn clear_ops(&mut self) {
        self.out.truncate(self.header_at() + MessageHeader::SIZE);
        self.n_ops = 0;
    }

    /// Writes the headers: the reply is complete.
    pub fn finish(self, result: ResultCode, generation: u32, void_time: u32) {
        let transaction_ttl_ms = match self.form {
            Form::Frame => 0,
            Form::Row { index, .. } => index,
        };
        let header = MessageHeader {
            result,
            generation,
            record_ttl: void_time,
            transaction_ttl_ms,
            n_ops: self.n_ops,
            ..MessageHeader::default()
        };
        let at = self.header_at();
        self.out[at..at + MessageHeader::SIZE].copy_from_slice(&header.to_bytes());
        if self.form == Form::Frame {
            close_frame(self.out, self.start, ProtoType::Message);
        }
    }

    /// Completes the reply as an error without operations.
    pub fn fail(mut self, result: ResultCode, generation: u32, void_time: u32) {
        self.clear_ops();
        self.finish(result, generation, void_time);
    }

    fn header_at(&self) -> usize {
        match self.form {
            Form::Frame => self.start + ProtoHeader::SIZE,
            Form::Row { .. } => self.start,
        }
    }
}

/// Appends an operation in the form of replies, which is also the form in which bins are stored.
pub fn append_op(
    out: &mut Vec<u8>,
    code: OpCode,
    particle_type: ParticleType,
    name: &[u8],
    value: &[u8],
) {
    let size = (OP_HEADER_BYTES - 4 + name.len() + value.len()) as u32;
    let [s0, s1, s2, s3] = size.to_be_bytes();
    out.reserve(OP_HEADER_BYTES + name.len() + value.len());
    out.extend_from_slice(&[s0, s1, s2, s3, code.0, particle_type.0, 0, name.len() as u8]);
    out.extend_from_slice(name);
    out.extend_from_slice(value);
}

/// Appends a reply that is only a header.
pub fn header_only(out: &mut Vec<u8>, result: ResultCode, generation: u32, void_time: u32) {
    ReplyWriter::new(out).finish(result, generation, void_time);
}

/// Appends the final message of a reply of several: no fields, no operations, marked as last.
pub fn last(out: &mut Vec<u8>, result: ResultCode) {
    let header = MessageHeader { info3: Info3::LAST, result, ..MessageHeader::default() };
    crate::proto::frame(out, ProtoType::Message, |out| out.extend_from_slice(&header.to_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Reply;

    #[test]
    fn client_reads_what_server_writes() {
        let mut out = vec![1, 2, 3];
        let mut reply = ReplyWriter::new(&mut out);
        reply.op(OpCode::READ, ParticleType::STRING, b"bin", b"text");
        reply.op(OpCode::WRITE, ParticleType::NULL, b"x", b"");
        reply.finish(ResultCode::OK, 3, 99);
        let (reply, rest) = Reply::parse(&out[3 + ProtoHeader::SIZE..]).unwrap();
        assert!(rest.is_empty());
        assert_eq!((reply.header.generation, reply.header.record_ttl), (3, 99));
        let ops: Vec<_> = reply.ops().map(|op| (op.code, op.name, op.value)).collect();
        let expected: [(_, &[u8], &[u8]); 2] =
            [(OpCode::READ, b"bin", b"text"), (OpCode::WRITE, b"x", b"")];
        assert_eq!(ops, expected);
    }

    #[test]
    fn rows_have_an_index_and_no_frame() {
        for (codes, expected) in
            [(RowCodes::Requested, OpCode::CDT_READ), (RowCodes::Read, OpCode::READ)]
        {
            let mut out = vec![1, 2, 3];
            let mut reply = ReplyWriter::row(&mut out, 77, codes);
            reply.op(OpCode::CDT_READ, ParticleType::INTEGER, b"bin", &[0; 8]);
            reply.finish(ResultCode::OK, 3, 99);
            let (reply, rest) = Reply::parse(&out[3..]).unwrap();
            assert!(rest.is_empty());
            assert_eq!((reply.header.transaction_ttl_ms, reply.header.generation), (77, 3));
            assert!(reply.ops().map(|op| op.code).eq([expected]));
        }
        let mut out = vec![1, 2, 3];
        let mut reply = ReplyWriter::row(&mut out, 1, RowCodes::Read);
        reply.op(OpCode::READ, ParticleType::STRING, b"bin", b"text");
        reply.fail(ResultCode::PARAMETER, 0, 0);
        assert_eq!(out.len(), 3 + MessageHeader::SIZE);
    }

    #[test]
    fn failure_takes_operations_back() {
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out);
        reply.op(OpCode::READ, ParticleType::STRING, b"bin", b"text");
        reply.fail(ResultCode::PARAMETER, 1, 0);
        assert_eq!(out.len(), ProtoHeader::SIZE + MessageHeader::SIZE);
    }
}
