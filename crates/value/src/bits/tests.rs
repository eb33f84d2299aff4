//! Bit operations: tables of what single ones do, comparison with a naive bit vector, and any bytes
//! as operations.

use proptest::prelude::*;

use super::*;
use crate::msgpack::write;

const PARAMETER: ResultCode = ResultCode::PARAMETER;
const NOT_APPLICABLE: ResultCode = ResultCode::OP_NOT_APPLICABLE;

const RESIZE: i64 = 0;
const INSERT: i64 = 1;
const REMOVE: i64 = 2;
const SET: i64 = 3;
const OR: i64 = 4;
const XOR: i64 = 5;
const AND: i64 = 6;
const NOT: i64 = 7;
const SHIFT_LEFT: i64 = 8;
const SHIFT_RIGHT: i64 = 9;
const ADD: i64 = 10;
const SUBTRACT: i64 = 11;
const SET_INT: i64 = 12;
const GET: i64 = 50;
const COUNT: i64 = 51;
const FIRST: i64 = 52;
const LAST: i64 = 53;
const GET_INT: i64 = 54;

const CREATE_ONLY: i64 = 1;
const UPDATE_ONLY: i64 = 2;
const NO_FAIL: i64 = 4;
const PARTIAL: i64 = 8;

/// An item of an operation's value.
#[derive(Clone, Debug)]
enum Item {
    Int(i64),
    Bool(bool),
    Bytes(Vec<u8>),
}

