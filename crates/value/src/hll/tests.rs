//! Sketches: their form, tables of what single operations do, comparison with sets and with
//! registers kept as numbers, and any bytes as operations.

use std::collections::HashSet;

use proptest::prelude::*;

use super::sketch::HEADER_SIZE_BYTES;
use super::*;

const PARAMETER: ResultCode = ResultCode::PARAMETER;
const NOT_APPLICABLE: ResultCode = ResultCode::OP_NOT_APPLICABLE;

const INIT: i64 = 0;
const ADD: i64 = 1;
const UNION: i64 = 2;
const REFRESH_COUNT: i64 = 3;
const FOLD: i64 = 4;
const COUNT: i64 = 50;
const GET_UNION: i64 = 51;
const UNION_COUNT: i64 = 52;
const INTERSECT_COUNT: i64 = 53;
const SIMILARITY: i64 = 54;
const DESCRIBE: i64 = 55;
const MAY_CONTAIN: i64 = 56;

const CREATE_ONLY: i64 = 1;
const UPDATE_ONLY: i64 = 2;
const NO_FAIL: i64 = 4;
const ALLOW_FOLD: i64 = 8;

/// An item of an operation's value.
#[derive(Clone, Debug)]
enum Item {
    Int(i64),
    /// A list of integers.
    Elements(Vec<i64>),
    /// A list of sketches.
    Sketches(Vec<Vec<u8>>),
    /// A sketch without a list around it.
    Sketch(Vec<u8>),
    Raw(&'static [u8]),
}

impl From<i64> for Item {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl<const N: usize> From<[i64; N]> for Item {
    fn from(elements: [i64; N]) -> Self {
        Self::Elements(elements.to_vec())
    }
}

impl<const N: usize> From<[&Vec<u8>; N]> for Item {
    fn from(sketches: [&Vec<u8>; N]) -> Self {
        Self::Sketches(sketches.into_iter().cloned().collect())
    }
}

impl From<&'static [u8]> for Item {
    fn from(raw: &'static [u8]) -> Self {
        Self::Raw(raw)
    }
}

fn operation(items: &[Item]) -> Vec<u8> {
    let mut out = Vec::new();
    write::list_header(&mut out, items.len());
    let sketch = |out: &mut Vec<u8>, sketch: &[u8]| {
        write::bytes(out, &[&[ParticleType::HLL.0][..], sketch].concat());
    };
    for item in items {
        match item {
            Item::Int(value) => write::integer(&mut out, *value),
            Item::Elements(elements) => {
                write::list_header(&mut out, elements.len());
                elements.iter().for_each(|element| write::integer(&mut out, *element));
            }
            Item::Sketches(sketches) => {
                write::list_header(&mut out, sketches.len());
                sketches.iter().for_each(|bytes| sketch(&mut out, bytes));
            }
            Item::Sketch(bytes) => sketch(&mut out, bytes),
            Item::Raw(raw) => out.extend_from_slice(raw),
        }
    }
    out
}

macro_rules! items {
    ($($item:expr),*) => { &[$(Item::from($item)),*] as &[Item] };
}

/// The new value, if there is one, and the answer.
type Outcome = Result<(Option<Vec<u8>>, Option<i64>), ResultCode>;

fn run(sketch: Option<&[u8]>, items: &[Item]) -> Outcome {
    let modified = modify(sketch.map(|sketch| (ParticleType::HLL, sketch)), &operation(items))?;
    let bin = modified.bin.map(|(particle_type, sketch)| {
        assert_eq!(particle_type, ParticleType::HLL);
        assert!(is_valid(&sketch));
        sketch
    });
    Ok((bin, modified.answer.map(|(particle_type, value)| integer(particle_type, &value))))
}

fn ask(sketch: &[u8], items: &[Item]) -> Result<Answer<'static>, ResultCode> {
    read((ParticleType::HLL, sketch), &operation(items))
}

fn ask_integer(sketch: &[u8], items: &[Item]) -> Result<i64, ResultCode> {
    ask(sketch, items).map(|(particle_type, value)| integer(particle_type, &value))
}

