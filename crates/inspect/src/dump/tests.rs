//! What a dump says of records of both kinds.

use serde_json::{Value, json};
use storage::format::flat::{Kind, Packing};
use wire::ParticleType;

use super::*;
use crate::original::encode;
use crate::testing::{Own, Spec, spec};

const NOW: u32 = 1000;

fn lines(device: Device, selection: Selection) -> Vec<Value> {
    let devices = [device];
    let survey = Survey::of(&devices, NOW).unwrap();
    let mut out = Vec::new();
    dump(&devices, &survey, selection, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn own(records: &[Spec]) -> Device {
    let mut own = Own::new(0, 1);
    own.seal(1, 1, records);
    own.open("dev")
}

#[test]
fn a_live_record_has_all_that_is_known_of_it() {
    let record = Spec { void_time: 2000, key: Some(b"\x03user".to_vec()), ..spec(1, 5000) };
    let expected = json!({
        "digest": "01".repeat(20),
        "set": "s",
        "key": "user",
        "generation": 1,
        "void_time": 2000,
        "expires": "2010-01-01T00:33:20Z",
        "last_update_time": 5000,
        "last_update": "2010-01-01T00:00:05Z",
        "tombstone": false,
        "bins": { "a": 7 },
    });
    assert_eq!(lines(own(&[record]), Selection::Live), [expected]);
}

#[test]
fn all_versions_say_what_became_of_them() {
    let records = [
        spec(1, 5),
        spec(1, 6),
        Spec { void_time: 9, ..spec(2, 5) },
        Spec { kind: Kind::Grave, ..spec(3, 5) },
        Spec { kind: Kind::Tombstone, bins: vec![], ..spec(4, 5) },
    ];
    let all = lines(own(&records), Selection::AllVersions);
    let states: Vec<_> = all.iter().map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["superseded", "live", "expired", "grave", "tombstone"]);
    assert_eq!(all[0]["place"], json!({"device": "dev", "block": 1, "at": 64, "size_bytes": 80}));
    assert_eq!(lines(own(&records), Selection::Live).len(), 1);
}

#[test]
fn compressed_records_are_unpacked() {
    let text = "text that repeats, text that repeats, ".repeat(20);
    for packing in [Packing::Lz4, Packing::Snappy, Packing::Zstd] {
        let bins = vec![("t", ParticleType::STRING, text.clone().into_bytes())];
        let record = Spec { packing, bins, ..spec(1, 5) };
        let survey = Survey::of(&[own(std::slice::from_ref(&record))], NOW).unwrap();
        assert_eq!(survey.devices[0].versions.compressed, 1, "{packing:?}");
        let line = &lines(own(&[record]), Selection::Live)[0];
        assert_eq!(line["bins"]["t"], json!(text), "{packing:?}");
    }
}

#[test]
fn encrypted_records_are_told_as_such() {
    let line = &lines(own(&[Spec { encrypted: true, ..spec(1, 5) }]), Selection::Live)[0];
    assert_eq!((&line["encrypted"], &line["bins"]), (&json!(true), &Value::Null));
    let survey = Survey::of(&[own(&[Spec { encrypted: true, ..spec(1, 5) }])], NOW).unwrap();
    assert_eq!((survey.devices[0].versions.encrypted, survey.sets[0].name.as_ref()), (1, None));
}

#[test]
fn records_of_the_original_look_the_same() {
    let record = encode::Flat {
        void_time: 2000,
        key: Some(b"\x01\0\0\0\0\0\0\0\x09".to_vec()),
        bins: vec![
            ("a", vec![1, 1, 7]),
            ("l", encode::sized(ParticleType::LIST, &[0x92, 1, 0xA2, 3, b'x'])),
        ],
        ..encode::flat(2, 5000)
    };
    let expected = json!({
        "digest": "02".repeat(20),
        "set": "s",
        "key": 9,
        "generation": 1,
        "void_time": 2000,
        "expires": "2010-01-01T00:33:20Z",
        "last_update_time": 5000,
        "last_update": "2010-01-01T00:00:05Z",
        "tombstone": false,
        "bins": { "a": 7, "l": [1, "x"] },
    });
    let device = encode::device(&[encode::block(&[record])]);
    assert_eq!(lines(device, Selection::Live), [expected]);
}