impl From<i64> for Item {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Item {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&[u8]> for Item {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Item {
    fn from(bytes: &[u8; N]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

fn operation(items: &[Item]) -> Vec<u8> {
    let mut out = Vec::new();
    write::list_header(&mut out, items.len());
    for item in items {
        match item {
            Item::Int(value) => write::integer(&mut out, *value),
            Item::Bool(value) => write::boolean(&mut out, *value),
            Item::Bytes(bytes) => {
                let payload = [&[ParticleType::BLOB.0][..], bytes].concat();
                write::bytes(&mut out, &payload);
            }
        }
    }
    out
}

macro_rules! items {
    ($($item:expr),*) => { &[$(Item::from($item)),*] as &[Item] };
}

/// A blob after an operation; `None` if nothing happened.
fn run(blob: Option<&[u8]>, items: &[Item]) -> Changed {
    let existing = blob.map(|blob| (ParticleType::BLOB, blob));
    let modified = modify(existing, &operation(items))?;
    assert_eq!(modified.answer, None);
    Ok(modified.bin.map(|(particle_type, blob)| {
        assert_eq!(particle_type, ParticleType::BLOB);
        blob
    }))
}

fn ask(blob: &[u8], items: &[Item]) -> Result<Vec<u8>, ResultCode> {
    let (particle_type, value) = read((ParticleType::BLOB, blob), &operation(items))?;
    let is_get = matches!(items, [Item::Int(GET), ..]);
    assert_eq!(particle_type, if is_get { ParticleType::BLOB } else { ParticleType::INTEGER });
    Ok(value.to_vec())
}

fn ask_integer(blob: &[u8], items: &[Item]) -> Result<i64, ResultCode> {
    ask(blob, items).map(|value| i64::from_be_bytes(value.try_into().unwrap()))
}

#[test]
fn sizes_change() {
    let blob: &[u8] = &[1, 2, 3];
    for (items, expected) in [
        (items![RESIZE, 5], &[1, 2, 3, 0, 0][..]),
        (items![RESIZE, 5, 0, 1], &[0, 0, 1, 2, 3]),
        (items![RESIZE, 2], &[1, 2]),
        (items![RESIZE, 2, 0, 1], &[2, 3]),
        (items![RESIZE, 0], &[]),
        (items![RESIZE, 4, 0, 2], &[1, 2, 3, 0]),
        (items![RESIZE, 2, 0, 4], &[1, 2]),
        (items![INSERT, 0, &[9]], &[9, 1, 2, 3]),
        (items![INSERT, -1, &[9, 8]], &[1, 2, 9, 8, 3]),
        (items![INSERT, 3, &[9]], &[1, 2, 3, 9]),
        (items![INSERT, 5, &[9]], &[1, 2, 3, 0, 0, 9]),
        (items![REMOVE, 1, 1], &[1, 3]),
        (items![REMOVE, -3, 3], &[]),
        (items![REMOVE, 1, 9, PARTIAL], &[1]),
    ] {
        assert_eq!(run(Some(blob), items), Ok(Some(expected.to_vec())), "{items:?}");
    }
}

#[test]
fn sizes_that_cannot_change() {
    let blob: &[u8] = &[1, 2, 3];
    for (items, expected) in [
        (items![RESIZE, 3], Ok(None)),
        (items![RESIZE, 2, 0, 2], Err(PARAMETER)),
        (items![RESIZE, 2, NO_FAIL, 2], Ok(None)),
        (items![RESIZE, 4, 0, 4], Err(PARAMETER)),
        (items![RESIZE, 4, NO_FAIL, 4], Ok(None)),
        (items![RESIZE, 4, 0, 6], Err(PARAMETER)),
        (items![RESIZE, 1 << 27], Err(PARAMETER)),
        (items![RESIZE, (1 << 27) + 1], Err(PARAMETER)),
        (items![INSERT, 0, b""], Err(PARAMETER)),
        (items![INSERT, -4, &[9], NO_FAIL], Err(PARAMETER)),
        (items![INSERT, 1 << 27, &[9], NO_FAIL], Err(PARAMETER)),
        (items![REMOVE, 3, 1], Err(PARAMETER)),
        (items![REMOVE, 3, 1, PARTIAL], Err(PARAMETER)),
        (items![REMOVE, 3, 1, PARTIAL | NO_FAIL], Ok(None)),
        (items![REMOVE, 2, 2], Err(PARAMETER)),
        (items![REMOVE, 2, 2, NO_FAIL], Ok(None)),
        (items![REMOVE, 0, 0], Err(PARAMETER)),
    ] {
        assert_eq!(run(Some(blob), items), expected, "{items:?}");
    }
}

#[test]
fn ranges_are_overwritten() {
    let blob: &[u8] = &[0b1010_1010, 0b1100_1100, 0b1111_0000];
    for (items, expected) in [
        (items![SET, 4, 8, &[0x5a]], [0b1010_0101, 0b1010_1100, 0b1111_0000]),
        (items![SET, -24, 4, &[0x5f]], [0b0101_1010, 0b1100_1100, 0b1111_0000]),
        (items![OR, 6, 4, &[0xf0]], [0b1010_1011, 0b1100_1100, 0b1111_0000]),
        (items![XOR, 4, 16, &[0xff, 0xff]], [0b1010_0101, 0b0011_0011, 0b0000_0000]),
        (items![AND, 16, 8, &[0x3c]], [0b1010_1010, 0b1100_1100, 0b0011_0000]),
        (items![NOT, 7, 2], [0b1010_1011, 0b0100_1100, 0b1111_0000]),
        (items![NOT, 20, 99, PARTIAL], [0b1010_1010, 0b1100_1100, 0b1111_1111]),
        (items![SHIFT_LEFT, 0, 24, 1], [0b0101_0101, 0b1001_1001, 0b1110_0000]),
        (items![SHIFT_RIGHT, 4, 8, 3], [0b1010_0001, 0b0101_1100, 0b1111_0000]),
        (items![SHIFT_LEFT, 8, 8, 8], [0b1010_1010, 0, 0b1111_0000]),
        (items![SHIFT_RIGHT, 16, 99, 50, PARTIAL], [0b1010_1010, 0b1100_1100, 0]),
        (items![SET_INT, 12, 4, -1], [0b1010_1010, 0b1100_1111, 0b1111_0000]),
        (items![NOT, i64::MIN, 1], [0b0010_1010, 0b1100_1100, 0b1111_0000]),
    ] {
        assert_eq!(run(Some(blob), items), Ok(Some(expected.to_vec())), "{items:?}");
    }
}

#[test]
fn ranges_must_be_there() {
    for code in [NOT, SHIFT_LEFT, ADD, SET_INT] {
        for (offset, size, expected) in [
            (16, 1, NOT_APPLICABLE),
            (15, 2, NOT_APPLICABLE),
            (-1, 2, NOT_APPLICABLE),
            (-17, 1, PARAMETER),
            (0, 0, PARAMETER),
            (0, -1, PARAMETER),
            ((1 << 30) + 1, 1, PARAMETER),
            (-(1 << 30) - 1, 1, PARAMETER),
        ] {
            let mut items = items![code, offset, size].to_vec();
            items.extend((code != NOT).then_some(Item::Int(1)));
            assert_eq!(run(Some(&[0, 0]), &items), Err(expected), "{items:?}");
            items.push(Item::Int(NO_FAIL));
            let no_fail = if expected == NOT_APPLICABLE { Ok(None) } else { Err(expected) };
            assert_eq!(run(Some(&[0, 0]), &items), no_fail, "{items:?}");
        }
    }
    let sixty_five = items![ADD, 0, 65, 1];
    assert_eq!(run(Some(&[0; 9]), sixty_five), Err(PARAMETER));
    let too_short = items![OR, 0, 9, &[0xff]];
    assert_eq!(run(Some(&[0; 9]), too_short), Err(PARAMETER));
}

#[test]
fn numbers_that_do_not_fit() {
    // Old byte, code, operand, then the byte after failing, saturating, wrapping.
    for (old, code, operand, subflags, expected) in [
        (250, ADD, 5, 0, [Some(255), Some(255), Some(255)]),
        (250, ADD, 6, 0, [None, Some(255), Some(0)]),
        (5, SUBTRACT, 5, 0, [Some(0), Some(0), Some(0)]),
        (5, SUBTRACT, 6, 0, [None, Some(0), Some(255)]),
        (0x7f, ADD, 1, 1, [None, Some(0x7f), Some(0x80)]),
        (0x80, SUBTRACT, 1, 1, [None, Some(0x80), Some(0x7f)]),
        (0x7f, SUBTRACT, -1, 1, [None, Some(0x7f), Some(0x80)]),
        (0xff, ADD, 1, 1, [Some(0), Some(0), Some(0)]),
        // The least number and itself are 0, which counts as a fit; so does what the least number
        // as an operand makes of positive ones.
        (0x80, ADD, 0x80, 1, [Some(0), Some(0), Some(0)]),
        (0x01, SUBTRACT, 0x80, 1, [Some(0x81), Some(0x81), Some(0x81)]),
        (0xff, SUBTRACT, 0x80, 1, [None, Some(0x80), Some(0x7f)]),
    ] {
        for (overflow, expected) in [0, 2, 4].into_iter().zip(expected) {
            let items = items![code, 0, 8, operand, 0, subflags | overflow];
            let expected = expected.map(|byte| Some(vec![byte])).ok_or(NOT_APPLICABLE);
            assert_eq!(run(Some(&[old]), items), expected, "{old} {items:?}");
        }
    }
    assert_eq!(run(Some(&[255]), items![ADD, 0, 8, 1, NO_FAIL]), Ok(None));
    assert_eq!(run(Some(&[255]), items![ADD, 0, 8, 1, 0, 6]), Err(PARAMETER));
    assert_eq!(run(Some(&[255]), items![ADD, 0, 8, 1, 0, 8]), Err(PARAMETER));
}

#[test]
fn bins_are_created_where_the_policy_allows() {
    for (items, expected) in [
        (items![RESIZE, 2], Ok(Some(vec![0, 0]))),
        (items![RESIZE, 2, CREATE_ONLY], Ok(Some(vec![0, 0]))),
        (items![RESIZE, 0], Ok(None)),
        (items![RESIZE, 2, UPDATE_ONLY], Err(ResultCode::BIN_NOT_FOUND)),
        (items![RESIZE, 2, UPDATE_ONLY | NO_FAIL], Ok(None)),
        (items![INSERT, 2, &[7]], Ok(Some(vec![0, 0, 7]))),
        (items![INSERT, -1, &[7], NO_FAIL], Err(PARAMETER)),
        (items![NOT, 0, 1], Err(ResultCode::BIN_NOT_FOUND)),
        (items![NOT, -1, 1, NO_FAIL], Ok(None)),
    ] {
        assert_eq!(run(None, items), expected, "{items:?}");
    }
    let create_only = items![INSERT, 0, &[7], CREATE_ONLY];
    assert_eq!(run(Some(&[]), create_only), Err(ResultCode::BIN_EXISTS));
    let create_only = items![INSERT, 0, &[7], CREATE_ONLY | NO_FAIL];
    assert_eq!(run(Some(&[]), create_only), Ok(None));
}

#[test]
fn malformed_operations() {
    for items in [
        items![],
        items![13],
        items![-1],
        items![GET, 0, 1],
        items![0xff, 0, 1],
        items![RESIZE],
        items![RESIZE, 1, 0, 0, 0],
        items![RESIZE, -1],
        items![RESIZE, 1, PARTIAL],
        items![RESIZE, 1, CREATE_ONLY | UPDATE_ONLY],
        items![NOT, 0, 1, CREATE_ONLY],
        items![NOT, 0, 1, 16],
        items![ADD, 0, 1, 1, PARTIAL],
        items![NOT, true, 1],
        items![SET, 0, 1, 1],
        items![SHIFT_LEFT, 0, 1, (1 << 30) + 1],
    ] {
        // The operation is read before anything else.
        let value = operation(items);
        let text = Some((ParticleType::STRING, &b"x"[..]));
        assert_eq!(modify(text, &value), Err(PARAMETER), "{items:?}");
    }
    for items in [items![FIRST, 0, 1], items![FIRST, 0, 1, 1], items![GET_INT, 0, 1, 2]] {
        assert_eq!(ask(&[0], items), Err(PARAMETER), "{items:?}");
    }
    assert_eq!(modify(None, b"\xa1\x04"), Err(PARAMETER));
    assert_eq!(modify(None, b""), Err(PARAMETER));
    // Bytes behind the operation do not matter, nor do the code's upper 32 bits.
    let blob = Some((ParticleType::BLOB, &b"x"[..]));
    assert_eq!(modify(blob, b"\x92\x00\x01\xff"), Ok(Modified::NOTHING));
    assert_eq!(run(Some(b"x"), items![RESIZE + (1 << 32), 1]), Ok(None));
}

#[test]
fn bins_of_other_types() {
    let value = operation(items![NOT, 0, 1, NO_FAIL]);
    let text = (ParticleType::STRING, &b"x"[..]);
    assert_eq!(modify(Some(text), &value), Err(ResultCode::INCOMPATIBLE_TYPE));
    let value = operation(items![COUNT, 0, 1]);
    assert_eq!(read(text, &value), Err(ResultCode::INCOMPATIBLE_TYPE));
}

#[test]
fn questions() {
    let blob: &[u8] = &[0b0010_0000, 0, 0b0000_0011, 0xff];
    assert_eq!(ask(blob, items![GET, 0, 16]), Ok(vec![0b0010_0000, 0]));
    assert_eq!(ask(blob, items![GET, 2, 3]), Ok(vec![0b1000_0000]));
    assert_eq!(ask(blob, items![GET, -9, 9]), Ok(vec![0xff, 0x80]));
    for (items, expected) in [
        (items![COUNT, 0, 32], 11),
        (items![COUNT, 22, 3], 3),
        (items![FIRST, 0, 32, true], 2),
        (items![FIRST, 3, 8, true], -1),
        (items![FIRST, 22, 10, false], -1),
        (items![FIRST, 24, 8, true], 0),
        (items![LAST, 0, 22, true], 2),
        (items![LAST, 8, 8, true], -1),
        (items![LAST, 0, 32, false], 21),
        // The bit in front of the range, in the same byte.
        (items![LAST, 3, 1, true], -1),
        (items![LAST, 6, 12, true], -4),
        (items![GET_INT, 16, 8], 3),
        (items![GET_INT, 22, 10], 1023),
        (items![GET_INT, 22, 10, 1], -1),
    ] {
        assert_eq!(ask_integer(blob, items), Ok(expected), "{items:?}");
    }
    assert_eq!(ask(blob, items![GET, 0, 33]), Err(NOT_APPLICABLE));
    assert_eq!(ask(blob, items![GET, -33, 1]), Err(PARAMETER));
}

#[test]
fn whole_bytes_are_not_copied() {
    let blob: &[u8] = &[1, 2, 3];
    let (_, value) = read((ParticleType::BLOB, blob), &operation(items![GET, 8, 16])).unwrap();
    assert!(matches!(value, StoredBytes::Borrowed([2, 3])), "{value:?}");
}

#[test]
fn damaged_operations_are_operations_or_errors() {
    let valid = [
        items![RESIZE, 30, 0, 1],
        items![INSERT, 3, b"abc", NO_FAIL],
        items![REMOVE, 1, 3, PARTIAL],
        items![SET, 3, 20, b"abc", PARTIAL],
        items![XOR, -30, 20, b"abcd"],
        items![NOT, 9, 70, PARTIAL],
        items![SHIFT_LEFT, 9, 70, 3],
        items![SHIFT_RIGHT, 3, 20, 70],
        items![ADD, 3, 33, 1 << 40, NO_FAIL, 1],
        items![SUBTRACT, -60, 50, -7, 0, 6],
        items![SET_INT, 5, 64, -1],
        items![GET, 5, 33],
        items![COUNT, 5, 90],
        items![FIRST, 5, 33, true],
        items![LAST, -70, 33, false],
        items![GET_INT, 7, 64, 1],
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let mut understood = 0;
    for round in 0..20_000 {
        let mut value = operation(valid[round % valid.len()]);
        for _ in 0..random.usize(0..3) {
            let at = random.usize(..value.len());
            value[at] = random.u8(..);
        }
        if random.u8(..) < 32 {
            value.truncate(random.usize(..=value.len()));
        }
        let blob: Vec<u8> = (0..random.u8(0..20)).map(|_| random.u8(..)).collect();
        let existing = (ParticleType::BLOB, &blob[..]);
        understood += usize::from(modify(Some(existing), &value).is_ok());
        understood += usize::from(modify(None, &value).is_ok());
        understood += usize::from(read(existing, &value).is_ok());
    }
    assert!(understood > 5000, "{understood}");
}

/// Bits one by one.
fn unpacked(bytes: &[u8]) -> Vec<bool> {
    bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect()
}

fn packed(bits: &[bool]) -> Vec<u8> {
    bits.chunks(8)
        .map(|chunk| {
            let byte = chunk.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
            byte << (8 - chunk.len())
        })
        .collect()
}

fn number_of(bits: &[bool]) -> u64 {
    bits.iter().fold(0, |number, &bit| number << 1 | u64::from(bit))
}

/// Where a range begins in a blob, if not before it.
fn start_of(offset: i64, bits: &[bool]) -> Result<usize, ResultCode> {
    let start = if offset < 0 { offset + bits.len() as i64 } else { offset };
    usize::try_from(start).map_err(|_| PARAMETER)
}

fn overwritten(old: &[bool], code: i64, operand: &[bool], by: usize) -> Vec<bool> {
    let at = |index: Option<usize>| index.and_then(|index| old.get(index).copied());
    (0..old.len())
        .map(|index| match code {
            SET => operand[index],
            OR => old[index] || operand[index],
            XOR => old[index] != operand[index],
            AND => old[index] && operand[index],
            NOT => !old[index],
            SHIFT_LEFT => at(Some(index + by)).unwrap_or_default(),
            SHIFT_RIGHT => at(index.checked_sub(by)).unwrap_or_default(),
            _ => unreachable!("{code} overwrites nothing"),
        })
        .collect()
}

/// The sum as the original has it, in more bits than it could need.
fn calculated(code: i64, old: u64, operand: u64, size: u32, subflags: i64) -> Option<u64> {
    let modulus = 1_i128 << size;
    let (low, high) = if subflags & 1 != 0 { (-modulus / 2, modulus / 2) } else { (0, modulus) };
    let into_range = |number: i128| (number - low).rem_euclid(modulus) + low;
    let old = into_range(old.into());
    let operand = match (code, subflags & 1) {
        (SUBTRACT, 0) => -into_range(operand.into()),
        (SUBTRACT, _) => into_range(-i128::from(operand)),
        _ => into_range(operand.into()),
    };
    let sum = old + operand;
    let fits = (low..high).contains(&sum) || (low < 0 && sum == -modulus);
    let result = match (fits, subflags & 6) {
        (true, _) | (_, 4) => sum,
        (_, 2) => sum.clamp(low, high - 1),
        _ => return None,
    };
    Some(result.rem_euclid(modulus) as u64)
}

fn refused(flags: i64, code: ResultCode) -> Changed {
    if flags & NO_FAIL != 0 { Ok(None) } else { Err(code) }
}

fn blobs(size_max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=size_max)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn overwriting_like_a_bit_vector(
        blob in blobs(40),
        operand in blobs(40),
        code in SET..=SHIFT_RIGHT,
        offset in -330_i64..330,
        size in 1_usize..330,
        by in 0_usize..340,
        flags in prop::sample::select(vec![0, UPDATE_ONLY, NO_FAIL, PARTIAL, PARTIAL | NO_FAIL]),
    ) {
        let argument = match code {
            NOT => None,
            SHIFT_LEFT | SHIFT_RIGHT => Some(Item::Int(by as i64)),
            _ => Some(Item::Bytes(operand.clone())),
        };
        let mut items = items![code, offset, size as i64].to_vec();
        items.extend(argument);
        items.push(Item::Int(flags));

        let (mut bits, operand) = (unpacked(&blob), unpacked(&operand));
        let expected = if code < NOT && operand.len() < size {
            Err(PARAMETER)
        } else {
            start_of(offset, &bits).and_then(|start| {
                let end = (start + size).min(bits.len());
                if start >= bits.len() || (end - start < size && flags & PARTIAL == 0) {
                    return refused(flags, NOT_APPLICABLE);
                }
                let new = overwritten(&bits[start..end], code, &operand, by);
                bits[start..end].copy_from_slice(&new);
                Ok(Some(packed(&bits)))
            })
        };
        prop_assert_eq!(run(Some(&blob), &items), expected);
    }

    #[test]
    fn calculating_like_a_bit_vector(
        blob in blobs(20),
        code in ADD..=SET_INT,
        offset in -170_i64..170,
        size in 1_usize..=64,
        operand in prop_oneof![any::<i64>(), -3_i64..3, any::<u32>().prop_map(|bit| 1 << (bit % 64))],
        flags in prop::sample::select(vec![0, NO_FAIL]),
        subflags in 0_i64..6,
    ) {
        let mut items = items![code, offset, size as i64, operand, flags].to_vec();
        items.extend((code != SET_INT).then_some(Item::Int(subflags)));

        let mut bits = unpacked(&blob);
        let expected = start_of(offset, &bits).and_then(|start| {
            let Some(range) = bits.get_mut(start..start + size) else {
                return refused(flags, NOT_APPLICABLE);
            };
            let old = number_of(range);
            let operand = operand.cast_unsigned();
            let new = match code {
                SET_INT => Some(operand),
                _ => calculated(code, old, operand, size as u32, subflags),
            };
            let Some(new) = new else { return refused(flags, NOT_APPLICABLE) };
            for (index, bit) in range.iter_mut().enumerate() {
                *bit = new >> (size - 1 - index) & 1 == 1;
            }
            Ok(Some(packed(&bits)))
        });
        prop_assert_eq!(run(Some(&blob), &items), expected);
    }

    #[test]
    fn reading_like_a_bit_vector(
        blob in blobs(40),
        code in GET..=GET_INT,
        offset in -330_i64..330,
        size in prop_oneof![1_usize..330, 1_usize..=64],
        wanted in any::<bool>(),
    ) {
        let mut items = items![code, offset, size as i64].to_vec();
        items.extend(matches!(code, FIRST | LAST).then_some(Item::Bool(wanted)));

        let bits = unpacked(&blob);
        let range = start_of(offset, &bits).map(|start| (start, bits.get(start..start + size)));
        let expected = match range {
            _ if code == GET_INT && size > 64 => Err(PARAMETER),
            Err(code) => Err(code),
            Ok((_, None)) => Err(NOT_APPLICABLE),
            Ok((_, Some(range))) if code == GET => Ok(packed(range)),
            Ok((start, Some(range))) => Ok(match code {
                COUNT => range.iter().filter(|&&bit| bit).count() as i64,
                FIRST => range.iter().position(|&bit| bit == wanted).map_or(-1, |at| at as i64),
                LAST => {
                    let byte_start = start - start % 8;
                    let found = bits[byte_start..start + size].iter().rposition(|&bit| bit == wanted);
                    found.map_or(-1, |at| (byte_start + at) as i64 - start as i64)
                }
                _ => number_of(range).cast_signed(),
            }
            .to_be_bytes()
            .to_vec()),
        };
        prop_assert_eq!(ask(&blob, &items), expected);
    }
}
