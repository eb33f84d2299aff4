//! The command as a process, the way an operator calls it.

#![allow(clippy::unwrap_used, reason = "the helpers of tests assert by it as the tests do")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use record::body::BodyWriter;
use record::{Generation, LastUpdateTime, VoidTime};
use serde_json::Value;
use storage::format::flat::{self, Header, Kind, Packing};
use storage::format::header::DeviceHeader;
use storage::format::{Place, block};
use wire::{Digest, ParticleType};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bolide-inspect");
const BLOCK_BYTES: u32 = 16 << 10;
const DEVICE: u64 = 77;

/// A directory of one test, gone with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("bolide-inspect-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A device with one record, in a sealed block.
fn device() -> Vec<u8> {
    let header = DeviceHeader {
        version: 1,
        device: DEVICE,
        place: (0, 1),
        block_bytes: BLOCK_BYTES,
        block_count: 15,
        namespace: "test".into(),
        ..DeviceHeader::default()
    };
    let mut bytes = vec![0; 16 * BLOCK_BYTES as usize];
    let copy = header.encode(DeviceHeader::copy_bytes_max(BLOCK_BYTES)).unwrap();
    for number in 0..2 {
        let at = DeviceHeader::copy_offset_bytes(number, BLOCK_BYTES) as usize;
        bytes[at..at + copy.len()].copy_from_slice(&copy);
    }
    let mut at = BLOCK_BYTES as usize;
    let place = |at: usize| Place { device: DEVICE, offset_bytes: at as u64, sequence: 1 };
    for part in [block::in_use(1, &place(at)).to_vec(), record(&place(at + 64))] {
        bytes[at..at + part.len()].copy_from_slice(&part);
        at += part.len();
    }
    bytes[at..at + 16].copy_from_slice(&block::end(&place(at)));
    bytes
}

fn record(place: &Place) -> Vec<u8> {
    let mut body = Vec::new();
    let mut writer = BodyWriter::new(&mut body, None);
    writer.bin(b"a", ParticleType::INTEGER, &7i64.to_be_bytes());
    writer.finish();
    let mut bytes = Vec::new();
    flat::begin(&mut bytes);
    bytes.push(0);
    bytes.extend_from_slice(&body);
    let header = Header {
        digest: Digest([9; 20]),
        last_update_time: LastUpdateTime(5000),
        generation: Generation(1),
        void_time: VoidTime::NEVER,
        kind: Kind::Record,
        xdr_write: false,
        has_key: false,
        packing: Packing::Plain,
        encrypted: false,
        ordered_at: None,
    };
    flat::finish(&mut bytes, &header);
    let content = flat::content_checksum(&bytes);
    flat::settle(&mut bytes, content, place);
    bytes
}

fn inspect(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(PROGRAM).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn a_sound_device_ends_with_code_0() {
    let directory = Directory::new("sound");
    let file = directory.file("a.dat", &device());
    let (code, out, err) = inspect(&[&file]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("1 live") && out.contains("verdict          sound"), "{out}");
    let (code, out, _) = inspect(&["--json", &file]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["sound"]), (0, &Value::Bool(true)));
    assert_eq!(report["survey"]["totals"]["live"], 1);
    assert_eq!(report["survey"]["devices"][0]["blocks"]["sealed"], 1);
    let (code, out, _) = inspect(&["--dump", &file]);
    let record: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &record["bins"]["a"]), (0, &Value::from(7)));
    // It was only read.
    assert_eq!(fs::read(&file).unwrap(), device());
}

#[test]
fn damage_ends_with_code_1() {
    let directory = Directory::new("damaged");
    let mut bytes = device();
    bytes[BLOCK_BYTES as usize + 100] ^= 1;
    let file = directory.file("a.dat", &bytes);
    let (code, out, _) = inspect(&[&file]);
    assert_eq!(code, 1);
    assert!(out.contains("DAMAGE           block 1, byte 16448"), "{out}");
    let (code, out, err) = inspect(&["--dump", &file]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("1 damaged place found"), "{err}");
}

#[test]
fn what_cannot_be_read_ends_with_code_2() {
    let directory = Directory::new("unusable");
    let sound = directory.file("sound.dat", &device());
    let other = directory.file("other.dat", &[7; 100_000]);
    let rows: [(&[&str], &str); 7] = [
        (&["/no/such/file"], "No such file"),
        (&[directory.0.to_str().unwrap()], "directory"),
        (&[&sound, &other], "has no sound header"),
        (&["--aerospike", &sound], "is not a device of Aerospike"),
        (&["--load", "nowhere", &sound], "nowhere is no address"),
        (&["--load", "127.0.0.1:1", &sound], "cannot reach 127.0.0.1:1"),
        (&["--dump", "--json", &sound], "cannot be used with"),
    ];
    for (arguments, words) in rows {
        let (code, out, err) = inspect(arguments);
        assert_eq!(code, 2, "{arguments:?} {out}");
        assert!(err.contains(words), "{arguments:?}: {err}");
    }
}