fn integer(particle_type: ParticleType, value: &[u8]) -> i64 {
    assert_eq!(particle_type, ParticleType::INTEGER);
    i64::from_be_bytes(value.try_into().unwrap())
}

fn ask_similarity(sketch: &[u8], items: &[Item]) -> Result<f64, ResultCode> {
    ask(sketch, items).map(|(particle_type, value)| {
        assert_eq!(particle_type, ParticleType::FLOAT);
        f64::from_be_bytes(value.as_ref().try_into().unwrap())
    })
}

/// A sketch with elements in it.
fn sketch(index_bits: i64, minhash_bits: i64, elements: impl IntoIterator<Item = i64>) -> Vec<u8> {
    let (empty, _) = run(None, items![INIT, index_bits, minhash_bits]).unwrap();
    let elements: Vec<i64> = elements.into_iter().collect();
    if elements.is_empty() {
        return empty.unwrap();
    }
    let items = [Item::Int(ADD), Item::Elements(elements)];
    run(empty.as_deref(), &items).unwrap().0.unwrap()
}

#[test]
fn sizes_follow_the_bits() {
    for (index_bits, minhash_bits, size) in
        [(4, 0, 23), (4, 4, 31), (8, 0, 203), (16, 0, 49_163), (13, 51, 58_379), (16, 48, 442_379)]
    {
        let mut bytes = vec![0, index_bits, minhash_bits];
        bytes.resize(size, 0);
        assert!(is_valid(&bytes));
        assert!(!is_valid(&bytes[..size - 1]));
        bytes.push(0);
        assert!(!is_valid(&bytes));
        bytes.pop();
        bytes[0] = 1;
        assert!(!is_valid(&bytes));
    }
}

#[test]
fn bits_have_bounds() {
    for (index_bits, minhash_bits) in
        [(3, 0), (17, 0), (4, 3), (4, 52), (14, 51), (16, 49), (0, 0), (255, 255)]
    {
        assert_eq!(Shape::new(index_bits, minhash_bits), None);
        let items = items![INIT, i64::from(index_bits), i64::from(minhash_bits)];
        assert_eq!(run(None, items), Err(PARAMETER), "{items:?}");
    }
    assert!(!is_valid(&[]));
    assert!(!is_valid(&[0, 4]));
}

#[test]
fn initial_bits() {
    let (old, wide) = (sketch(5, 8, [1, 2]), sketch(5, 51, []));
    for (existing, items, expected) in [
        (None, items![INIT, 4], Ok((4, 0))),
        (None, items![INIT, 4, -1], Ok((4, 0))),
        (None, items![INIT], Err(NOT_APPLICABLE)),
        (None, items![INIT, -1, 4], Err(NOT_APPLICABLE)),
        (Some(&old), items![INIT], Ok((5, 8))),
        (Some(&old), items![INIT, 6], Ok((6, 8))),
        (Some(&old), items![INIT, -1, 0], Ok((5, 0))),
        (Some(&wide), items![INIT, 14], Err(NOT_APPLICABLE)),
    ] {
        let outcome = run(existing.map(Vec::as_slice), items);
        let expected = expected.map(|(index, minhash)| (Some(sketch(index, minhash, [])), None));
        assert_eq!(outcome, expected, "{items:?}");
    }
}

#[test]
fn policies() {
    let old = sketch(4, 0, [1]);
    for (existing, items, expected) in [
        (Some(&old), items![INIT, 4, 0, CREATE_ONLY], Err(ResultCode::BIN_EXISTS)),
        (Some(&old), items![INIT, 4, 0, CREATE_ONLY | NO_FAIL], Ok((None, None))),
        (None, items![INIT, 4, 0, UPDATE_ONLY], Err(ResultCode::BIN_NOT_FOUND)),
        (None, items![INIT, 4, 0, UPDATE_ONLY | NO_FAIL], Ok((None, None))),
        (Some(&old), items![ADD, [1], 4, 0, CREATE_ONLY], Err(ResultCode::BIN_EXISTS)),
        (Some(&old), items![ADD, [1], 4, 0, UPDATE_ONLY], Err(PARAMETER)),
        (Some(&old), items![UNION, [&old], CREATE_ONLY | UPDATE_ONLY], Err(PARAMETER)),
        (Some(&old), items![INIT, 4, 0, ALLOW_FOLD], Err(PARAMETER)),
        (None, items![REFRESH_COUNT], Err(ResultCode::BIN_NOT_FOUND)),
        (None, items![FOLD, 4], Err(ResultCode::BIN_NOT_FOUND)),
    ] {
        assert_eq!(run(existing.map(Vec::as_slice), items), expected, "{items:?}");
    }
}

