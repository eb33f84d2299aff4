//! Batches: many small requests in one message (protocol reference, section 8.1).
//!
//! The data of field 41 or 42, integers big-endian:
//!
//! | size | present | meaning |
//! |---|---|---|
//! | 4 | always | number of rows |
//! | 1 | always | [`BatchFlags`] |
//! | .. | | the rows |
//!
//! A row:
//!
//! | size | present | meaning |
//! |---|---|---|
//! | 4 | always | index, chosen by the client and sent back |
//! | 20 | always | digest |
//! | 1 | always | [`RowFlags`] |
//! | 1 | not `REPEAT` | first flags of the request |
//! | 2 | `EXTRA_INFO` | second and third flags |
//! | 1 | `INFO4` | fourth flags |
//! | 2 | `GENERATION` | generation expected |
//! | 4 | `RECORD_TTL` | time to live |
//! | 2 | not `REPEAT` | number of fields; 0 counts as 1 |
//! | 2 | not `REPEAT` | number of operations |
//! | .. | not `REPEAT` | fields, of which the first is the namespace, then operations |
//!
//! A row with `REPEAT` ends after its flags: it asks of another record what the row before asks. It
//! must not repeat a user key.

use bitflags::bitflags;

use crate::cursor::Cursor;
use crate::message::{FieldType, Info1, Info2, Info3, Info4, MessageHeader};
use crate::request::{Malformed, Request};
use crate::{Digest, client::RequestBuilder};

bitflags! {
    /// How a batch is carried out.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct BatchFlags: u8 {
        /// Data in memory may be worked on by the thread that read the request.
        const INLINE = 0x01;
        /// So may data on devices.
        const INLINE_DEVICE = 0x02;
        /// Every row is answered, whatever happens to others.
        const RESPOND_ALL = 0x04;
        /// Without [`Self::RESPOND_ALL`]: the row that fails is answered before the batch ends.
        const INCLUDE_FAILURE = 0x08;
    }
}

bitflags! {
    /// What follows the flags of a row.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct RowFlags: u8 {
        /// Nothing: the row repeats the one before.
        const REPEAT = 0x01;
        /// Second and third flags of the request.
        const EXTRA_INFO = 0x02;
        /// A generation.
        const GENERATION = 0x04;
        /// A time to live.
        const RECORD_TTL = 0x08;
        /// Fourth flags of the request.
        const INFO4 = 0x10;
    }
}

/// What precedes the rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// Number of rows, as announced.
    pub row_count: u32,
    /// How they are carried out.
    pub flags: BatchFlags,
}

/// One row, read as the request about a single record that it stands for.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The index that the client chose.
    pub index: u32,
    /// The request. Its namespace and its digest are always there; the digest has 20 bytes.
    pub request: Request<'a>,
    /// Whether only index and digest differ from the row before.
    pub repeats: bool,
}

/// Reads the rows of a batch one after another, in place.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    data: &'a [u8],
    inherited: Inherited<'a>,
    place: Place,
    row: Option<Row<'a>>,
}

/// How far [`Rows`] has read: enough to go on with the same message later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Where in the data the next row begins.
    at: usize,
    /// Rows that are still to come.
    left: u32,
    /// Where the last row begins that did not repeat another.
    repeated_at: Option<usize>,
}

/// What rows take from the message that they came in.
#[derive(Clone, Copy, Debug)]
struct Inherited<'a> {
    read_modes: Info3,
    transaction_ttl_ms: u32,
    filter: Option<&'a [u8]>,
}

impl BatchHeader {
    /// Bytes of a header.
    pub const SIZE: usize = 5;
}

