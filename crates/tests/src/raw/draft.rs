//! Messages whose every part may be wrong.

use super::frame::{MESSAGE, frame};

const HEADER_SIZE: u8 = 22;

/// First flags byte.
const READ: u8 = 0x01;
const GET_ALL: u8 = 0x02;
/// Second flags byte.
const WRITE: u8 = 0x01;
const DELETE: u8 = 0x02;

const FIELD_NAMESPACE: u8 = 0;
const FIELD_DIGEST: u8 = 4;
const OP_WRITE: u8 = 2;
const INTEGER: u8 = 1;

/// A message under construction.
///
/// The counts in its header are those of its parts unless said otherwise, so that a draft is sound
/// until somebody breaks it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The first byte of the header, which no server looks at.
    pub header_size: u8,
    /// The four bytes of flags.
    pub info: [u8; 4],
    /// Result code: meaningless in a request.
    pub result: u8,
    /// The generation expected.
    pub generation: u32,
    /// Time to live in seconds, or one of its special values.
    pub record_ttl: u32,
    /// Time after which the server gives up.
    pub transaction_ttl_ms: u32,
    fields: Vec<Vec<u8>>,
    ops: Vec<Vec<u8>>,
    n_fields: Option<u16>,
    n_ops: Option<u16>,
    tail: Vec<u8>,
}

impl Draft {
    /// Nothing but flags.
    pub fn new(info1: u8, info2: u8, info3: u8) -> Self {
        Self {
            header_size: HEADER_SIZE,
            info: [info1, info2, info3, 0],
            result: 0,
            generation: 0,
            record_ttl: 0,
            transaction_ttl_ms: 0,
            fields: Vec::new(),
            ops: Vec::new(),
            n_fields: None,
            n_ops: None,
            tail: Vec::new(),
        }
    }

    /// Reads all bins of the record that `label` stands for, in namespace `test`.
    pub fn read(label: &str) -> Self {
        Self::new(READ | GET_ALL, 0, 0).on(label)
    }

    /// Reads what its operations name.
    pub fn read_bins(label: &str) -> Self {
        Self::new(READ, 0, 0).on(label)
    }

    /// Writes what its operations say.
    pub fn write(label: &str) -> Self {
        Self::new(0, WRITE, 0).on(label)
    }

    /// Writes an integer bin `n`.
    pub fn write_number(label: &str, value: i64) -> Self {
        Self::write(label).op(OP_WRITE, INTEGER, b"n", &value.to_be_bytes())
    }

    /// Deletes the record.
    pub fn delete(label: &str) -> Self {
        Self::new(0, WRITE | DELETE, 0).on(label)
    }

    /// Reads what its operations name of the record with this digest.
    pub fn read_from(digest: &[u8; 20]) -> Self {
        Self::new(READ, 0, 0).on_digest(digest)
    }

    /// Writes what its operations say to the record with this digest.
    pub fn write_to(digest: &[u8; 20]) -> Self {
        Self::new(0, WRITE, 0).on_digest(digest)
    }

    fn on(self, label: &str) -> Self {
        self.on_digest(&digest(label))
    }

    fn on_digest(self, digest: &[u8; 20]) -> Self {
        self.field(FIELD_NAMESPACE, b"test").field(FIELD_DIGEST, digest)
    }

    /// Adds a field.
    #[must_use]
    pub fn field(self, kind: u8, data: &[u8]) -> Self {
        self.raw_field(&field(kind, data))
    }

    /// Adds bytes that count as a field.
    #[must_use]
    pub fn raw_field(mut self, bytes: &[u8]) -> Self {
        self.fields.push(bytes.to_vec());
        self
    }

    /// Puts a field in front of the others.
    #[must_use]
    pub fn field_first(mut self, kind: u8, data: &[u8]) -> Self {
        self.fields.insert(0, field(kind, data));
        self
    }

    /// Takes out the fields of a type.
    #[must_use]
    pub fn without_field(mut self, kind: u8) -> Self {
        self.fields.retain(|field| field.get(4) != Some(&kind));
        self
    }

    /// Adds an operation.
    #[must_use]
    pub fn op(self, code: u8, particle: u8, name: &[u8], value: &[u8]) -> Self {
        self.raw_op(&op(code, particle, 0, name, value))
    }

    /// Adds bytes that count as an operation.
    #[must_use]
    pub fn raw_op(mut self, bytes: &[u8]) -> Self {
        self.ops.push(bytes.to_vec());
        self
    }

    /// Says a number of fields that may differ from how many there are.
    #[must_use]
    pub fn claiming_fields(mut self, count: u16) -> Self {
        self.n_fields = Some(count);
        self
    }

    /// Says a number of operations that may differ from how many there are.
    #[must_use]
    pub fn claiming_ops(mut self, count: u16) -> Self {
        self.n_ops = Some(count);
        self
    }

    /// Adds bytes behind the last operation.
    #[must_use]
    pub fn tail(mut self, bytes: &[u8]) -> Self {
        self.tail = bytes.to_vec();
        self
    }

    /// The message alone.
    pub fn body(&self) -> Vec<u8> {
        let [info1, info2, info3, info4] = self.info;
        let mut body = vec![self.header_size, info1, info2, info3, info4, self.result];
        body.extend(self.generation.to_be_bytes());
        body.extend(self.record_ttl.to_be_bytes());
        body.extend(self.transaction_ttl_ms.to_be_bytes());
        body.extend(self.n_fields.unwrap_or(self.fields.len() as u16).to_be_bytes());
        body.extend(self.n_ops.unwrap_or(self.ops.len() as u16).to_be_bytes());
        for part in self.fields.iter().chain(&self.ops).chain([&self.tail]) {
            body.extend(part);
        }
        body
    }

    /// The message in its frame.
    pub fn frame(&self) -> Vec<u8> {
        frame(MESSAGE, &self.body())
    }
}

/// A field: size of what follows, type, data.
pub fn field(kind: u8, data: &[u8]) -> Vec<u8> {
    [&(data.len() as u32 + 1).to_be_bytes(), &[kind][..], data].concat()
}

/// An operation: size of what follows, code, particle type, flags, size of the name, name, value.
pub fn op(code: u8, particle: u8, flags: u8, name: &[u8], value: &[u8]) -> Vec<u8> {
    let size = (4 + name.len() + value.len()) as u32;
    [&size.to_be_bytes(), &[code, particle, flags, name.len() as u8], name, value].concat()
}

/// A digest of its own for every label. Servers take digests as they come.
pub fn digest(label: &str) -> [u8; 20] {
    // FNV-1a, once for each byte of the digest.
    let hash = |place: u8| {
        let bytes = [place].into_iter().chain(label.bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    std::array::from_fn(|place| (hash(place as u8) >> 40) as u8)
}