#[test]
fn adding() {
    let (created, added) = run(None, items![ADD, [1, 2, 1], 8, 4]).unwrap();
    assert_eq!(added, Some(2));
    let created = created.unwrap();
    assert_eq!(created, sketch(8, 4, [1, 2]));
    // Bits are ignored where there is a sketch; what is in it already changes nothing.
    let again = run(Some(&created), items![ADD, [2], 4, 0]);
    assert_eq!(again, Ok((Some(created.clone()), Some(0))));
    assert_eq!(run(None, items![ADD, [1]]), Err(NOT_APPLICABLE));

    assert_eq!(ask_integer(&created, items![MAY_CONTAIN, [1, 2]]), Ok(1));
    assert_eq!(ask_integer(&created, items![MAY_CONTAIN, [1, 2, 3]]), Ok(0));
}

#[test]
fn elements_are_hashed_in_their_smallest_form() {
    let long_one: &[u8] = &[0x91, 0xcf, 0, 0, 0, 0, 0, 0, 0, 1];
    let (long, _) = run(None, items![ADD, long_one, 8]).unwrap();
    assert_eq!(long, Some(sketch(8, 0, [1])));
    for bad in [&[0x90][..], &[0x91, 0x90], &[0x91, 0x80], &[0x92, 1], &[0x91, 0xc1], &[1]] {
        assert_eq!(run(None, items![ADD, bad, 8]), Err(PARAMETER), "{bad:02x?}");
    }
}

#[test]
fn cached_counts() {
    let old = sketch(8, 0, 0..100);
    let count = ask_integer(&old, items![COUNT]).unwrap();
    let (cached, answer) = run(Some(&old), items![REFRESH_COUNT]).unwrap();
    assert_eq!(answer, Some(count));
    let mut cached = cached.unwrap();
    assert_eq!(cached[3..HEADER_SIZE_BYTES], count.to_le_bytes());
    assert_eq!(cached[HEADER_SIZE_BYTES..], old[HEADER_SIZE_BYTES..]);
    // A cached count is believed until the sketch changes.
    cached[3..HEADER_SIZE_BYTES].copy_from_slice(&7_u64.to_le_bytes());
    assert_eq!(ask_integer(&cached, items![COUNT]), Ok(7));
    assert_eq!(run(Some(&cached), items![ADD, [1]]), Ok((Some(cached.clone()), Some(0))));
    let (changed, added) = run(Some(&cached), items![ADD, [1001]]).unwrap();
    assert_eq!(added, Some(1));
    assert_eq!(changed.unwrap()[3..HEADER_SIZE_BYTES], [0; 8]);
}

