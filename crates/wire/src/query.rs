//! Queries: the partitions that a request names, the bins that it selects, and the rows of replies.
//!
//! A query is a message without a digest. Its reply is a stream of messages in frames: a row for each
//! record, a mark for each partition that could not be served, and a last one (protocol reference,
//! section 9).

use crate::cursor::Cursor;
use crate::digest::PARTITIONS;
use crate::message::{Info1, Info3, MessageHeader};
use crate::reply::append_op;
use crate::{Digest, FieldType, OpCode, ParticleType, PartitionId, Request, ResultCode};

/// A partition that a query is to go through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// Which.
    pub partition: PartitionId,
    /// The record after which to go on: its digest and, with a where clause, the index value under
    /// which it was found.
    pub after: Option<(Digest, i64)>,
}

/// The partitions that a request names, in its order: first whole ones.
///
/// # Errors
/// `UNSUPPORTED_FEATURE` if it names none, `PARAMETER` if a field is malformed, a partition comes twice,
/// or index values don't go with a where clause.
pub fn parts(request: &Request<'_>) -> Result<Vec<Part>, ResultCode> {
    let ids = request.field(FieldType::PARTITION_IDS);
    let digests = request.field(FieldType::DIGESTS);
    if ids.is_none() && digests.is_none() {
        return Err(ResultCode::UNSUPPORTED_FEATURE);
    }
    let mut parts = Vec::new();
    if let Some(ids) = ids {
        whole_parts(ids, &mut parts)?;
    }
    let values = request.field(FieldType::INDEX_VALUES);
    match digests {
        Some(digests) => {
            let has_where = request.present.contains(FieldType::INDEX_RANGE);
            if has_where != values.is_some() {
                return Err(ResultCode::PARAMETER);
            }
            begun_parts(digests, values, &mut parts)?;
        }
        None if values.is_some() => return Err(ResultCode::PARAMETER),
        None => {}
    }
    let mut seen = [false; PARTITIONS];
    let repeats = |part: &Part| std::mem::replace(&mut seen[part.partition.index()], true);
    if parts.iter().any(repeats) { Err(ResultCode::PARAMETER) } else { Ok(parts) }
}

fn whole_parts(ids: &[u8], parts: &mut Vec<Part>) -> Result<(), ResultCode> {
    let (ids, rest) = ids.as_chunks::<2>();
    if ids.is_empty() || ids.len() > PARTITIONS || !rest.is_empty() {
        return Err(ResultCode::PARAMETER);
    }
    for id in ids {
        let partition = PartitionId::new(u16::from_le_bytes(*id)).ok_or(ResultCode::PARAMETER)?;
        parts.push(Part { partition, after: None });
    }
    Ok(())
}

fn begun_parts(
    digests: &[u8],
    values: Option<&[u8]>,
    parts: &mut Vec<Part>,
) -> Result<(), ResultCode> {
    let (digests, rest) = digests.as_chunks::<{ Digest::SIZE }>();
    if digests.is_empty() || digests.len() > PARTITIONS || !rest.is_empty() {
        return Err(ResultCode::PARAMETER);
    }
    let (values, rest) = values.unwrap_or_default().as_chunks::<8>();
    let has_values = !values.is_empty() || !rest.is_empty();
    if has_values && values.len() != digests.len() || !rest.is_empty() {
        return Err(ResultCode::PARAMETER);
    }
    for (at, digest) in digests.iter().enumerate() {
        let digest = Digest(*digest);
        let value = values.get(at).map_or(0, |value| i64::from_le_bytes(*value));
        parts.push(Part { partition: digest.partition(), after: Some((digest, value)) });
    }
    Ok(())
}

/// The names in the older form of a bin selection: a count, and each with its length.
///
/// # Errors
/// `PARAMETER` unless they fill the field exactly.
pub fn bin_list(field: &[u8]) -> Result<Vec<&[u8]>, ResultCode> {
    let mut cursor = Cursor(field);
    let names = (|| {
        let count = cursor.u8()?;
        let mut names = Vec::with_capacity(count.into());
        for _ in 0..count {
            let size = cursor.u8()?;
            names.push(cursor.take(size.into())?);
        }
        Some(names)
    })();
    names.filter(|_| cursor.is_empty()).ok_or(ResultCode::PARAMETER)
}