impl<'a> Rows<'a> {
    /// The rows that a message holds, and what precedes them.
    ///
    /// # Errors
    /// [`Malformed`] without a batch field, or with one that has no room for a header.
    pub fn of(message: &Request<'a>) -> Result<(BatchHeader, Self), Malformed> {
        let data = message.field(FieldType::BATCH);
        let data = data.or_else(|| message.field(FieldType::BATCH_WITH_SET)).ok_or(Malformed)?;
        let mut cursor = Cursor(data);
        let row_count = cursor.u32().ok_or(Malformed)?;
        let flags = BatchFlags::from_bits_retain(cursor.u8().ok_or(Malformed)?);
        let inherited = Inherited {
            read_modes: message.header.info3 & (Info3::SC_READ_TYPE | Info3::SC_READ_RELAX),
            transaction_ttl_ms: message.header.transaction_ttl_ms,
            filter: message.field(FieldType::FILTER),
        };
        let place = Place { at: BatchHeader::SIZE, left: row_count, repeated_at: None };
        Ok((BatchHeader { row_count, flags }, Self { data, inherited, place, row: None }))
    }

    /// How far it has read.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Goes on where another reader of the same message has stopped.
    ///
    /// # Errors
    /// [`Malformed`] if the place is none in this message.
    pub fn resume(&mut self, place: Place) -> Result<(), Malformed> {
        self.row = None;
        if let Some(at) = place.repeated_at {
            self.place = Place { at, left: 1, repeated_at: None };
            self.next_row()?;
        }
        self.place = place;
        Ok(())
    }

    /// The digests of those rows that come next and repeat the last one, as far as there is room for
    /// them. Returns how many there are.
    pub fn repeats_ahead(&self, digests: &mut [Digest]) -> usize {
        let mut cursor = Cursor(self.data.get(self.place.at..).unwrap_or_default());
        let mut next = || {
            cursor.take(size_of::<u32>())?;
            let digest = cursor.take(Digest::SIZE)?.try_into().ok()?;
            let flags = RowFlags::from_bits_retain(cursor.u8()?);
            flags.contains(RowFlags::REPEAT).then_some(Digest(digest))
        };
        let slots = digests.iter_mut().take(self.place.left as usize);
        slots.map_while(|slot| next().map(|digest| *slot = digest)).count()
    }

    /// The next row; `None` behind the last. What follows that is not looked at.
    ///
    /// # Errors
    /// [`Malformed`] if there are fewer rows than announced, or this is none. It cannot be told where
    /// a row after it would begin.
    pub fn next_row(&mut self) -> Result<Option<&Row<'a>>, Malformed> {
        if self.place.left == 0 {
            return Ok(None);
        }
        let start = self.place.at;
        let mut cursor = Cursor(self.data.get(start..).unwrap_or_default());
        let index = cursor.u32().ok_or(Malformed)?;
        let digest = cursor.take(Digest::SIZE).ok_or(Malformed)?;
        let flags = RowFlags::from_bits_retain(cursor.u8().ok_or(Malformed)?);
        if flags.contains(RowFlags::REPEAT) {
            let row = self.row.as_mut().ok_or(Malformed)?;
            if row.request.key.is_some() {
                return Err(Malformed);
            }
            row.index = index;
            row.request.digest = Some(digest);
            row.repeats = true;
        } else {
            let mut request = self.inherited.parse_row(flags, &mut cursor)?;
            request.digest = Some(digest);
            self.place.repeated_at = Some(start);
            self.row = Some(Row { index, request, repeats: false });
        }
        self.place.left -= 1;
        self.place.at = self.data.len() - cursor.0.len();
        Ok(self.row.as_ref())
    }
}

