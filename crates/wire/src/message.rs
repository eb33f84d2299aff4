//! The message header with its flags, and the numbers of fields and operations.

use bitflags::bitflags;

use crate::ResultCode;
use crate::cursor::Cursor;

bitflags! {
    /// First flags byte: what is read.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Info1: u8 {
        /// Contains reading.
        const READ = 0x01;
        /// All bins are returned.
        const GET_ALL = 0x02;
        /// A query that is expected to return few records.
        const SHORT_QUERY = 0x04;
        /// The rows of a batch are in a field.
        const BATCH = 0x08;
        /// Sent by cross-datacentre shipping.
        const XDR = 0x10;
        /// Metadata only.
        const GET_NO_BINS = 0x20;
        /// Resolve duplicates before reading (available namespaces).
        const CONSISTENCY_LEVEL_ALL = 0x40;
        /// The client takes a compressed reply.
        const COMPRESS_RESPONSE = 0x80;
    }
}

bitflags! {
    /// Second flags byte: how to write.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Info2: u8 {
        /// Contains writing.
        const WRITE = 0x01;
        /// Deletes the record.
        const DELETE = 0x02;
        /// Only if the generation sent equals the record's.
        const GENERATION = 0x04;
        /// Only if the generation sent is greater than the record's.
        const GENERATION_GT = 0x08;
        /// A delete leaves a tombstone.
        const DURABLE_DELETE = 0x10;
        /// Only if the record is absent.
        const CREATE_ONLY = 0x20;
        /// A long query may read any partition version that has data.
        const RELAX_AP_LONG_QUERY = 0x40;
        /// One result for each operation, in order.
        const RESPOND_ALL_OPS = 0x80;
    }
}

bitflags! {
    /// Third flags byte: existence policies, consistency, ends of streams.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Info3: u8 {
        /// Last message of a reply of several.
        const LAST = 0x01;
        /// Answer once the master has written.
        const COMMIT_LEVEL_MASTER = 0x02;
        /// A partition's status row; in a request: the client understands such rows.
        const PARTITION_DONE = 0x04;
        /// Only if the record exists.
        const UPDATE_ONLY = 0x08;
        /// All old bins go.
        const CREATE_OR_REPLACE = 0x10;
        /// All old bins go, and the record must exist.
        const REPLACE_ONLY = 0x20;
        /// Strong consistency: with RELAX clear, a linearizable read.
        const SC_READ_TYPE = 0x40;
        /// Strong consistency: a relaxed read.
        const SC_READ_RELAX = 0x80;
    }
}

bitflags! {
    /// Fourth flags byte: multi-record transactions.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Info4: u8 {
        /// Verify that a record read by the transaction is unchanged.
        const MRT_VERIFY_READ = 0x01;
        /// Make the transaction's write final.
        const MRT_ROLL_FORWARD = 0x02;
        /// Undo the transaction's write.
        const MRT_ROLL_BACK = 0x04;
        /// Between nodes only.
        const MRT_MONITOR_DRIVEN = 0x08;
        /// Fail if the transaction has locked the record already.
        const MRT_ON_LOCKING_ONLY = 0x10;
    }
}

/// The 22 bytes after the frame header of a message. Unknown flag bits are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageHeader {
    /// What is read.
    pub info1: Info1,
    /// How to write.
    pub info2: Info2,
    /// Existence policies, ends of streams.
    pub info3: Info3,
    /// Multi-record transactions.
    pub info4: Info4,
    /// How the request ended; 0 in a request.
    pub result: ResultCode,
    /// Generation expected, or the record's.
    pub generation: u32,
    /// Request: time to live in seconds, or a special value. Reply: void-time, seconds since 2010.
    pub record_ttl: u32,
    /// Request: time in ms after which the server gives up, 0 for its default. Batch row: its index.
    pub transaction_ttl_ms: u32,
    /// Number of fields.
    pub n_fields: u16,
    /// Number of operations.
    pub n_ops: u16,
}

impl Default for MessageHeader {
    fn default() -> Self {
        Self {
            info1: Info1::empty(),
            info2: Info2::empty(),
            info3: Info3::empty(),
            info4: Info4::empty(),
            result: ResultCode::OK,
            generation: 0,
            record_ttl: 0,
            transaction_ttl_ms: 0,
            n_fields: 0,
            n_ops: 0,
        }
    }
}

impl MessageHeader {
    /// Bytes of a header, which is also what its first byte says; servers do not check that byte.
    pub const SIZE: usize = 22;

