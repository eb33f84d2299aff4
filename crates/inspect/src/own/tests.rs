//! Devices of ours: what is found on them, sound and damaged.

use storage::format::flat::Kind;
use storage::format::header::DeviceHeader;

use crate::device::{Device, Unusable, Whose};
use crate::own::NotOurs;
use crate::seen::BlockState;
use crate::survey::Survey;
use crate::testing::{BLOCK_BYTES, Memory, OURS, Own, open, spec};

const NOW: u32 = 1000;

fn survey(own: &Own) -> Survey {
    Survey::of(&[own.open("dev")], NOW).unwrap()
}

/// Two versions of record 1, records 2 and 3 in an open block, a freed block.
fn sample() -> Own {
    let mut own = Own::new(0, 1);
    own.seal(1, 10, &[spec(1, 5), spec(2, 5)]);
    own.fill(2, 11, &[spec(1, 6), spec(3, 5)]);
    own.free(4, 9);
    own
}

#[test]
fn a_sound_device_is_told_as_it_is() {
    let survey = survey(&sample());
    assert!(survey.is_sound(), "{:?} {:?}", survey.devices[0].damage, survey.objections);
    let device = &survey.devices[0];
    assert_eq!((device.versions.all, device.versions.records), (4, 4));
    assert_eq!(survey.totals.live, 3);
    let blocks = [
        (BlockState::Blank, 12),
        (BlockState::Free, 1),
        (BlockState::Sealed, 1),
        (BlockState::Open, 1),
    ];
    assert!(device.blocks.iter().map(|(state, count)| (*state, *count)).eq(blocks));
    let live: Vec<_> = device.block_list.iter().map(|block| (block.number, block.live)).collect();
    assert_eq!(live, [(1, 1), (2, 2), (4, 0)]);
    assert_eq!(survey.sets.len(), 1);
    assert_eq!((survey.sets[0].name.as_deref(), survey.sets[0].records), (Some("s"), 3));
}

#[test]
fn what_is_deleted_expired_or_truncated_is_not_alive() {
    let mut own = Own::new(0, 1);
    own.header.memory.truncate_lut = 3;
    own.header.memory.set_truncate_luts = vec![(b"t".as_slice().into(), 50)];
    own.header.memory.evict_void_time = NOW + 100;
    own.header.version += 10;
    own.write_header();
    let grave = crate::testing::Spec { kind: Kind::Grave, generation: 2, ..spec(1, 5) };
    let tombstone = crate::testing::Spec { kind: Kind::Tombstone, bins: vec![], ..spec(2, 6) };
    let expired = crate::testing::Spec { void_time: NOW - 1, ..spec(3, 5) };
    let of_set = crate::testing::Spec { set: "t", ..spec(4, 49) };
    let evictable = crate::testing::Spec { void_time: NOW + 50, ..spec(6, 5) };
    let records =
        [spec(1, 5), spec(2, 5), expired, of_set, spec(5, 2), evictable, grave, tombstone];
    own.seal(1, 1, &records);
    let survey = survey(&own);
    let totals = survey.totals;
    assert!(survey.is_sound());
    assert_eq!((totals.live, totals.evictable), (1, 1));
    assert_eq!((totals.expired, totals.truncated), (1, 2));
    assert_eq!((totals.tombstones, totals.graves), (1, 1));
}

#[test]
fn of_equal_copies_the_one_written_last_counts() {
    let mut own = Own::new(0, 1);
    own.seal(1, 20, &[spec(1, 5)]);
    own.seal(2, 10, &[spec(1, 5)]);
    let survey = survey(&own);
    let live: Vec<_> = survey.devices[0].block_list.iter().map(|block| block.live).collect();
    assert_eq!(live, [1, 0]);
    assert_eq!(survey.totals.live, 1);
}

#[test]
fn every_flipped_bit_of_a_record_is_found() {
    let own = sample();
    let (first, second) = (own.places[0], own.places[1]);
    for bit in (first * 8..second * 8).step_by(7) {
        let mut bent = sample();
        bent.bytes[bit / 8] ^= 1 << (bit % 8);
        let survey = survey(&bent);
        let damage = &survey.devices[0].damage;
        assert_eq!(damage.len(), 1, "bit {bit}");
        assert_eq!(damage[0].offset_bytes, first as u64);
        assert_eq!(damage[0].size_bytes, (second - first) as u64);
        assert_eq!(damage[0].block, Some(1));
        // The newer version of record 1 is elsewhere.
        assert_eq!(survey.totals.live, 3);
    }
}

#[test]
fn a_torn_write_is_told() {
    let mut own = sample();
    let last = *own.places.last().unwrap();
    own.bytes[last + 20] ^= 1;
    let survey = survey(&own);
    assert_eq!(survey.devices[0].blocks.get(&BlockState::Torn), Some(&1));
    assert!(!survey.is_sound());
}

#[test]
fn records_are_found_without_their_blocks_header() {
    for zeros in [false, true] {
        let mut own = sample();
        let start = BLOCK_BYTES as usize;
        if zeros {
            own.bytes[start..start + 64].fill(0);
        } else {
            own.bytes[start + 9] ^= 1;
        }
        let survey = survey(&own);
        let device = &survey.devices[0];
        assert_eq!(survey.totals.live, 3);
        assert_eq!(device.damage.len(), 1);
        assert_eq!(device.damage[0].offset_bytes, start as u64);
        assert_eq!(device.block_list[0].state, BlockState::DamagedHeader);
    }
}

