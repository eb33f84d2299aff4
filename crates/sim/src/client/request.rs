//! Requests as bytes, and what their answers mean.

use wire::client::{Reply, RequestBuilder};
use wire::{Digest, Info1, Info2, OpCode, ParticleType, ResultCode};

use super::{Action, Family, SET};
use crate::machine::NAMESPACE;

/// The bin of numbers.
const NUMBER: &[u8] = b"n";
/// The bin of words.
const WORDS: &[u8] = b"w";

/// The time in ms after which a node gives a request up.
pub const TIME_MS: u32 = 1000;

/// The body of a request; `own` is the number that makes what is written different.
pub fn request_of(family: Family, digest: &Digest, action: Action, own: i64) -> Vec<u8> {
    let integer = |builder: RequestBuilder, code, value: i64| {
        builder.op(code, ParticleType::INTEGER, NUMBER, &value.to_be_bytes())
    };
    let begin = RequestBuilder::new().transaction_ttl_ms(TIME_MS);
    let about = |builder: RequestBuilder| builder.namespace(NAMESPACE).set(SET).digest(digest);
    match action {
        Action::Write => integer(about(begin.info2(Info2::WRITE)), OpCode::WRITE, own),
        Action::Add => integer(about(begin.info2(Info2::WRITE)), OpCode::INCREMENT, 1),
        Action::Append => {
            let word = format!("{own},");
            let builder = about(begin.info2(Info2::WRITE));
            builder.op(OpCode::APPEND, ParticleType::STRING, WORDS, word.as_bytes())
        }
        Action::Read { all } => {
            let level = if all { Info1::CONSISTENCY_LEVEL_ALL } else { Info1::empty() };
            about(begin.info1(Info1::READ | Info1::GET_ALL | level))
        }
        Action::Delete => {
            let durable = match family {
                Family::Durable => Info2::DURABLE_DELETE,
                _ => Info2::empty(),
            };
            about(begin.info2(Info2::WRITE | Info2::DELETE | durable))
        }
        Action::Modify { value, generation: Some(generation) } => {
            let builder = begin.info2(Info2::WRITE | Info2::GENERATION).generation(generation);
            integer(about(builder), OpCode::WRITE, value)
        }
        Action::Modify { value, generation: None } => {
            integer(about(begin.info2(Info2::WRITE | Info2::CREATE_ONLY)), OpCode::WRITE, value)
        }
    }
    .into_body()
}

/// The body of an info request of one command, and back.
pub fn info_frame(command: &str) -> Vec<u8> {
    format!("{command}\n").into_bytes()
}

/// What was read of a record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Its number, if it has one.
    pub number: Option<i64>,
    /// Its words.
    pub words: Vec<i64>,
    /// Its generation.
    pub generation: u32,
}

/// What a reply says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It was done; of a read, what was read.
    Done(Seen),
    /// The record was not there.
    Absent,
    /// It was not done, and will not be.
    Refused(ResultCode),
    /// It may have been done, or may yet be.
    Doubt(ResultCode),
}

/// Reads the frame of a reply.
pub fn read(frame: &[u8]) -> Verdict {
    let Some((reply, _)) = frame.get(8..).and_then(|body| Reply::parse(body).ok()) else {
        return Verdict::Doubt(ResultCode::UNKNOWN);
    };
    let result = reply.header.result;
    match result {
        ResultCode::OK => {}
        ResultCode::NOT_FOUND => return Verdict::Absent,
        ResultCode::GENERATION | ResultCode::RECORD_EXISTS | ResultCode::UNAVAILABLE => {
            return Verdict::Refused(result);
        }
        other => return Verdict::Doubt(other),
    }
    let mut seen = Seen { generation: reply.header.generation, ..Seen::default() };
    for op in reply.ops() {
        match (op.name, op.particle_type) {
            (NUMBER, ParticleType::INTEGER) => {
                seen.number = op.value.try_into().ok().map(i64::from_be_bytes);
            }
            (WORDS, ParticleType::STRING) => {
                let words = String::from_utf8_lossy(op.value);
                seen.words = words.split(',').filter_map(|word| word.parse().ok()).collect();
            }
            _ => {}
        }
    }
    Verdict::Done(seen)
}
