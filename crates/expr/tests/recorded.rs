//! Replays what the original server was asked: the script `testdata/recorded.txt`.

use expr::{Filter, Medium, Metadata, Operation, RecordView};
use wire::{Digest, ParticleType, ResultCode};

/// A record of the script. Nothing in it asks for what depends on the time.
struct Record {
    digest: Digest,
    set_name: Vec<u8>,
    key: Option<Vec<u8>>,
    bins: Vec<(Vec<u8>, ParticleType, Vec<u8>)>,
}

impl Metadata for Record {
    fn digest(&self) -> &Digest {
        &self.digest
    }

    fn set_name(&self) -> &[u8] {
        &self.set_name
    }

    fn now_ms(&self) -> u64 {
        0
    }

    fn last_update_time_ms(&self) -> u64 {
        0
    }

    fn void_time_seconds(&self) -> u32 {
        0
    }

    fn has_key(&self) -> Option<bool> {
        Some(self.key.is_some())
    }

    fn is_tombstone(&self) -> bool {
        false
    }

    fn size_bytes(&self) -> usize {
        0
    }

    fn medium(&self) -> Medium {
        Medium::Memory
    }
}

impl RecordView for Record {
    fn metadata(&self) -> &dyn Metadata {
        self
    }

    fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    fn bin(&self, name: &[u8]) -> Option<(ParticleType, &[u8])> {
        let bin = self.bins.iter().find(|(known, ..)| known == name);
        bin.map(|(_, particle_type, value)| (*particle_type, &value[..]))
    }
}

/// Reads hexadecimal bytes; `-` stands for none.
fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.strip_prefix('-').unwrap_or(hex).as_bytes();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).expect("it is ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("it is hexadecimal")).collect()
}

/// What an operation that reads came to, in the words of the script.
fn read(value: &[u8], record: &Record) -> String {
    let Ok(operation) = Operation::to_read(value) else { return "invalid".to_owned() };
    match operation.read(record) {
        Ok(None) => "nil".to_owned(),
        Ok(Some((particle_type, bytes))) => format!("{} {}", particle_type.0, hex(&bytes)),
        Err(ResultCode::OP_NOT_APPLICABLE) => "unknown".to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

fn filter(source: &[u8], record: &Record) -> String {
    let Ok(filter) = Filter::build(source) else { return "invalid".to_owned() };
    let matches = filter.matches(record);
    if let Some(decision) = filter.decide(record) {
        assert_eq!(decision, matches, "metadata decide as the whole record does");
    }
    matches.to_string()
}

fn hex(bytes: &[u8]) -> String {
    match bytes {
        [] => "-".to_owned(),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[test]
fn expressions_give_what_the_original_gave() {
    let mut record = None;
    let mut questions = 0;
    for line in include_str!("../testdata/recorded.txt").lines() {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        match words[..] {
            ["record", digest, rest] => {
                let (set, key) = rest.split_once(' ').expect("a set and a key");
                let digest = bytes(digest).try_into().expect("digests have 20 bytes");
                let key = Some(bytes(key)).filter(|key| !key.is_empty());
                record = Some(Record {
                    digest: Digest(digest),
                    set_name: bytes(set),
                    key,
                    bins: Vec::new(),
                });
            }
            ["has", name, rest] => {
                let (kind, value) = rest.split_once(' ').expect("a type and a value");
                let kind = ParticleType(kind.parse().expect("types are numbers"));
                let record = record.as_mut().expect("bins follow a record");
                record.bins.push((bytes(name), kind, bytes(value)));
            }
            [verb @ ("read" | "filter"), source, expected] => {
                let record = record.as_ref().expect("questions follow a record");
                let ask = if verb == "read" { read } else { filter };
                assert_eq!(ask(&bytes(source), record), expected, "{line}");
                questions += 1;
            }
            _ => assert!(line.is_empty() || line.starts_with('#'), "{line}"),
        }
    }
    assert!(questions > 1_000, "{questions}");
}
