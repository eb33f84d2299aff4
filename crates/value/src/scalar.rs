//! INCR, APPEND and PREPEND (`reference`: protocol.md, section 6.6).
//!
//! Each takes the bin's value, if there is one, and the operand, and returns the value to store. On
//! a missing bin all three write the operand as if it came with a WRITE, whatever its type.

use wire::{ParticleType, ResultCode};

use crate::particle::{self, StoredBytes, from_wire};

/// A bin's value: its type and its stored bytes.
pub type Existing<'a> = Option<(ParticleType, &'a [u8])>;

/// The value to store, or why there is none.
pub type Changed<'a> = Result<(ParticleType, StoredBytes<'a>), ResultCode>;

/// Greatest value that APPEND and PREPEND build: what a message can carry. Far above any record.
const VALUE_SIZE_BYTES_MAX: usize = 128 << 20;

/// Size of the integer operand that memcache proxies send: a delta, then eight bytes of no meaning.
const MEMCACHE_OPERAND_SIZE_BYTES: usize = 16;

/// Adds to an integer, modulo 2^64, or to a float. Does not allocate.
///
/// # Errors
/// - `INCOMPATIBLE_TYPE`: the operand is not of the bin's type, or the bin is no number.
/// - `UNKNOWN`: the bin holds GeoJSON.
/// - `PARAMETER`: the operand has a size that its type does not allow, or an unknown type.
/// - those of [`from_wire`], on a missing bin.
pub fn increment<'a>(
    existing: Existing<'a>,
    operand_type: ParticleType,
    operand: &'a [u8],
) -> Changed<'a> {
    let Some((existing_type, value)) = existing else { return create(operand_type, operand) };
    if !particle::is_storable(operand_type) {
        return Err(ResultCode::PARAMETER);
    }
    let sum = match existing_type {
        ParticleType::GEOJSON => return Err(ResultCode::UNKNOWN),
        ParticleType::INTEGER | ParticleType::FLOAT if operand_type != existing_type => {
            return Err(ResultCode::INCOMPATIBLE_TYPE);
        }
        ParticleType::INTEGER => add_integer(word(value)?, operand)?.to_be_bytes(),
        ParticleType::FLOAT => {
            let operand = operand.try_into().map_err(|_| ResultCode::PARAMETER)?;
            (f64::from_bits(word(value)?) + f64::from_be_bytes(operand)).to_be_bytes()
        }
        _ => return Err(ResultCode::INCOMPATIBLE_TYPE),
    };
    Ok((existing_type, StoredBytes::Word(sum)))
}

/// Adds the operand's bytes behind those of the bin.
///
/// # Errors
/// - `INCOMPATIBLE_TYPE`: the operand is not of the bin's type, or the bin is neither a string nor
///   of one of the blob types.
/// - `UNKNOWN`: the bin holds GeoJSON.
/// - `PARAMETER`: the operand has an unknown type.
/// - `RECORD_TOO_BIG`: the value would be larger than any message.
/// - those of [`from_wire`], on a missing bin.
pub fn append<'a>(
    existing: Existing<'a>,
    operand_type: ParticleType,
    operand: &'a [u8],
) -> Changed<'a> {
    let Some((existing_type, value)) = existing else { return create(operand_type, operand) };
    check_concatenation(existing_type, operand_type)?;
    Ok((existing_type, concatenation(value, operand)?))
}

/// Adds the operand's bytes in front of those of the bin.
///
/// # Errors
/// Those of [`append`].
pub fn prepend<'a>(
    existing: Existing<'a>,
    operand_type: ParticleType,
    operand: &'a [u8],
) -> Changed<'a> {
    let Some((existing_type, value)) = existing else { return create(operand_type, operand) };
    check_concatenation(existing_type, operand_type)?;
    Ok((existing_type, concatenation(operand, value)?))
}

fn create(operand_type: ParticleType, operand: &[u8]) -> Changed<'_> {
    Ok((operand_type, from_wire(operand_type, operand)?))
}

fn add_integer(value: u64, operand: &[u8]) -> Result<u64, ResultCode> {
    if operand.len() != MEMCACHE_OPERAND_SIZE_BYTES {
        return Ok(value.wrapping_add(particle::integer_operand(operand)?));
    }
    let (delta, _) = operand.split_at(8);
    let delta = word(delta)?.cast_signed();
    // Memcache's counters do not go below zero, and its values are unsigned.
    Ok(match delta {
        0.. => value.wrapping_add(delta.cast_unsigned()),
        _ => value.saturating_sub(delta.unsigned_abs()),
    })
}

/// The eight bytes of a stored number.
fn word(value: &[u8]) -> Result<u64, ResultCode> {
    Ok(u64::from_be_bytes(value.try_into().map_err(|_| ResultCode::UNKNOWN)?))
}

fn check_concatenation(
    existing_type: ParticleType,
    operand_type: ParticleType,
) -> Result<(), ResultCode> {
    if !particle::is_storable(operand_type) {
        return Err(ResultCode::PARAMETER);
    }
    match existing_type {
        ParticleType::GEOJSON => Err(ResultCode::UNKNOWN),
        _ if particle::is_bytes_type(existing_type) && existing_type == operand_type => Ok(()),
        _ => Err(ResultCode::INCOMPATIBLE_TYPE),
    }
}