#[test]
fn unions_keep_or_lower_the_bits() {
    let (fine, coarse) = (sketch(8, 0, 0..50), sketch(6, 0, 25..75));
    let (hashed, other) = (sketch(6, 8, 0..50), sketch(6, 4, 0..50));
    for (existing, items, expected) in [
        (None, items![UNION, [&fine, &coarse]], Ok((6, 0))),
        (None, items![UNION, [&hashed, &hashed]], Ok((6, 8))),
        (None, items![UNION, [&hashed, &other]], Ok((6, 0))),
        (Some(&coarse), items![UNION, [&fine]], Ok((6, 0))),
        (Some(&fine), items![UNION, [&coarse]], Err(NOT_APPLICABLE)),
        (Some(&fine), items![UNION, [&coarse], ALLOW_FOLD], Ok((6, 0))),
        (Some(&hashed), items![UNION, [&other]], Err(NOT_APPLICABLE)),
        (Some(&hashed), items![UNION, [&other], NO_FAIL], Err(NOT_APPLICABLE)),
        (Some(&hashed), items![UNION, [&other], ALLOW_FOLD], Ok((6, 0))),
        (Some(&coarse), items![UNION, [&hashed]], Ok((6, 0))),
    ] {
        let shape = run(existing.map(Vec::as_slice), items).map(|(bin, answer)| {
            assert_eq!(answer, None);
            let bin = bin.unwrap();
            (bin[1], bin[2])
        });
        assert_eq!(shape, expected, "{items:?}");
    }
    let union = sketch(6, 0, 0..75);
    assert_eq!(run(Some(&coarse), items![UNION, [&fine]]), Ok((Some(union.clone()), None)));
    let (_, got) = ask(&coarse, items![GET_UNION, [&fine]]).unwrap();
    assert_eq!(*got, *union);
    let one = [Item::Int(GET_UNION), Item::Sketch(fine)];
    assert_eq!(ask(&coarse, &one).unwrap(), (ParticleType::HLL, got));
}

#[test]
fn folding() {
    let old = sketch(8, 0, 0..100);
    assert_eq!(run(Some(&old), items![FOLD, 5]), Ok((Some(sketch(5, 0, 0..100)), None)));
    for (items, expected) in [
        (items![FOLD, 9], NOT_APPLICABLE),
        (items![FOLD, -1], NOT_APPLICABLE),
        (items![FOLD, 3], PARAMETER),
        (items![FOLD], PARAMETER),
    ] {
        assert_eq!(run(Some(&old), items), Err(expected), "{items:?}");
    }
    let hashed = sketch(8, 4, [1]);
    assert_eq!(run(Some(&hashed), items![FOLD, 8]), Err(NOT_APPLICABLE));
    let (cached, _) = run(Some(&old), items![REFRESH_COUNT]).unwrap();
    let cached = cached.unwrap();
    assert_eq!(run(Some(&cached), items![FOLD, 8]), Ok((Some(cached.clone()), None)));
}

#[test]
fn what_can_be_intersected() {
    let (plain, hashed, other) = (sketch(6, 0, 0..9), sketch(6, 8, 0..9), sketch(6, 4, 0..9));
    for code in [INTERSECT_COUNT, SIMILARITY] {
        for (own, items, expected) in [
            (&plain, items![code, [&plain, &plain, &plain]], Some(PARAMETER)),
            (&hashed, items![code, [&hashed, &hashed, &other]], Some(PARAMETER)),
            (&plain, items![code, [&hashed, &hashed, &hashed]], Some(NOT_APPLICABLE)),
            (&other, items![code, [&hashed, &hashed, &hashed]], Some(NOT_APPLICABLE)),
            (&hashed, items![code, [&hashed, &hashed, &hashed]], None),
            (&plain, items![code, [&hashed, &other]], None),
        ] {
            assert_eq!(ask(own, items).err(), expected, "{items:?}");
        }
    }
    for bad in [items![UNION_COUNT], items![UNION_COUNT, [1]], items![UNION_COUNT, 1]] {
        assert_eq!(ask(&plain, bad), Err(PARAMETER), "{bad:?}");
    }
    let mut cut = plain.clone();
    cut.pop();
    assert_eq!(ask(&plain, items![UNION_COUNT, [&plain, &cut]]), Err(PARAMETER));
}