#[test]
fn one_copy_of_the_header_is_enough() {
    for (copy, sound) in [(0, [false, true]), (1, [true, false])] {
        let mut own = sample();
        let at = DeviceHeader::copy_offset_bytes(copy, BLOCK_BYTES) as usize;
        own.bytes[at + 30] ^= 1;
        // Its place is found whatever size of a block is guessed.
        for block_bytes in [BLOCK_BYTES, 8 << 20] {
            let device = open("dev", own.bytes.clone(), Whose::Ours { block_bytes }).unwrap();
            let Device::Own(own) = &device else { panic!("one of ours") };
            assert_eq!(own.copies, sound);
            let survey = Survey::of(&[device], NOW).unwrap();
            assert_eq!(survey.totals.live, 3);
            assert_eq!(survey.devices[0].damage.len(), 1);
        }
    }
}

#[test]
fn what_is_no_device_of_ours_is_told_apart() {
    let error = |bytes: Vec<u8>| match open("dev", bytes, OURS) {
        Err(Unusable::NotOurs(error)) => error,
        _ => panic!("not one of ours"),
    };
    assert!(matches!(error(vec![]), NotOurs::Empty));
    assert!(matches!(error(vec![0; 1 << 20]), NotOurs::Blank));
    assert!(matches!(error(vec![7; 1 << 20]), NotOurs::NoHeader(_)));
    assert!(matches!(error(vec![7; 3]), NotOurs::NoHeader(_)));
    let text = error(vec![7; 1 << 20]).to_string();
    assert!(text.contains("--block-size") && text.contains("random id"), "{text}");
    let magic = 0x4349_7472_7573_0322_u64.to_le_bytes();
    assert!(matches!(error([&magic[..], &[0; 9000]].concat()), NotOurs::Original));
}

#[test]
fn a_device_without_any_header_is_read_through_its_blocks() {
    let mut one_block = Own::new(0, 1);
    one_block.seal(3, 1, &[spec(1, 5)]);
    for (own, live) in [(sample(), 3), (one_block, 1)] {
        for filler in [0, 0xA5] {
            let mut bytes = own.bytes.clone();
            bytes[..BLOCK_BYTES as usize].fill(filler);
            for block_bytes in [BLOCK_BYTES, 8 << 20] {
                let device = open("dev", bytes.clone(), Whose::Ours { block_bytes }).unwrap();
                assert_eq!(device.namespace(), None);
                let survey = Survey::of(&[device], NOW).unwrap();
                assert_eq!(survey.totals.live, live);
                assert_eq!(survey.devices[0].damage.len(), 2);
                assert!(survey.objections[0].contains("lost its header"));
            }
        }
    }
    let mut bytes = Own::new(0, 1).bytes;
    bytes[..BLOCK_BYTES as usize].fill(0);
    assert!(open("dev", bytes, OURS).is_err());
}

#[test]
fn a_device_that_ends_early_is_damaged() {
    let mut own = sample();
    own.bytes.truncate(10 * BLOCK_BYTES as usize + 5);
    let survey = survey(&own);
    assert_eq!(survey.totals.live, 3);
    assert_eq!(survey.devices[0].damage.len(), 1);
    assert!(survey.devices[0].damage[0].what.contains("6 blocks are missing"));
}

#[test]
fn a_block_that_cannot_be_read_costs_only_itself() {
    let own = sample();
    let bad = u64::from(BLOCK_BYTES) + 100;
    let source = Memory { name: "dev".into(), bytes: own.bytes, bad: Some(bad..bad + 1) };
    let device = Device::open(Box::new(source), OURS).unwrap();
    let survey = Survey::of(&[device], NOW).unwrap();
    assert_eq!(survey.totals.live, 2);
    assert_eq!(survey.devices[0].blocks.get(&BlockState::Unreadable), Some(&1));
    assert!(survey.devices[0].damage[0].what.contains("a bad sector"));
}

#[test]
fn devices_must_be_one_whole_set_in_order() {
    let objections = |devices: &[Device]| Survey::of(devices, NOW).unwrap().objections;
    let [one, two, three] = [0, 1, 2].map(|place| Own::new(place, 3));
    let all = [one.open("a"), two.open("b"), three.open("c")];
    assert_eq!(objections(&all), [""; 0]);
    let missing = objections(&[one.open("a"), three.open("c")]);
    assert_eq!(missing, ["the set has 3 devices; missing: number 2"]);
    let order = objections(&[one.open("a"), three.open("c"), two.open("b")]);
    assert_eq!(order, ["the devices are not in their order: these are numbers 1, 3, 2 of the set"]);
    let twice = objections(&[one.open("a"), one.open("b"), two.open("c"), three.open("d")]);
    assert_eq!(twice, ["a and b are both device 1 of the set: one is a copy of the other"]);
    let mut foreign = Own::new(1, 3);
    foreign.header.device_set = 5;
    foreign.write_header();
    let foreign = objections(&[one.open("a"), foreign.open("b"), three.open("c")]);
    assert_eq!(foreign[0], "b belongs to another set of devices than a");
    assert_eq!(foreign[1], "the set has 3 devices; missing: number 2");
    let mut other = Own::new(1, 3);
    other.header.namespace = "bar".into();
    other.write_header();
    let other = objections(&[one.open("a"), other.open("b"), three.open("c")]);
    assert_eq!(other[0], "b belongs to namespace bar, a to namespace test");
}
