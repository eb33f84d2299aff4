//! List operations against a plain model, the edges of memory and time, and hostile bytes. What
//! each operation answers in each case is in the recorded cases of `testdata/lists.txt`.

use proptest::prelude::*;

use wire::ParticleType;

use super::*;
use crate::cdt::{self, Modified, Stored};
use crate::msgpack::{Flags, write};

/// Encodes a list of small integers.
fn list_of(values: &[u8], flags: Flags) -> Vec<u8> {
    let mut out = Vec::new();
    write::list_start(&mut out, values.len(), flags);
    out.extend_from_slice(values);
    out
}

/// Encodes an operation whose parameters are all integers or given as bytes.
fn operation(code: u8, parameters: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    write::list_header(&mut out, parameters.len() + 1);
    out.push(code);
    out.extend(parameters.concat());
    out
}

fn int(value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    write::integer(&mut out, value);
    out
}

fn integer_answer(value: i64) -> Answer {
    Some((ParticleType::INTEGER, value.to_be_bytes().to_vec()))
}

fn list_answer(values: &[u8]) -> Answer {
    Some((ParticleType::LIST, list_of(values, Flags::NONE)))
}

fn read_list(list: &[u8], operation: &[u8]) -> Result<Answer, ResultCode> {
    cdt::read((ParticleType::LIST, list).into(), operation)
}

fn modify_list(list: &[u8], operation: &[u8]) -> Result<Modified, ResultCode> {
    cdt::modify(Some((ParticleType::LIST, list).into()), operation)
}

#[test]
fn a_missing_list_is_created_by_what_adds() {
    let append = cdt::modify(None, &operation(1, &[&int(5)]));
    let bin = Some((ParticleType::LIST, list_of(&[5], Flags::NONE)));
    assert_eq!(append, Ok(Modified { bin, guide: Vec::new(), answer: integer_answer(1) }));
    // Create-type ordered, items, no fail.
    let items = list_of(&[3, 1, 2], Flags::NONE);
    let append = cdt::modify(None, &operation(2, &[&items, &int(1), &int(4)]));
    let bin = Some((ParticleType::LIST, list_of(&[1, 2, 3], Flags::LIST_ORDERED)));
    assert_eq!(append, Ok(Modified { bin, guide: Vec::new(), answer: integer_answer(3) }));
    // What removes does nothing, even with parameters that are none.
    let removed = cdt::modify(None, &operation(32, &[b"\xc3"]));
    assert_eq!(removed, Ok(Modified { bin: None, guide: Vec::new(), answer: None }));
}

#[test]
fn contexts_lead_through_lists_and_maps() {
    // {"a": [1, 2]}, context map key "a", get by index -1.
    let map = b"\x81\xa2\x03a\x92\x01\x02";
    let get = b"\x93\xcc\xff\x92\x22\xa2\x03a\x93\x13\x07\xff";
    assert_eq!(cdt::read((ParticleType::MAP, &map[..]).into(), get), Ok(integer_answer(2)));
    // The same way, an element is appended; the map around it follows.
    let append = b"\x93\xcc\xff\x92\x22\xa2\x03a\x92\x01\x09";
    let modified = cdt::modify(Some((ParticleType::MAP, &map[..]).into()), append);
    let bin = Some((ParticleType::MAP, b"\x81\xa2\x03a\x93\x01\x02\x09".to_vec()));
    assert_eq!(modified, Ok(Modified { bin, guide: Vec::new(), answer: integer_answer(3) }));
}

#[test]
fn a_changed_element_moves_within_an_ordered_list() {
    // Ordered [[1], [2], [3]]: 9 is appended to the first, which then is still the first; 4 is put
    // before its 1, which makes it the last.
    let list = b"\x94\xc7\x00\x01\x91\x01\x91\x02\x91\x03";
    let append = b"\x93\xcc\xff\x92\x10\x00\x92\x01\x09";
    let bin = Some((ParticleType::LIST, b"\x94\xc7\x00\x01\x92\x01\x09\x91\x02\x91\x03".to_vec()));
    assert_eq!(modify_list(list, append).map(|modified| modified.bin), Ok(bin));
    let insert = b"\x93\xcc\xff\x92\x10\x00\x93\x03\x00\x04";
    let bin = Some((ParticleType::LIST, b"\x94\xc7\x00\x01\x91\x02\x91\x03\x92\x04\x01".to_vec()));
    assert_eq!(modify_list(list, insert).map(|modified| modified.bin), Ok(bin));
}