#[test]
fn empty_sketches() {
    let (plain, hashed) = (sketch(6, 0, []), sketch(6, 8, []));
    let (plain_9, hashed_9) = (sketch(6, 0, 0..9), sketch(6, 8, 0..9));
    assert_eq!(ask_integer(&plain, items![COUNT]), Ok(0));
    let nothing = ask_similarity(&plain, items![SIMILARITY, [&plain]]).unwrap();
    assert_eq!(nothing.to_bits(), 0xfff8_0000_0000_0000);
    let nothing = ask_similarity(&hashed, items![SIMILARITY, [&hashed]]).unwrap();
    assert_eq!(nothing.to_bits(), 0x7ff8_0000_0000_0000);
    assert_eq!(ask_integer(&hashed, items![INTERSECT_COUNT, [&hashed]]), Ok(0));
    assert_eq!(ask_similarity(&plain, items![SIMILARITY, [&plain_9]]), Ok(0.0));
    assert_eq!(ask_similarity(&hashed, items![SIMILARITY, [&hashed_9]]), Ok(0.0));
}

#[test]
fn descriptions() {
    let described = ask(&sketch(12, 20, []), items![DESCRIBE]).unwrap();
    assert_eq!(described, (ParticleType::LIST, StoredBytes::Owned(vec![0x92, 12, 20])));
}

#[test]
fn bins_that_are_no_sketches() {
    // The operation's code is looked at before the bin, its arguments after it.
    let text = (ParticleType::STRING, &b"x"[..]);
    for (items, expected) in [
        (items![COUNT], PARAMETER),
        (items![5], PARAMETER),
        (items![INIT, &b"\xc3"[..]], ResultCode::INCOMPATIBLE_TYPE),
        (items![INIT, 4], ResultCode::INCOMPATIBLE_TYPE),
    ] {
        assert_eq!(modify(Some(text), &operation(items)), Err(expected), "{items:?}");
    }
    let damaged = (ParticleType::HLL, &b"\x00\x04\x00"[..]);
    assert_eq!(modify(Some(damaged), &operation(items![INIT, 4])), Err(ResultCode::UNKNOWN));
    assert_eq!(read(damaged, &operation(items![COUNT])), Err(ResultCode::UNKNOWN));
    assert_eq!(read(text, &operation(items![COUNT])), Err(ResultCode::INCOMPATIBLE_TYPE));
    assert_eq!(read(text, &operation(items![INIT])), Err(PARAMETER));
}

#[test]
fn estimates_are_close() {
    for minhash_bits in [0, 20] {
        let a = sketch(12, minhash_bits, 0..6000);
        let b = sketch(12, minhash_bits, 3000..9000);
        // Six standard errors of 1.04 / 2^6 each.
        let is_close = |estimate: i64, truth: i64| (estimate - truth).abs() * 10 < truth.max(9000);
        let count = ask_integer(&a, items![COUNT]).unwrap();
        let union = ask_integer(&a, items![UNION_COUNT, [&b]]).unwrap();
        let intersection = ask_integer(&a, items![INTERSECT_COUNT, [&b]]).unwrap();
        let similarity = ask_similarity(&a, items![SIMILARITY, [&b]]).unwrap();
        assert!(is_close(count, 6000), "{count}");
        assert!(is_close(union, 9000), "{union}");
        assert!(is_close(intersection, 3000), "{intersection}");
        assert!((similarity - 1.0 / 3.0).abs() < 0.1, "{similarity}");
    }
}

#[test]
fn extreme_registers() {
    // All ranks at their greatest: far more elements than 64 bits count, so the number is what the
    // original's conversion makes of it.
    let mut full = sketch(16, 0, []);
    full[HEADER_SIZE_BYTES..].fill(0xff);
    assert_eq!(ask_integer(&full, items![COUNT]), Ok(i64::MIN));
    let mut full = sketch(4, 51, []);
    full[3..].fill(0xff);
    assert_eq!(ask_integer(&full, items![COUNT]), Ok(-1));
    for code in [UNION_COUNT, INTERSECT_COUNT, SIMILARITY] {
        assert!(ask(&full, items![code, [&full, &full]]).is_ok());
    }
    assert_eq!(ask_integer(&full, items![MAY_CONTAIN, [1, 2, 3]]), Ok(1));
}

