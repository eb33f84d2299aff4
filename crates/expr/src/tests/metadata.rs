//! What is known without reading the record, and the key.

use wire::ParticleType;

use crate::Medium;
use crate::testing::*;

fn field(code: i64, record: &Sample) -> Got {
    evaluate(&op(code, &[]), record)
}

#[test]
fn times_count_from_the_unix_epoch() {
    let record = Sample::default();
    let never = Sample { void_time_seconds: 0, ..record.clone() };
    let past = Sample { void_time_seconds: 3, ..record.clone() };
    let future_write = Sample { last_update_time_ms: 30_000, ..record.clone() };
    assert_eq!(field(66, &record), Got::Int(1_262_304_005_000_000_000));
    assert_eq!(field(67, &record), Got::Int(15_000));
    assert_eq!(field(67, &future_write), Got::Int(0));
    assert_eq!(field(68, &record), Got::Int(1_262_304_100_000_000_000));
    assert_eq!(field(68, &never), Got::Int(-1));
    assert_eq!(field(69, &record), Got::Int(80));
    assert_eq!(field(69, &never), Got::Int(-1));
    assert_eq!(field(69, &past), Got::Int(1));
}

#[test]
fn sizes_depend_on_the_medium() {
    for (medium, device_size, memory_size) in
        [(Medium::Memory, 0, 112), (Medium::PersistedMemory, 112, 112), (Medium::Device, 112, 0)]
    {
        let record = Sample { medium, ..Sample::default() };
        assert_eq!(field(65, &record), Got::Int(device_size), "{medium:?}");
        assert_eq!(field(73, &record), Got::Int(memory_size), "{medium:?}");
        assert_eq!(field(74, &record), Got::Int(112), "{medium:?}");
    }
}

#[test]
fn set_key_tombstone_digest() {
    let record = Sample::default();
    let bare = Sample { set_name: vec![], key: None, is_tombstone: true, ..record.clone() };
    assert_eq!(field(70, &record), Got::Bytes(ParticleType::STRING, b"set".to_vec()));
    assert_eq!(field(70, &bare), Got::Bytes(ParticleType::STRING, vec![]));
    assert_eq!(field(71, &record), Got::Bool(true));
    assert_eq!(field(71, &bare), Got::Bool(false));
    assert_eq!(field(72, &record), Got::Bool(false));
    assert_eq!(field(72, &bare), Got::Bool(true));
    // Bytes 16 to 19 are 1, 2, 0, 0.
    for (modulus, expected) in [(10, 3), (-10, 3), (1, 0), (1_000, 513)] {
        assert_eq!(of_sample(&op(64, &[int(modulus)])), Got::Int(expected), "{modulus}");
    }
}

#[test]
fn keys_are_read_as_their_type() {
    let integer = [&[1][..], &7_i64.to_be_bytes()].concat();
    let records = [
        (Some(integer), 2, Got::Int(7)),
        (Some(b"\x03ab".to_vec()), 3, Got::Bytes(ParticleType::STRING, b"ab".to_vec())),
        (Some(b"\x04ab".to_vec()), 6, Got::Bytes(ParticleType::BLOB, b"ab".to_vec())),
        (Some(b"\x01\0".to_vec()), 0, Got::Unknown),
        (None, 0, Got::Unknown),
    ];
    for (key, key_type, expected) in records {
        let record = Sample { key, ..Sample::default() };
        for asked in [2, 3, 6] {
            let got = evaluate(&op(80, &[int(asked)]), &record);
            let expected = if asked == key_type { expected.clone() } else { Got::Unknown };
            assert_eq!(got, expected, "{:?} as {asked}", record.key);
        }
    }
}

#[test]
fn types_of_bins_are_numbers() {
    for (name, expected) in [("i", 1), ("f", 2), ("s", 3), ("b", 4), ("j", 7), ("t", 17)] {
        assert_eq!(of_sample(&op(82, &[raw(name)])), Got::Int(expected), "{name}");
    }
    assert_eq!(of_sample(&op(82, &[raw("absent")])), Got::Int(0));
}
