//! Expressions and records for tests.

use value::msgpack::write;
use wire::{Digest, ParticleType};

use crate::eval::Evaluation;
use crate::{Medium, Metadata, Program, RecordView, Type};

/// An operation and its arguments.
pub fn op(code: i64, arguments: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    write::list_header(&mut out, arguments.len() + 1);
    write::integer(&mut out, code);
    arguments.iter().for_each(|argument| out.extend_from_slice(argument));
    out
}

/// An operation with one argument.
pub fn op_of(code: i64, argument: &[u8]) -> Vec<u8> {
    op(code, &[argument.to_vec()])
}

/// A list that is no operation.
pub fn list(elements: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    write::list_header(&mut out, elements.len());
    elements.iter().for_each(|element| out.extend_from_slice(element));
    out
}

pub fn quote(elements: &[Vec<u8>]) -> Vec<u8> {
    op(126, &[list(elements)])
}

pub fn nil() -> Vec<u8> {
    vec![0xc0]
}

pub fn boolean(value: bool) -> Vec<u8> {
    vec![if value { 0xc3 } else { 0xc2 }]
}

pub fn int(value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    write::integer(&mut out, value);
    out
}

pub fn float(value: f64) -> Vec<u8> {
    let mut out = Vec::new();
    write::double(&mut out, value);
    out
}

/// A name or a pattern.
pub fn raw(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write::bytes(&mut out, text.as_bytes());
    out
}

/// A literal of a bytes type.
pub fn typed(particle_type: ParticleType, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write::bytes(&mut out, &[&[particle_type.0], bytes].concat());
    out
}

pub fn text(text: &str) -> Vec<u8> {
    typed(ParticleType::STRING, text.as_bytes())
}

pub fn blob(bytes: &[u8]) -> Vec<u8> {
    typed(ParticleType::BLOB, bytes)
}

pub fn geo(text: &str) -> Vec<u8> {
    typed(ParticleType::GEOJSON, text.as_bytes())
}

/// The least sketch there is.
pub fn sketch() -> Vec<u8> {
    let mut bytes = vec![0, 4];
    bytes.resize(23, 0);
    bytes
}

pub fn hll() -> Vec<u8> {
    typed(ParticleType::HLL, &sketch())
}

pub fn bin(bin_type: Type, name: &str) -> Vec<u8> {
    op(81, &[int(bin_type as i64), raw(name)])
}

pub fn unknown() -> Vec<u8> {
    op(0, &[])
}

/// A boolean that is unknown, but not always: what stands in no record cannot be known.
pub fn unknown_bool() -> Vec<u8> {
    bin(Type::Bool, "absent")
}

pub const POINT: &str = r#"{"type":"Point","coordinates":[0.5,0.5]}"#;
pub const FAR_POINT: &str = r#"{"type":"Point","coordinates":[50,50]}"#;
pub const SQUARE: &str = r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1],[0,0]]]}"#;

/// A record.
#[derive(Clone, Debug)]
pub struct Sample {
    pub digest: Digest,
    pub set_name: Vec<u8>,
    pub now_ms: u64,
    pub last_update_time_ms: u64,
    pub void_time_seconds: u32,
    pub is_tombstone: bool,
    pub size_bytes: usize,
    pub medium: Medium,
    pub key: Option<Vec<u8>>,
    pub bins: Vec<(Vec<u8>, ParticleType, Vec<u8>)>,
}

impl Default for Sample {
    /// One bin of each type, named by its first letter.
    fn default() -> Self {
        let stored_point = crate::values::stored_geo(POINT.as_bytes()).expect("a valid point");
        let bins = [
            ("i", ParticleType::INTEGER, 5_i64.to_be_bytes().to_vec()),
            ("f", ParticleType::FLOAT, 1.5_f64.to_be_bytes().to_vec()),
            ("s", ParticleType::STRING, b"abc".to_vec()),
            ("b", ParticleType::BLOB, vec![1, 2]),
            ("t", ParticleType::BOOL, vec![1]),
            ("l", ParticleType::LIST, vec![0x92, 1, 2]),
            ("m", ParticleType::MAP, vec![0x82, 0xc7, 0, 1, 0xc0, 1, 2]),
            ("u", ParticleType::MAP, vec![0x81, 1, 2]),
            ("h", ParticleType::HLL, sketch()),
            ("g", ParticleType::GEOJSON, stored_point),
            ("j", ParticleType::JAVA_BLOB, vec![9]),
        ];
        Self {
            digest: Digest([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 1, 2, 0, 0]),
            set_name: b"set".to_vec(),
            now_ms: 20_000,
            last_update_time_ms: 5_000,
            void_time_seconds: 100,
            is_tombstone: false,
            size_bytes: 112,
            medium: Medium::Memory,
            key: Some(b"\x03user".to_vec()),
            bins: bins.map(|(name, kind, value)| (name.as_bytes().to_vec(), kind, value)).into(),
        }
    }
}

impl Metadata for Sample {
    fn digest(&self) -> &Digest {
        &self.digest
    }

    fn set_name(&self) -> &[u8] {
        &self.set_name
    }

    fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn last_update_time_ms(&self) -> u64 {
        self.last_update_time_ms
    }

    fn void_time_seconds(&self) -> u32 {
        self.void_time_seconds
    }

    fn has_key(&self) -> Option<bool> {
        Some(self.key.is_some())
    }

    fn is_tombstone(&self) -> bool {
        self.is_tombstone
    }

    fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    fn medium(&self) -> Medium {
        self.medium
    }
}

impl RecordView for Sample {
    fn metadata(&self) -> &dyn Metadata {
        self
    }

    fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    fn bin(&self, name: &[u8]) -> Option<(ParticleType, &[u8])> {
        let bin = self.bins.iter().find(|(known, ..)| known == name);
        bin.map(|(_, kind, value)| (*kind, &value[..]))
    }
}

/// What an expression came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Got {
    /// It is none, or ill typed.
    Invalid,
    Unknown,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Bytes(ParticleType, Vec<u8>),
}

/// Builds and evaluates an expression over a record.
pub fn evaluate(expression: &[u8], record: &Sample) -> Got {
    let Ok(program) = Program::build(expression) else { return Got::Invalid };
    let value = Evaluation::of_record(&program, record).run();
    match value.and_then(|value| value.into_particle()) {
        Err(_) => Got::Unknown,
        Ok(None) => Got::Nil,
        Ok(Some((ParticleType::BOOL, value))) => Got::Bool(value[0] != 0),
        Ok(Some((ParticleType::INTEGER, value))) => {
            Got::Int(i64::from_be_bytes(value[..].try_into().expect("integers have 8 bytes")))
        }
        Ok(Some((ParticleType::FLOAT, value))) => {
            Got::Float(f64::from_be_bytes(value[..].try_into().expect("floats have 8 bytes")))
        }
        Ok(Some((kind, value))) => Got::Bytes(kind, value.to_vec()),
    }
}

/// Builds and evaluates an expression over the sample record.
pub fn of_sample(expression: &[u8]) -> Got {
    evaluate(expression, &Sample::default())
}

/// Whether an expression is valid.
pub fn is_valid(expression: &[u8]) -> bool {
    Program::build(expression).is_ok()
}

/// An operation's value: an expression with flags.
pub fn operation(expression: &[u8], flags: i64) -> Vec<u8> {
    list(&[expression.to_vec(), int(flags)])
}
