//! A record's metadata as values (`reference`: expressions.md, 4.5).

use crate::program::Field;
use crate::values::{Unknown, Value};
use crate::view::{Medium, Metadata};

/// Unix time of the epoch from which metadata counts: 2010-01-01T00:00:00Z.
const EPOCH_UNIX_SECONDS: u64 = 1_262_304_000;
const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// Bytes 16 to 19 of the digest, little-endian, modulo this.
pub(super) fn digest_modulo<'e>(metadata: &dyn Metadata, modulus: i32) -> Value<'e> {
    let [.., b0, b1, b2, b3] = metadata.digest().0;
    let number = i64::from(u32::from_le_bytes([b0, b1, b2, b3]));
    Value::Int(number.wrapping_rem(modulus.into()))
}

/// Unknown is only what the record has to be read for.
pub(super) fn field(metadata: &dyn Metadata, field: Field) -> Result<Value<'_>, Unknown> {
    Ok(match field {
        Field::LastUpdate => Value::Int(last_update_unix_nanos(metadata)),
        Field::SinceUpdate => {
            let since_ms = metadata.now_ms().saturating_sub(metadata.last_update_time_ms());
            Value::Int(since_ms.cast_signed())
        }
        Field::VoidTime => Value::Int(void_time_unix_nanos(metadata)),
        Field::Ttl => Value::Int(ttl_seconds(metadata)),
        Field::SetName => Value::Str(metadata.set_name().into()),
        Field::KeyExists => Value::Bool(metadata.has_key().ok_or(Unknown)?),
        Field::IsTombstone => Value::Bool(metadata.is_tombstone()),
        Field::DeviceSize if metadata.medium() == Medium::Memory => Value::Int(0),
        Field::MemorySize if metadata.medium() == Medium::Device => Value::Int(0),
        Field::DeviceSize | Field::MemorySize | Field::RecordSize => {
            Value::Int(metadata.size_bytes() as i64)
        }
    })
}

fn last_update_unix_nanos(metadata: &dyn Metadata) -> i64 {
    let since_epoch = metadata.last_update_time_ms().wrapping_mul(NANOS_PER_MILLI);
    (EPOCH_UNIX_SECONDS * NANOS_PER_SECOND).wrapping_add(since_epoch).cast_signed()
}

fn void_time_unix_nanos(metadata: &dyn Metadata) -> i64 {
    match metadata.void_time_seconds() {
        0 => -1,
        seconds => ((EPOCH_UNIX_SECONDS + u64::from(seconds)) * NANOS_PER_SECOND).cast_signed(),
    }
}

/// A record whose time is over but which is still there has a second to live.
fn ttl_seconds(metadata: &dyn Metadata) -> i64 {
    match metadata.void_time_seconds() {
        0 => -1,
        seconds => {
            let now_seconds = (metadata.now_ms() / 1000).cast_signed();
            (i64::from(seconds) - now_seconds).max(1)
        }
    }
}