#[test]
fn damaged_operations_are_operations_or_errors() {
    let (plain, hashed) = (sketch(4, 0, 0..9), sketch(4, 4, 5..12));
    let valid = [
        items![INIT, 5, 4, UPDATE_ONLY],
        items![ADD, [1, 2, 1 << 40], 4, 4, NO_FAIL],
        items![UNION, [&plain, &hashed], ALLOW_FOLD],
        items![REFRESH_COUNT],
        items![FOLD, 4],
        items![COUNT],
        items![GET_UNION, [&plain, &hashed]],
        items![UNION_COUNT, [&hashed]],
        items![INTERSECT_COUNT, [&plain, &hashed]],
        items![INTERSECT_COUNT, [&hashed, &hashed, &hashed]],
        items![SIMILARITY, [&hashed]],
        items![DESCRIBE],
        items![MAY_CONTAIN, [1, 2, 5]],
    ];
    let mut random = fastrand::Rng::with_seed(11);
    let mut understood = 0;
    for round in 0..20_000 {
        let mut value = operation(valid[round % valid.len()]);
        let mut stored = if random.bool() { plain.clone() } else { hashed.clone() };
        for bytes in [&mut value, &mut stored] {
            for _ in 0..random.usize(0..3) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
        }
        if random.u8(..) < 32 {
            value.truncate(random.usize(..=value.len()));
        }
        let existing = (ParticleType::HLL, &stored[..]);
        understood += usize::from(modify(Some(existing), &value).is_ok());
        understood += usize::from(modify(None, &value).is_ok());
        understood += usize::from(read(existing, &value).is_ok());
    }
    assert!(understood > 5000, "{understood}");
}

/// Registers of a sketch, read bit by bit.
fn registers(sketch: &[u8]) -> Vec<u64> {
    let bits: Vec<u64> = sketch[HEADER_SIZE_BYTES..]
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u64::from(byte >> bit & 1)))
        .collect();
    bits.chunks(6 + usize::from(sketch[2]))
        .map(|bits| bits.iter().fold(0, |n, bit| n << 1 | bit))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn registers_are_the_greatest_of_their_elements(
        elements in prop::collection::vec(any::<i64>(), 1..200),
        index_bits in 4_u8..9,
        minhash_bits in prop::sample::select(vec![0, 4, 5, 17, 33, 50, 51]),
        split in any::<prop::sample::Index>(),
    ) {
        let mut expected = vec![0; 1 << index_bits];
        for element in &elements {
            let mut packed = Vec::new();
            write::integer(&mut packed, *element);
            let (h1, h2) = murmur3::hash(&packed);
            let minhash = (h1 >> index_bits) % (1 << minhash_bits);
            let value = u64::from(h2.trailing_zeros() + 1) << minhash_bits | minhash;
            let register = &mut expected[h1 as usize % (1 << index_bits)];
            *register = value.max(*register);
        }
        let (index_bits, minhash_bits) = (index_bits.into(), minhash_bits.into());
        let whole = sketch(index_bits, minhash_bits, elements.iter().copied());
        prop_assert_eq!(registers(&whole), expected);

        // Adding is the same in any order, and the same as a union of parts.
        let backwards = sketch(index_bits, minhash_bits, elements.iter().rev().copied());
        prop_assert_eq!(&backwards, &whole);
        let (left, right) = elements.split_at(split.index(elements.len()));
        let left = sketch(index_bits, minhash_bits, left.iter().copied());
        let right = sketch(index_bits, minhash_bits, right.iter().copied());
        prop_assert_eq!(run(Some(&left), items![UNION, [&right]]), Ok((Some(whole.clone()), None)));

        let all = [Item::Int(MAY_CONTAIN), Item::Elements(elements.clone())];
        prop_assert_eq!(ask_integer(&whole, &all), Ok(1));
        let distinct = elements.iter().collect::<HashSet<_>>().len() as i64;
        let mut added = 0;
        let mut grown = sketch(index_bits, minhash_bits, []);
        for element in elements {
            let (bin, answer) = run(Some(&grown), items![ADD, [element]]).unwrap();
            grown = bin.unwrap();
            added += answer.unwrap();
        }
        prop_assert_eq!(&grown, &whole);
        prop_assert!((1..=distinct).contains(&added));
    }
}