    #[inline]
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let _header_size = cursor.u8()?;
        Some(Self {
            info1: Info1::from_bits_retain(cursor.u8()?),
            info2: Info2::from_bits_retain(cursor.u8()?),
            info3: Info3::from_bits_retain(cursor.u8()?),
            info4: Info4::from_bits_retain(cursor.u8()?),
            result: ResultCode(cursor.u8()?),
            generation: cursor.u32()?,
            record_ttl: cursor.u32()?,
            transaction_ttl_ms: cursor.u32()?,
            n_fields: cursor.u16()?,
            n_ops: cursor.u16()?,
        })
    }

    /// The header as sent.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[0] = Self::SIZE as u8;
        bytes[1] = self.info1.bits();
        bytes[2] = self.info2.bits();
        bytes[3] = self.info3.bits();
        bytes[4] = self.info4.bits();
        bytes[5] = self.result.0;
        bytes[6..10].copy_from_slice(&self.generation.to_be_bytes());
        bytes[10..14].copy_from_slice(&self.record_ttl.to_be_bytes());
        bytes[14..18].copy_from_slice(&self.transaction_ttl_ms.to_be_bytes());
        bytes[18..20].copy_from_slice(&self.n_fields.to_be_bytes());
        bytes[20..22].copy_from_slice(&self.n_ops.to_be_bytes());
        bytes
    }
}

/// Declares a newtype over a wire number with its known values, keeping unknown ones.
macro_rules! wire_numbers {
    ($(#[$type_doc:meta])* $type:ident { $($(#[$doc:meta])* $name:ident = $number:literal;)* }) => {
        $(#[$type_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(transparent)]
        pub struct $type(pub u8);

        impl $type {
            $($(#[$doc])* pub const $name: Self = Self($number);)*
        }
    };
}

wire_numbers! {
    /// What a field of a message is.
    FieldType {
        /// Namespace name, at most 31 bytes.
        NAMESPACE = 0;
        /// Set name, at most 63 bytes; empty means none.
        SET = 1;
        /// User key: particle type, then the value.
        KEY = 2;
        /// Record version (7 bytes little-endian) of multi-record transactions.
        RECORD_VERSION = 3;
        /// The 20 bytes of the digest.
        DIGEST = 4;
        /// Id of a multi-record transaction (u64 little-endian).
        MRT_ID = 5;
        /// Deadline of a multi-record transaction (u32 little-endian, seconds since 2010).
        MRT_DEADLINE = 6;
        /// Id of a query (u64).
        QUERY_ID = 7;
        /// Time in ms that a query waits for its client (u32).
        SOCKET_TIMEOUT = 9;
        /// Records per second of a query (u32).
        RECORDS_PER_SECOND = 10;
        /// Partitions of a query: u16 little-endian each.
        PARTITION_IDS = 11;
        /// Digests after which a query goes on.
        DIGESTS = 12;
        /// Most records a query returns (u64).
        RECORDS_MAX = 13;
        /// Last-update-time in ms since 2010 (u64), of shipped writes.
        LAST_UPDATE_TIME = 14;
        /// Index values after which a query goes on: i64 little-endian each.
        INDEX_VALUES = 15;
        /// Name of a secondary index.
        INDEX_NAME = 21;
        /// Range of a secondary-index query.
        INDEX_RANGE = 22;
        /// Where in a bin the index looks.
        INDEX_CONTEXT = 23;
        /// Expression that the index computes.
        INDEX_EXPRESSION = 24;
        /// Whether the index holds list elements, map keys or map values.
        INDEX_TYPE = 26;
        /// Module of a UDF.
        UDF_FILENAME = 30;
        /// Function of a UDF.
        UDF_FUNCTION = 31;
        /// Arguments of a UDF, a msgpack list.
        UDF_ARGUMENTS = 32;
        /// How a UDF is applied.
        UDF_OP = 33;
        /// Bins that a query returns.
        QUERY_BINS = 40;
        /// Rows of a batch.
        BATCH = 41;
        /// Rows of a batch; treated as [`Self::BATCH`].
        BATCH_WITH_SET = 42;
        /// Filter expression.
        FILTER = 43;
    }
}

wire_numbers! {
    /// What an operation does to a bin.
    OpCode {
        /// Read a bin, or all of them when the name is empty.
        READ = 1;
        /// Write a bin; a null value deletes it.
        WRITE = 2;
        /// Read part of a list or map.
        CDT_READ = 3;
        /// Modify a list or map.
        CDT_MODIFY = 4;
        /// Add to a number.
        INCREMENT = 5;
        /// Evaluate an expression.
        EXPRESSION_READ = 7;
        /// Write the value of an expression.
        EXPRESSION_MODIFY = 8;
        /// Append to a string or blob.
        APPEND = 9;
        /// Prepend to a string or blob.
        PREPEND = 10;
        /// Renew the record's time to live.
        TOUCH = 11;
        /// Read bits of a blob.
        BITS_READ = 12;
        /// Modify bits of a blob.
        BITS_MODIFY = 13;
        /// Remove all bins.
        DELETE_ALL = 14;
        /// Read a HyperLogLog sketch.
        HLL_READ = 15;
        /// Modify a HyperLogLog sketch.
        HLL_MODIFY = 16;
    }
}

/// Longest bin name in bytes.
pub const BIN_NAME_BYTES_MAX: usize = 15;

/// Longest set name in bytes.
pub const SET_NAME_BYTES_MAX: usize = 63;