#[test]
fn the_old_form_is_understood() {
    let list = list_of(&[7, 8], Flags::NONE);
    assert_eq!(read_list(&list, b"\x00\x10"), Ok(integer_answer(2)));
    assert_eq!(read_list(&list, b"\x00\x11\x91\x01"), Ok(integer_answer(8)));
    assert_eq!(read_list(&list, b"\x00"), Err(ResultCode::PARAMETER));
    assert_eq!(read_list(&list, b""), Err(ResultCode::PARAMETER));
}

#[test]
fn reading_and_modifying_codes_are_apart() {
    let list = list_of(&[1], Flags::NONE);
    for code in 0..64 {
        let call = operation(code, &[]);
        if (16..=27).contains(&code) {
            assert_eq!(modify_list(&list, &call).err(), Some(ResultCode::PARAMETER), "{code}");
        } else {
            assert_eq!(read_list(&list, &call).err(), Some(ResultCode::PARAMETER), "{code}");
        }
    }
    for code in [64, 97, 110, 127] {
        let call = operation(code, &[]);
        assert_eq!(read_list(&list, &call), Err(ResultCode::INCOMPATIBLE_TYPE), "{code}");
    }
}

#[test]
fn padding_is_bounded() {
    let list = list_of(&[1], Flags::NONE);
    let insert_at = |index| modify_list(&list, &operation(3, &[&int(index), &int(5)]));
    let modified = insert_at(3).map(|modified| modified.bin);
    assert_eq!(modified, Ok(Some((ParticleType::LIST, b"\x94\x01\xc0\xc0\x05".to_vec()))));
    assert_eq!(insert_at(i32::MAX.into()), Err(ResultCode::RECORD_TOO_BIG));
    assert_eq!(insert_at(i64::from(i32::MAX) + 1), Err(ResultCode::OP_NOT_APPLICABLE));
    // Padding by a context: [0x90, index], unbounded.
    let create = |index| {
        let context = [b"\x92\xcc\x90", &int(index)[..]].concat();
        cdt::modify(None, &[b"\x93\xcc\xff", &context[..], b"\x92\x01\x05"].concat())
    };
    assert!(create(3).is_ok());
    assert_eq!(create(1 << 40), Err(ResultCode::OP_NOT_APPLICABLE));
}

#[test]
fn large_lists_take_no_square_of_time() {
    let values: Vec<u8> = (0..20_000_u32).map(|i| (i * 7919 % 128) as u8).collect();
    let list = list_of(&values, Flags::NONE);
    let ranks = read_list(&list, &operation(24, &[&int(3), &int(1)]));
    assert!(ranks.is_ok());
    // Unique items, none of them there and none refused.
    let mut items = Vec::new();
    write::list_header(&mut items, 20_000);
    (0..20_000).for_each(|i| write::integer(&mut items, 1000 + i));
    let appended = modify_list(&list, &operation(2, &[&items, &int(0), &int(1)]));
    assert_eq!(appended.map(|modified| modified.answer), Ok(integer_answer(40_000)));
    let found = read_list(&list, &operation(23, &[&int(5), &items]));
    assert_eq!(found, Ok(integer_answer(0)));
    // Each of the values equals each element of the list: the answer would be the product.
    let same = list_of(&[7; 20_000], Flags::NONE);
    let ordered = list_of(&[7; 20_000], Flags::LIST_ORDERED);
    let ranks = operation(23, &[&int(3), &same]);
    assert_eq!(read_list(&ordered, &ranks), Err(ResultCode::RECORD_TOO_BIG));
    let count = operation(23, &[&int(5), &list_of(&[7, 7, 8], Flags::NONE)]);
    assert_eq!(read_list(&ordered, &count), Ok(integer_answer(20_000)));
}

