//! A message as the server reads it: header, fields, operations, all borrowed from the frame.

use std::fmt;

use crate::cursor::Cursor;
use crate::message::{FieldType, MessageHeader, OpCode};
use crate::{Digest, Info1, ParticleType};

/// A message whose fields and operations are known to fit its body exactly.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The header.
    pub header: MessageHeader,
    /// Namespace name, if sent.
    pub namespace: Option<&'a [u8]>,
    /// Set name; `None` if not sent or empty.
    pub set: Option<&'a [u8]>,
    /// Digest field as sent: its length is not yet checked.
    pub digest: Option<&'a [u8]>,
    /// User key as sent: particle type, then the value.
    pub key: Option<&'a [u8]>,
    /// Which of the less common fields are present.
    pub present: FieldSet,
    pub(crate) fields: &'a [u8],
    pub(crate) ops: &'a [u8],
    /// The filter of the batch in which this is a row, if it has none of its own.
    inherited_filter: Option<&'a [u8]>,
}

/// Set of field types below 64.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FieldSet(u64);

impl FieldSet {
    fn insert(&mut self, field: FieldType) {
        if field.0 < 64 {
            self.0 |= 1 << field.0;
        }
    }

    /// Whether the message has a field of this type.
    pub fn contains(self, field: FieldType) -> bool {
        field.0 < 64 && self.0 & (1 << field.0) != 0
    }
}

/// The body is not a message: parts overrun it, leave bytes over, or have impossible sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

impl<'a> Request<'a> {
    /// Reads the body of a message frame. Unknown fields are skipped; of a field sent twice the first
    /// counts.
    ///
    /// # Errors
    /// [`Malformed`] unless the fields and operations announced fill the body exactly.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor(body);
        let mut request = Self::new(MessageHeader::read(&mut cursor).ok_or(Malformed)?);
        request.read_parts(&mut cursor)?;
        if cursor.is_empty() { Ok(request) } else { Err(Malformed) }
    }

    /// A message with this header, without fields and operations yet.
    pub(crate) fn new(header: MessageHeader) -> Self {
        Self {
            header,
            namespace: None,
            set: None,
            digest: None,
            key: None,
            present: FieldSet::default(),
            fields: &[],
            ops: &[],
            inherited_filter: None,
        }
    }

    /// Reads the fields and operations that the header announces, and leaves what follows. In place:
    /// a request is too large to be handed around.
    pub(crate) fn read_parts(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        self.fields = cursor.0;
        for _ in 0..self.header.n_fields {
            let field = Field::read(cursor).ok_or(Malformed)?;
            self.note(field);
        }
        self.ops = cursor.0;
        for _ in 0..self.header.n_ops {
            Op::read(cursor).ok_or(Malformed)?;
        }
        Ok(())
    }

    /// Makes the filter of a batch that of this row, unless the row has its own.
    pub(crate) fn inherit_filter(&mut self, filter: &'a [u8]) {
        if !self.present.contains(FieldType::FILTER) {
            self.present.insert(FieldType::FILTER);
            self.inherited_filter = Some(filter);
        }
    }

    fn note(&mut self, field: Field<'a>) {
        let slot = match field.kind {
            FieldType::NAMESPACE => &mut self.namespace,
            FieldType::SET => &mut self.set,
            FieldType::DIGEST => &mut self.digest,
            FieldType::KEY => &mut self.key,
            _ => return self.present.insert(field.kind),
        };
        if self.present.contains(field.kind) {
            return;
        }
        self.present.insert(field.kind);
        if field.kind != FieldType::SET || !field.data.is_empty() {
            *slot = Some(field.data);
        }
    }

    /// The fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let mut cursor = Cursor(self.fields);
        (0..self.header.n_fields).map_while(move |_| Field::read(&mut cursor))
    }

    /// Data of the first field of a type. The filter of a row may be that of its batch.
    pub fn field(&self, kind: FieldType) -> Option<&'a [u8]> {
        if !self.present.contains(kind) {
            return None;
        }
        if kind == FieldType::FILTER && self.inherited_filter.is_some() {
            return self.inherited_filter;
        }
        self.fields().find(|field| field.kind == kind).map(|field| field.data)
    }

    /// The operations, in order.
    #[inline]
    pub fn ops(&self) -> Ops<'a> {
        Ops { cursor: Cursor(self.ops), left: self.header.n_ops }
    }

    /// The request as a message of its own: its fields and operations, a digest if it is a row of a batch,
    /// and the filter of that batch.
    pub fn to_message(&self) -> Vec<u8> {
        let mut message = vec![0; MessageHeader::SIZE];
        let mut n_fields = 0;
        let mut put = |kind: FieldType, data: &[u8]| {
            message.extend_from_slice(&(data.len() as u32 + 1).to_be_bytes());
            message.push(kind.0);
            message.extend_from_slice(data);
            n_fields += 1;
        };
        self.fields().for_each(|field| put(field.kind, field.data));
        if let Some(digest) = self.digest.filter(|_| !self.present.contains(FieldType::DIGEST)) {
            put(FieldType::DIGEST, digest);
        }
        if let Some(filter) = self.inherited_filter {
            put(FieldType::FILTER, filter);
        }
        let mut rest = self.ops();
        rest.by_ref().for_each(drop);
        let ops_bytes = self.ops.len() - rest.cursor.0.len();
        message.extend_from_slice(self.ops.get(..ops_bytes).unwrap_or_default());
        let header = MessageHeader { n_fields, ..self.header };
        message[..MessageHeader::SIZE].copy_from_slice(&header.to_bytes());
        message
    }

    /// Whether this message holds a batch.
    pub fn is_batch(&self) -> bool {
        self.header.info1.contains(Info1::BATCH)
    }

    /// The digest, if one was sent and has 20 bytes.
    pub fn valid_digest(&self) -> Option<Digest> {
        self.digest.and_then(|bytes| bytes.try_into().ok()).map(Digest)
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("header", &self.header)
            .field("fields", &self.fields().collect::<Vec<_>>())
            .field("ops", &self.ops().collect::<Vec<_>>())
            .finish()
    }
}