impl<'a> Inherited<'a> {
    /// Reads what follows the flags of a row that does not repeat another.
    fn parse_row(
        &self,
        flags: RowFlags,
        cursor: &mut Cursor<'a>,
    ) -> Result<Request<'a>, Malformed> {
        let header = self.row_header(flags, cursor).ok_or(Malformed)?;
        let mut request = Request::new(header);
        request.read_parts(cursor)?;
        request.namespace = request.fields().next().map(|first| first.data);
        if let Some(filter) = self.filter {
            request.inherit_filter(filter);
        }
        Ok(request)
    }

    fn row_header(&self, flags: RowFlags, cursor: &mut Cursor<'a>) -> Option<MessageHeader> {
        let mut header = MessageHeader {
            info1: Info1::from_bits_retain(cursor.u8()?),
            info3: self.read_modes,
            transaction_ttl_ms: self.transaction_ttl_ms,
            ..MessageHeader::default()
        };
        header.info1.remove(Info1::COMPRESS_RESPONSE | Info1::XDR);
        if flags.contains(RowFlags::EXTRA_INFO) {
            header.info2 = Info2::from_bits_retain(cursor.u8()?);
            header.info3 = Info3::from_bits_retain(cursor.u8()?);
        }
        if flags.contains(RowFlags::INFO4) {
            header.info4 = Info4::from_bits_retain(cursor.u8()?);
        }
        if flags.contains(RowFlags::GENERATION) {
            header.generation = u32::from(cursor.u16()?);
        }
        if flags.contains(RowFlags::RECORD_TTL) {
            header.record_ttl = cursor.u32()?;
        }
        header.n_fields = cursor.u16()?.max(1);
        header.n_ops = cursor.u16()?;
        Some(header)
    }
}

/// Builds the data of a batch field, row by row.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    data: Vec<u8>,
    row_count: u32,
}

impl BatchBuilder {
    /// A batch without rows.
    pub fn new(flags: BatchFlags) -> Self {
        let mut data = vec![0; BatchHeader::SIZE];
        data[BatchHeader::SIZE - 1] = flags.bits();
        Self { data, row_count: 0 }
    }

    /// Adds a row that asks of a record what `request` does; the namespace must be its first field,
    /// and a digest is none of them. Returns where in the data the row's digest is.
    pub fn row(&mut self, index: u32, digest: &Digest, request: &RequestBuilder) -> usize {
        let (header, parts) = request.parts();
        let has = |flag, wanted| if wanted { flag } else { RowFlags::empty() };
        let extra_info = !header.info2.is_empty() || !header.info3.is_empty();
        let flags = has(RowFlags::EXTRA_INFO, extra_info)
            | has(RowFlags::INFO4, !header.info4.is_empty())
            | has(RowFlags::GENERATION, header.generation != 0)
            | has(RowFlags::RECORD_TTL, header.record_ttl != 0);
        let digest_at = self.head(index, digest, flags);
        self.data.push(header.info1.bits());
        if flags.contains(RowFlags::EXTRA_INFO) {
            self.data.extend_from_slice(&[header.info2.bits(), header.info3.bits()]);
        }
        if flags.contains(RowFlags::INFO4) {
            self.data.push(header.info4.bits());
        }
        if flags.contains(RowFlags::GENERATION) {
            self.data.extend_from_slice(&(header.generation as u16).to_be_bytes());
        }
        if flags.contains(RowFlags::RECORD_TTL) {
            self.data.extend_from_slice(&header.record_ttl.to_be_bytes());
        }
        self.data.extend_from_slice(&header.n_fields.to_be_bytes());
        self.data.extend_from_slice(&header.n_ops.to_be_bytes());
        parts.iter().for_each(|part| self.data.extend_from_slice(part));
        digest_at
    }

    /// Adds a row that asks of another record what the row before asks. Returns where in the data the
    /// row's digest is.
    pub fn repeat(&mut self, index: u32, digest: &Digest) -> usize {
        self.head(index, digest, RowFlags::REPEAT)
    }

    /// The field's data.
    pub fn into_data(mut self) -> Vec<u8> {
        self.data[..4].copy_from_slice(&self.row_count.to_be_bytes());
        self.data
    }

    fn head(&mut self, index: u32, digest: &Digest, flags: RowFlags) -> usize {
        self.row_count += 1;
        self.data.extend_from_slice(&index.to_be_bytes());
        let digest_at = self.data.len();
        self.data.extend_from_slice(&digest.0);
        self.data.push(flags.bits());
        digest_at
    }
}

#[cfg(test)]
mod tests;