/// What a row says of its record beside bins.
#[derive(Clone, Copy, Debug)]
pub struct RowHead<'a> {
    /// The namespace.
    pub namespace: &'a [u8],
    /// The record's digest.
    pub digest: &'a Digest,
    /// Its set; empty for none.
    pub set: &'a [u8],
    /// Its user key, if one is stored: particle type, then the value.
    pub key: Option<&'a [u8]>,
    /// The index value under which it was found, of a query with a where clause.
    pub index_value: Option<i64>,
    /// Generation.
    pub generation: u32,
    /// Void-time in seconds since 2010; 0: never.
    pub void_time: u32,
}

/// A row under construction at the end of an output buffer.
#[derive(Debug)]
pub struct RowWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    header: MessageHeader,
}

impl<'a> RowWriter<'a> {
    /// Begins a row.
    pub fn new(out: &'a mut Vec<u8>, head: &RowHead<'_>) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; MessageHeader::SIZE]);
        let header = MessageHeader {
            generation: head.generation,
            record_ttl: head.void_time,
            ..MessageHeader::default()
        };
        let mut writer = Self { out, start, header };
        writer.field(FieldType::NAMESPACE, head.namespace);
        writer.field(FieldType::DIGEST, &head.digest.0);
        if !head.set.is_empty() {
            writer.field(FieldType::SET, head.set);
        }
        if let Some(key) = head.key {
            writer.field(FieldType::KEY, key);
        }
        if let Some(value) = head.index_value {
            writer.field(FieldType::INDEX_VALUES, &value.to_le_bytes());
        }
        writer
    }

    fn field(&mut self, kind: FieldType, data: &[u8]) {
        let size = (data.len() + 1) as u32;
        self.out.extend_from_slice(&size.to_be_bytes());
        self.out.push(kind.0);
        self.out.extend_from_slice(data);
        self.header.n_fields += 1;
    }

    /// Appends a bin.
    pub fn bin(&mut self, name: &[u8], particle_type: ParticleType, value: &[u8]) {
        append_op(self.out, OpCode::READ, particle_type, name, value);
        self.header.n_ops += 1;
    }

    /// Appends bins that are already in the form of a reply.
    pub fn raw_bins(&mut self, count: u16, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.header.n_ops += count;
    }

    /// Says that bins were not asked for.
    pub fn without_bins(&mut self) {
        self.header.info1 = Info1::GET_NO_BINS;
    }

    /// Bins so far.
    pub fn bin_count(&self) -> u16 {
        self.header.n_ops
    }

    /// Completes the row.
    pub fn finish(self) {
        let end = self.start + MessageHeader::SIZE;
        self.out[self.start..end].copy_from_slice(&self.header.to_bytes());
    }

    /// Takes the row back.
    pub fn give_up(self) {
        self.out.truncate(self.start);
    }
}

/// Appends the mark of a partition that cannot be served, and why.
pub fn partition_failed(out: &mut Vec<u8>, partition: PartitionId, result: ResultCode) {
    let header = MessageHeader {
        info3: Info3::PARTITION_DONE,
        result,
        generation: partition.index() as u32,
        ..MessageHeader::default()
    };
    out.extend_from_slice(&header.to_bytes());
}