#[test]
fn random_operations_are_run_or_refused() {
    const LIKELY: &[u8] = &[
        0x00, 0x01, 0x02, 0x03, 0x05, 0x07, 0x0d, 0x10, 0x11, 0x13, 0x22, 0x50, 0x81, 0x90, 0x91,
        0x92, 0x93, 0x94, 0xa1, 0xa2, 0xc0, 0xc7, 0xcc, 0xd0, 0xd4, 0xff,
    ];
    let mut random = fastrand::Rng::with_seed(8);
    let bins: &[Vec<u8>] = &[
        list_of(&[3, 1, 2, 1], Flags::NONE),
        list_of(&[1, 1, 2, 3], Flags::LIST_ORDERED),
        list_of(&[], Flags::NONE),
        b"\x93\x91\x01\x82\x01\x90\x02\x91\x05\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00".to_vec(),
    ];
    let mut run = 0;
    for _ in 0..300_000 {
        let mut call: Vec<u8> =
            if random.bool() { b"\x93\xcc\xff\x92".to_vec() } else { Vec::new() };
        call.push(0x91 + random.u8(..5));
        call.push(random.u8(..41));
        call.extend((0..random.usize(..9)).map(|_| LIKELY[random.usize(..LIKELY.len())]));
        let bin = &bins[random.usize(..bins.len())];
        run += usize::from(read_list(bin, &call).is_ok());
        for bin in [Some((ParticleType::LIST, &bin[..])), None] {
            let Ok(modified) = cdt::modify(bin.map(Stored::from), &call) else { continue };
            run += 1;
            if let Some((ParticleType::LIST, value)) = modified.bin {
                let is_list = Raw::of_kind(Kind::List, &value).and_then(Raw::to_list).is_ok();
                assert!(is_list, "{call:02x?} on {bin:02x?} makes {value:02x?}");
            }
        }
    }
    assert!(run > 10_000, "only {run} operations ran");
}

/// What an index and a count select, as section 6 of the reference says it.
fn selected(values: &[u8], index: i64, count: u64) -> Vec<u8> {
    let total = values.len() as i64;
    let (start, count) = match index {
        0.. => (index, count as i64),
        _ if index + total >= 0 => (index + total, count as i64),
        _ => (0, (count as i64 + index + total).max(0)),
    };
    values.iter().skip(start as usize).take(count as usize).copied().collect()
}

proptest! {
    #[test]
    fn ranges_are_cut_to_what_is_there(
        values in prop::collection::vec(0_u8..100, 0..12),
        index in -15_i64..15,
        count in 0_u64..15,
    ) {
        let list = list_of(&values, Flags::NONE);
        let [returns, index_bytes, count_bytes] = [int(7), int(index), int(count as i64)];
        let parameters: [&[u8]; 3] = [&returns, &index_bytes, &count_bytes];
        let answer = read_list(&list, &operation(24, &parameters));
        prop_assert_eq!(answer, Ok(list_answer(&selected(&values, index, count))));
        // Removing the same range leaves the rest, and answers the same.
        let removed = modify_list(&list, &operation(37, &parameters)).expect("ranges always apply");
        prop_assert_eq!(removed.answer, list_answer(&selected(&values, index, count)));
        let left = removed.bin.map_or(list, |(_, value)| value);
        let expected = values.len() - selected(&values, index, count).len();
        prop_assert_eq!(read_list(&left, &operation(16, &[])), Ok(integer_answer(expected as i64)));
    }

    #[test]
    fn ordered_lists_stay_sorted(
        values in prop::collection::vec(0_u8..20, 0..12),
        added in prop::collection::vec(0_u8..20, 0..6),
        unique: bool,
    ) {
        let mut values = values;
        values.sort_unstable();
        let list = list_of(&values, Flags::LIST_ORDERED);
        // No fail and partial, so that it always applies.
        let flags = int(if unique { 0x0d } else { 0x0c });
        let items = list_of(&added, Flags::NONE);
        let modified = modify_list(&list, &operation(2, &[&items, &int(0), &flags]));
        let mut expected = values.clone();
        for value in added {
            if !unique || !expected.contains(&value) {
                expected.push(value);
            }
        }
        expected.sort_unstable();
        let modified = modified.expect("partial additions always apply");
        prop_assert_eq!(modified.answer, integer_answer(expected.len() as i64));
        let stored = modified.bin.map_or(list, |(_, value)| value);
        prop_assert_eq!(stored, list_of(&expected, Flags::LIST_ORDERED));
    }

    #[test]
    fn values_are_found_alike_in_ordered_and_unordered_lists(
        values in prop::collection::vec(0_u8..10, 0..12),
        begin in 0_u8..10,
        end in 0_u8..10,
        inverted: bool,
    ) {
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let returns = int(7 + if inverted { 0x1_0000 } else { 0 });
        let call = operation(25, &[&returns, &[begin], &[end]]);
        let expected = |values: &[u8]| {
            let is_inside = |value: &u8| (begin..end).contains(value) != inverted;
            list_answer(&values.iter().copied().filter(is_inside).collect::<Vec<_>>())
        };
        let unordered = read_list(&list_of(&values, Flags::NONE), &call);
        prop_assert_eq!(unordered, Ok(expected(&values)));
        let ordered = read_list(&list_of(&sorted, Flags::LIST_ORDERED), &call);
        prop_assert_eq!(ordered, Ok(expected(&sorted)));
    }
}