fn concatenation<'a>(front: &'a [u8], back: &'a [u8]) -> Result<StoredBytes<'a>, ResultCode> {
    match (front, back) {
        (bytes, []) | ([], bytes) => Ok(StoredBytes::Borrowed(bytes)),
        _ if front.len().saturating_add(back.len()) > VALUE_SIZE_BYTES_MAX => {
            Err(ResultCode::RECORD_TOO_BIG)
        }
        _ => Ok(StoredBytes::Owned([front, back].concat())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INT: ParticleType = ParticleType::INTEGER;
    const FLOAT: ParticleType = ParticleType::FLOAT;
    const TEXT: ParticleType = ParticleType::STRING;

    fn add(value: i64, operand: &[u8]) -> Result<i64, ResultCode> {
        let value = value.to_be_bytes();
        let (particle_type, sum) = increment(Some((INT, &value)), INT, operand)?;
        assert_eq!(particle_type, INT);
        Ok(i64::from_be_bytes(sum.as_ref().try_into().expect("integers have eight bytes")))
    }

    #[test]
    fn integers_wrap_and_short_operands_are_unsigned() {
        assert_eq!(add(40, &2_i64.to_be_bytes()), Ok(42));
        assert_eq!(add(1, &(-2_i64).to_be_bytes()), Ok(-1));
        assert_eq!(add(i64::MAX, &1_i64.to_be_bytes()), Ok(i64::MIN));
        assert_eq!(add(0, &[0xff]), Ok(255));
        assert_eq!(add(0, &[0xff, 0xff]), Ok(65_535));
        assert_eq!(add(0, &[0xff; 4]), Ok(u32::MAX.into()));
        for size in [0, 3, 5, 9, 15, 17] {
            assert_eq!(add(0, &vec![0; size]), Err(ResultCode::PARAMETER), "{size} bytes");
        }
    }

    #[test]
    fn memcache_deltas_stop_at_zero() {
        let operand = |delta: i64| [delta.to_be_bytes(), [0xab; 8]].concat();
        assert_eq!(add(5, &operand(3)), Ok(8));
        assert_eq!(add(5, &operand(-3)), Ok(2));
        assert_eq!(add(5, &operand(-5)), Ok(0));
        assert_eq!(add(5, &operand(-6)), Ok(0));
        assert_eq!(add(0, &operand(i64::MIN)), Ok(0));
        // Values are unsigned here: -1 is the greatest.
        assert_eq!(add(-1, &operand(-1)), Ok(-2));
        assert_eq!(increment(None, INT, &operand(1)), Err(ResultCode::PARAMETER));
    }

    #[test]
    fn floats_add_only_floats() {
        let value = 1.5_f64.to_be_bytes();
        let operand = 2.25_f64.to_be_bytes();
        let sum = increment(Some((FLOAT, &value)), FLOAT, &operand);
        assert_eq!(sum, Ok((FLOAT, StoredBytes::Word(3.75_f64.to_be_bytes()))));
        let wrong = increment(Some((FLOAT, &value)), INT, &operand);
        assert_eq!(wrong, Err(ResultCode::INCOMPATIBLE_TYPE));
        let short = increment(Some((FLOAT, &value)), FLOAT, &operand[..4]);
        assert_eq!(short, Err(ResultCode::PARAMETER));
    }

    #[test]
    fn concatenation_keeps_the_type() {
        let changed = append(Some((TEXT, b"ab")), TEXT, b"cd");
        assert_eq!(changed, Ok((TEXT, StoredBytes::Borrowed(b"abcd"))));
        let changed = prepend(Some((TEXT, b"ab")), TEXT, b"cd");
        assert_eq!(changed, Ok((TEXT, StoredBytes::Borrowed(b"cdab"))));
        let wrong = append(Some((TEXT, b"ab")), ParticleType::BLOB, b"cd");
        assert_eq!(wrong, Err(ResultCode::INCOMPATIBLE_TYPE));
    }

    #[test]
    fn empty_operands_copy_nothing() {
        let changed = append(Some((TEXT, b"ab")), TEXT, b"");
        assert!(matches!(changed, Ok((TEXT, StoredBytes::Borrowed(b"ab")))));
        let changed = prepend(Some((TEXT, b"")), TEXT, b"ab");
        assert!(matches!(changed, Ok((TEXT, StoredBytes::Borrowed(b"ab")))));
    }

    #[test]
    fn a_missing_bin_takes_the_operand() {
        for operation in [increment, append, prepend] {
            let written = operation(None, TEXT, b"text");
            assert_eq!(written, Ok((TEXT, StoredBytes::Borrowed(b"text"))));
            let written = operation(None, INT, &[7]);
            assert_eq!(written, Ok((INT, StoredBytes::Word(7_i64.to_be_bytes()))));
            assert_eq!(operation(None, ParticleType(99), b""), Err(ResultCode::PARAMETER));
            assert_eq!(operation(None, ParticleType::NULL, b""), Err(ResultCode::PARAMETER));
        }
    }

    #[test]
    fn types_that_no_operation_changes() {
        let unchangeable =
            [ParticleType::BOOL, ParticleType::HLL, ParticleType::MAP, ParticleType::LIST];
        for existing in unchangeable {
            for operation in [increment, append, prepend] {
                let changed = operation(Some((existing, b"\x00")), existing, b"\x00");
                assert_eq!(changed, Err(ResultCode::INCOMPATIBLE_TYPE), "{existing:?}");
            }
        }
        for operation in [increment, append, prepend] {
            let geo = Some((ParticleType::GEOJSON, &b"\x00\x00\x00{}"[..]));
            assert_eq!(operation(geo, ParticleType::GEOJSON, b""), Err(ResultCode::UNKNOWN));
            assert_eq!(operation(geo, ParticleType(5), b""), Err(ResultCode::PARAMETER));
        }
    }
}
