//! The client's side: building requests, reading replies. The load generator and the tests use it.

use crate::cursor::Cursor;
use crate::message::{FieldType, Info1, Info2, Info3, Info4, MessageHeader, OpCode};
use crate::proto::{ProtoType, frame};
use crate::reply::append_op;
use crate::request::{Malformed, Ops, Request};
use crate::{Digest, ParticleType};

/// Builds a message, part by part. Fields come before operations, whatever the order of the calls.
#[derive(Clone, Debug, Default)]
pub struct RequestBuilder {
    header: MessageHeader,
    fields: Vec<u8>,
    ops: Vec<u8>,
}

impl RequestBuilder {
    /// A message without flags, fields and operations.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the first flags.
    #[must_use]
    pub fn info1(mut self, flags: Info1) -> Self {
        self.header.info1 = flags;
        self
    }

    /// Sets the second flags.
    #[must_use]
    pub fn info2(mut self, flags: Info2) -> Self {
        self.header.info2 = flags;
        self
    }

    /// Sets the third flags.
    #[must_use]
    pub fn info3(mut self, flags: Info3) -> Self {
        self.header.info3 = flags;
        self
    }

    /// Sets the fourth flags.
    #[must_use]
    pub fn info4(mut self, flags: Info4) -> Self {
        self.header.info4 = flags;
        self
    }

    /// Sets the generation expected.
    #[must_use]
    pub fn generation(mut self, generation: u32) -> Self {
        self.header.generation = generation;
        self
    }

    /// Sets the time to live in seconds, or one of its special values.
    #[must_use]
    pub fn record_ttl(mut self, seconds: u32) -> Self {
        self.header.record_ttl = seconds;
        self
    }

    /// Sets the time in ms after which the server gives up.
    #[must_use]
    pub fn transaction_ttl_ms(mut self, ttl_ms: u32) -> Self {
        self.header.transaction_ttl_ms = ttl_ms;
        self
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, kind: FieldType, data: &[u8]) -> Self {
        self.fields.extend_from_slice(&(data.len() as u32 + 1).to_be_bytes());
        self.fields.push(kind.0);
        self.fields.extend_from_slice(data);
        self.header.n_fields += 1;
        self
    }

    /// Adds the namespace.
    #[must_use]
    pub fn namespace(self, name: &str) -> Self {
        self.field(FieldType::NAMESPACE, name.as_bytes())
    }

    /// Adds the set.
    #[must_use]
    pub fn set(self, name: &str) -> Self {
        self.field(FieldType::SET, name.as_bytes())
    }

    /// Adds the digest.
    #[must_use]
    pub fn digest(self, digest: &Digest) -> Self {
        self.field(FieldType::DIGEST, &digest.0)
    }

    /// Adds the user key, to be stored or compared.
    #[must_use]
    pub fn key(self, particle_type: ParticleType, value: &[u8]) -> Self {
        let mut data = vec![particle_type.0];
        data.extend_from_slice(value);
        self.field(FieldType::KEY, &data)
    }

    /// Adds an operation.
    #[must_use]
    pub fn op(mut self, code: OpCode, kind: ParticleType, name: &[u8], value: &[u8]) -> Self {
        append_op(&mut self.ops, code, kind, name, value);
        self.header.n_ops += 1;
        self
    }

    /// The header, and the bytes of fields and operations.
    pub(crate) fn parts(&self) -> (&MessageHeader, [&[u8]; 2]) {
        (&self.header, [&self.fields, &self.ops])
    }

    /// The message's body.
    pub fn into_body(self) -> Vec<u8> {
        let mut body = self.header.to_bytes().to_vec();
        body.extend_from_slice(&self.fields);
        body.extend_from_slice(&self.ops);
        body
    }

    /// The whole frame.
    pub fn into_frame(self) -> Vec<u8> {
        let mut out = Vec::new();
        frame(&mut out, ProtoType::Message, |out| {
            out.extend_from_slice(&self.header.to_bytes());
            out.extend_from_slice(&self.fields);
            out.extend_from_slice(&self.ops);
        });
        out
    }
}

/// One message of a reply.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The header.
    pub header: MessageHeader,
    request: Request<'a>,
}

impl<'a> Reply<'a> {
    /// Reads the first message of a reply's body; returns it and the bytes after it, which hold
    /// further messages in replies of several.
    ///
    /// # Errors
    /// [`Malformed`] if the body does not start with a whole message.
    pub fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let end = message_size(body).ok_or(Malformed)?;
        let (message, rest) = body.split_at_checked(end).ok_or(Malformed)?;
        let request = Request::parse(message)?;
        Ok((Self { header: request.header, request }, rest))
    }

    /// The operations: one a bin or result.
    pub fn ops(&self) -> Ops<'a> {
        self.request.ops()
    }

    /// Data of the first field of a type.
    pub fn field(&self, kind: FieldType) -> Option<&'a [u8]> {
        self.request.fields().find(|field| field.kind == kind).map(|field| field.data)
    }
}

/// Bytes of the message at the front of `body`, by its own counts and sizes.
fn message_size(body: &[u8]) -> Option<usize> {
    let mut cursor = Cursor(body);
    let header = MessageHeader::read(&mut cursor)?;
    for _ in 0..u32::from(header.n_fields) + u32::from(header.n_ops) {
        let size = cursor.u32()? as usize;
        cursor.take(size)?;
    }
    Some(body.len() - cursor.0.len())
}