/// Appends the last message of the reply, without a frame.
pub fn last(out: &mut Vec<u8>, result: ResultCode) {
    let header = MessageHeader { info3: Info3::LAST, result, ..MessageHeader::default() };
    out.extend_from_slice(&header.to_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Reply;

    /// A query's message with these fields.
    fn message(fields: &[(FieldType, &[u8])]) -> Vec<u8> {
        let header = MessageHeader { n_fields: fields.len() as u16, ..MessageHeader::default() };
        let mut body = header.to_bytes().to_vec();
        for (kind, data) in fields {
            body.extend_from_slice(&(data.len() as u32 + 1).to_be_bytes());
            body.push(kind.0);
            body.extend_from_slice(data);
        }
        body
    }

    fn parts_of(fields: &[(FieldType, &[u8])]) -> Result<Vec<Part>, ResultCode> {
        parts(&Request::parse(&message(fields)).unwrap())
    }

    #[test]
    fn partitions_are_whole_or_begun() {
        let mut digest = [7; Digest::SIZE];
        (digest[0], digest[1]) = (3, 0xF2);
        let partition = PartitionId::new(0x203).unwrap();
        let whole = Part { partition: PartitionId::new(0xFFF).unwrap(), after: None };
        let found = parts_of(&[
            (FieldType::DIGESTS, &digest),
            (FieldType::PARTITION_IDS, &[0xFF, 0x0F]),
            (FieldType::INDEX_RANGE, b"x"),
            (FieldType::INDEX_VALUES, &(-2i64).to_le_bytes()),
        ]);
        let begun = Part { partition, after: Some((Digest(digest), -2)) };
        assert_eq!(found, Ok(vec![whole, begun]));
    }

    #[test]
    fn partitions_are_refused() {
        let refused = |fields: &[(FieldType, &[u8])], result| {
            assert_eq!(parts_of(fields), Err(result), "{fields:?}");
        };
        let (ids, digests, values) =
            (FieldType::PARTITION_IDS, FieldType::DIGESTS, FieldType::INDEX_VALUES);
        let digest = &[0; Digest::SIZE];
        let range: (FieldType, &[u8]) = (FieldType::INDEX_RANGE, b"x");
        refused(&[], ResultCode::UNSUPPORTED_FEATURE);
        refused(&[range], ResultCode::UNSUPPORTED_FEATURE);
        refused(&[(ids, &[])], ResultCode::PARAMETER);
        refused(&[(ids, &[1])], ResultCode::PARAMETER);
        refused(&[(ids, &[0, 0x10])], ResultCode::PARAMETER);
        refused(&[(ids, &[5, 0, 5, 0])], ResultCode::PARAMETER);
        refused(&[(ids, &[0; 2 * PARTITIONS + 2])], ResultCode::PARAMETER);
        refused(&[(ids, &[0, 0]), (digests, digest)], ResultCode::PARAMETER);
        refused(&[(digests, &digest[1..])], ResultCode::PARAMETER);
        refused(&[(digests, digest), (values, &[0; 8])], ResultCode::PARAMETER);
        refused(&[(digests, digest), range], ResultCode::PARAMETER);
        refused(&[(digests, digest), range, (values, &[0; 16])], ResultCode::PARAMETER);
        refused(&[(digests, digest), range, (values, &[0; 7])], ResultCode::PARAMETER);
        refused(&[(ids, &[0, 0]), range, (values, &[0; 8])], ResultCode::PARAMETER);
    }

    #[test]
    fn bin_lists_fill_their_field() {
        assert_eq!(bin_list(b"\x02\x01a\x00"), Ok(vec![&b"a"[..], b""]));
        assert_eq!(bin_list(b"\x00"), Ok(vec![]));
        for field in [&b""[..], b"\x01", b"\x01\x02a", b"\x01\x01ab"] {
            assert_eq!(bin_list(field), Err(ResultCode::PARAMETER));
        }
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        let mut out = vec![9];
        let digest = Digest([1; Digest::SIZE]);
        let head = RowHead {
            namespace: b"test",
            digest: &digest,
            set: b"s",
            key: Some(b"\x03k"),
            index_value: Some(5),
            generation: 3,
            void_time: 4,
        };
        let mut row = RowWriter::new(&mut out, &head);
        row.bin(b"a", ParticleType::STRING, b"text");
        assert_eq!(row.bin_count(), 1);
        row.finish();
        RowWriter::new(&mut out, &head).give_up();
        partition_failed(&mut out, PartitionId::new(77).unwrap(), ResultCode::OK);
        let (row, rest) = Reply::parse(&out[1..]).unwrap();
        assert_eq!((row.header.generation, row.header.record_ttl), (3, 4));
        let bins: Vec<_> = row.ops().map(|op| (op.name, op.value)).collect();
        assert_eq!(bins, [(&b"a"[..], &b"text"[..])]);
        let (mark, rest) = Reply::parse(rest).unwrap();
        assert_eq!((mark.header.info3, mark.header.generation), (Info3::PARTITION_DONE, 77));
        assert!(rest.is_empty());
    }
}
