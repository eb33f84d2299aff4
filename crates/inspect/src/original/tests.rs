//! The original's layout, against the encoder beside this file.

use wire::ParticleType;

use super::encode::{Flat, block, device, flat, header, sized};
use super::*;
use crate::content::{self, Room};
use crate::device::{Unusable, Whose};
use crate::seen::{BlockState, Raw};
use crate::survey::Survey;
use crate::testing;

const NOW: u32 = 1000;

fn bins(flat: &Flat) -> Vec<(String, ParticleType, Vec<u8>)> {
    let bytes = flat.bytes();
    let record = read(&bytes).unwrap();
    let mut room = Room::default();
    let raw = Raw::Original(record);
    let content = content::read(&raw, &mut room).unwrap();
    let bin = |bin: &content::Bin<'_>| {
        let name = String::from_utf8(bin.name.to_vec()).unwrap();
        (name, bin.particle_type, bin.value.to_vec())
    };
    content.bins.iter().map(bin).collect()
}

#[test]
fn metadata_comes_back() {
    let key = [&[3][..], &[b'k'; 300]].concat();
    let full = Flat { void_time: 99, key: Some(key.clone()), generation: 513, ..flat(5, 1 << 39) };
    let bytes = full.bytes();
    let record = read(&bytes).unwrap();
    assert_eq!(record.digest, full.digest);
    assert_eq!(record.version.last_update_time, 1 << 39);
    assert_eq!((record.version.generation, record.version.void_time), (513, 99));
    assert_eq!((record.set, record.key, record.tree), (&b"s"[..], Some(&key[..]), 3));
    assert_eq!((record.bin_count, record.size_bytes), (1, bytes.len()));
    let bare = Flat { set: "", bins: vec![], ..flat(5, 1) };
    let bytes = bare.bytes();
    let record = read(&bytes).unwrap();
    assert_eq!((record.set, record.key, record.bin_count), (&b""[..], None, 0));
}

#[test]
fn values_become_those_of_replies() {
    let geo = [&[1, 1, 0][..], &7u64.to_le_bytes(), b"{}"].concat();
    let wire_geo = [&[1, 0, 1][..], &7u64.to_be_bytes(), b"{}"].concat();
    let float = [&[2][..], &1.5f64.to_le_bytes()].concat();
    let rows = [
        (vec![1, 1, 200], ParticleType::INTEGER, 200i64.to_be_bytes().to_vec()),
        (vec![1, 2, 0, 1], ParticleType::INTEGER, 256i64.to_be_bytes().to_vec()),
        (vec![1, 4, 0, 0, 0, 128], ParticleType::INTEGER, (1i64 << 31).to_be_bytes().to_vec()),
        ([&[1, 8][..], &[0xFF; 8]].concat(), ParticleType::INTEGER, (-1i64).to_be_bytes().to_vec()),
        (float, ParticleType::FLOAT, 1.5f64.to_be_bytes().to_vec()),
        (vec![17, 1], ParticleType::BOOL, vec![1]),
        (sized(ParticleType::STRING, b"text"), ParticleType::STRING, b"text".to_vec()),
        (sized(ParticleType::BLOB, b""), ParticleType::BLOB, vec![]),
        (sized(ParticleType::LIST, &[0x90]), ParticleType::LIST, vec![0x90]),
        (sized(ParticleType::MAP, &[0x80]), ParticleType::MAP, vec![0x80]),
        (sized(ParticleType::HLL, &[1, 2]), ParticleType::HLL, vec![1, 2]),
        (sized(ParticleType::GEOJSON, &geo), ParticleType::GEOJSON, wire_geo),
    ];
    for (particle, particle_type, value) in rows {
        let one = Flat { bins: vec![("bin", particle)], ..flat(1, 1) };
        assert_eq!(bins(&one), [("bin".into(), particle_type, value)]);
    }
}

#[test]
fn metadata_of_bins_is_passed_over() {
    for meta in [vec![0x80], vec![0xA0], vec![0x81, 1, 2, 3, 4, 5]] {
        let one = Flat { bin_meta: meta, ..flat(1, 1) };
        assert_eq!(bins(&one).len(), 1);
    }
}

#[test]
fn many_bins_are_counted_in_more_bytes() {
    let bins_in = vec![("b", vec![17, 0]); 20_000];
    let many = Flat { bins: bins_in, ..flat(1, 1) };
    assert_eq!(bins(&many).len(), 20_000);
}