/// A field: length of what follows (4 bytes), type (1 byte), data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field<'a> {
    /// What it is.
    pub kind: FieldType,
    /// Its data, without length and type.
    pub data: &'a [u8],
}

impl<'a> Field<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Option<Self> {
        let size = cursor.u32()? as usize;
        let (kind, data) = cursor.take(size)?.split_first()?;
        Some(Self { kind: FieldType(*kind), data })
    }
}

/// An operation on a bin.
///
/// Length of what follows (4 bytes), code, particle type, flags, name length (1 byte each), name,
/// last-update-time (8 bytes, if flagged), value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Op<'a> {
    /// What to do.
    pub code: OpCode,
    /// Type of the value.
    pub particle_type: ParticleType,
    /// Last-update-time of the bin in ms since 2010, sent by shipping only.
    pub last_update_time: Option<u64>,
    /// Bin name, not yet checked.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

impl<'a> Op<'a> {
    /// Flag in an operation's third byte: a last-update-time follows the name.
    const HAS_LAST_UPDATE_TIME: u8 = 0x01;

    #[inline]
    fn read(cursor: &mut Cursor<'a>) -> Option<Self> {
        let size = cursor.u32()? as usize;
        let mut inner = Cursor(cursor.take(size)?);
        let code = OpCode(inner.u8()?);
        let particle_type = ParticleType(inner.u8()?);
        let flags = inner.u8()?;
        let name_size = usize::from(inner.u8()?);
        let name = inner.take(name_size)?;
        let last_update_time = if flags & Self::HAS_LAST_UPDATE_TIME != 0 {
            let bytes = inner.take(8)?;
            bytes.try_into().ok().map(u64::from_be_bytes)
        } else {
            None
        };
        Some(Self { code, particle_type, last_update_time, name, value: inner.0 })
    }
}

/// Iterator over the operations of a message.
#[derive(Clone, Copy, Debug)]
pub struct Ops<'a> {
    cursor: Cursor<'a>,
    left: u16,
}

impl<'a> Iterator for Ops<'a> {
    type Item = Op<'a>;

    #[inline]
    fn next(&mut self) -> Option<Op<'a>> {
        self.left = self.left.checked_sub(1)?;
        Op::read(&mut self.cursor)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(usize::from(self.left)))
    }
}

#[cfg(test)]
mod tests;