#[test]
fn damage_is_told_by_what_it_hits() {
    let meta = |what| Err(Malformed::Meta(what));
    let broken = |flat: &Flat| read(&flat.bytes()).map(|_| ());
    assert_eq!(broken(&Flat { generation: 0, ..flat(1, 1) }), meta("generation"));
    assert_eq!(broken(&Flat { extra_flags: Some(0x20), ..flat(1, 1) }), meta("extra flags"));
    assert_eq!(broken(&Flat { key: Some(vec![]), ..flat(1, 1) }), meta("key"));
    for particle in [vec![0], vec![99], vec![1, 3, 0, 0, 0], vec![17, 2], vec![3, 255, 255, 0, 0]] {
        let one = Flat { bins: vec![("a", particle)], ..flat(1, 1) };
        assert_eq!(broken(&one), Err(Malformed::Bin(0)));
    }
    assert_eq!(broken(&Flat { bin_meta: vec![0x84], ..flat(1, 1) }), Err(Malformed::Bin(0)));
    for enterprise in [
        Flat { compressed: true, ..flat(1, 1) },
        Flat { extra_flags: Some(0x08), ..flat(1, 1) },
        Flat { bin_meta: vec![0x82, 1], ..flat(1, 1) },
    ] {
        assert!(matches!(broken(&enterprise), Err(Malformed::Enterprise(_))));
    }
    assert_eq!(broken(&Flat { extra_flags: Some(0x01), ..flat(1, 1) }), Ok(()));
    let mut bytes = flat(1, 1).bytes();
    bytes[10] ^= 1;
    assert_eq!(read(&bytes).map(|_| ()), Err(Malformed::Mark));
    bytes[0] ^= 1;
    assert_eq!(read(&bytes).map(|_| ()), Err(Malformed::Magic));
    let bytes = flat(1, 1).bytes();
    assert_eq!(read(&bytes[..bytes.len() - 1]).map(|_| ()), Err(Malformed::Size(bytes.len())));
}

#[test]
fn any_bytes_give_a_record_or_an_error() {
    let bytes = Flat { void_time: 5, key: Some(vec![3, 1]), ..flat(1, 1) }.bytes();
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_err());
    }
    for at in 0..bytes.len() {
        for value in 0..=255 {
            let mut bent = bytes.clone();
            bent[at] = value;
            let _ = read(&bent).map(|record| record.bins().count());
        }
    }
}

#[test]
fn a_device_is_read_by_the_rules_of_a_cold_start() {
    let mut first = block(&[flat(1, 5), flat(2, 5)]);
    // Between records may stand what is left of earlier ones.
    first.extend_from_slice(&[9; 48]);
    first.extend(block(&[
        Flat { void_time: NOW - 1, ..flat(4, 5) },
        Flat { tree: 2, ..flat(5, 5) },
        Flat {
            digest: wire::Digest([1, 1, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ..flat(0, 5)
        },
    ]));
    let second = block(&[flat(2, 6)]);
    let survey = Survey::of(&[device(&[first, second, vec![]])], NOW).unwrap();
    let one = &survey.devices[0];
    assert!(survey.is_sound(), "{:?}", one.damage);
    // The partition of record 1 is 0x101, and the node does not hold it.
    assert_eq!((one.versions.unowned, one.versions.dropped), (2, 1));
    assert_eq!((survey.totals.live, survey.totals.expired), (1, 1));
    assert_eq!(one.block_list[1].live, 1);
    assert_eq!(one.blocks.get(&BlockState::Blank), Some(&1));
}

#[test]
fn damaged_records_are_listed_and_the_rest_is_read() {
    let mut bytes = block(&[flat(2, 5), flat(3, 5), flat(4, 5)]);
    let size = flat(2, 5).bytes().len();
    bytes[size + 9] ^= 1;
    let survey = Survey::of(&[device(&[bytes])], NOW).unwrap();
    let damage = &survey.devices[0].damage;
    assert_eq!(damage.len(), 1);
    assert_eq!(damage[0].offset_bytes, u64::from(BLOCK_BYTES) + size as u64);
    assert_eq!(damage[0].size_bytes, size as u64);
    assert!(damage[0].what.contains("end mark"));
    assert_eq!(survey.totals.live, 2);
}

#[test]
fn ten_unused_blocks_end_a_device() {
    let mut blocks = vec![vec![]; 12];
    blocks[0] = block(&[flat(2, 5)]);
    blocks[11] = block(&[flat(3, 5)]);
    let survey = Survey::of(&[device(&blocks)], NOW).unwrap();
    assert_eq!(survey.totals.live, 1);
    assert_eq!(survey.devices[0].blocks.get(&BlockState::Skipped), Some(&1));
}

#[test]
fn other_devices_are_refused() {
    let error = |bytes: Vec<u8>| match testing::open("dev", bytes, Whose::Original) {
        Err(Unusable::NotOriginal(error)) => error.to_string(),
        _ => panic!("not one of the original's"),
    };
    assert!(error(vec![0; 1 << 20]).contains("fresh"));
    assert!(error(vec![1; 1 << 20]).contains("not a device"));
    assert!(error(header(0, 1)[..1000].to_vec()).contains("not whole"));
    assert!(error(header(0, 1)[..100_000].to_vec()).contains("too small"));
    for (at, value, word) in [(8, 3, "version 3"), (56, 4, "encrypted"), (56, 2, "single-bin")] {
        let mut bytes = header(0, 1);
        bytes[at] = value;
        assert!(error(bytes).contains(word), "{word}");
    }
}
