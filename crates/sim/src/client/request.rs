//! Requests as bytes, and what their answers mean.

use wire::client::{Reply, RequestBuilder};
use wire::{FieldType, Info1, Info2, OpCode, ParticleType, ProtoHeader, ResultCode};

use super::{Action, Family, KeyNumber, Keys};
use crate::machine::NAMESPACE;

/// The bin of numbers.
pub const NUMBER: &[u8] = b"n";
/// The bin of words.
const WORDS: &[u8] = b"w";

/// The time in ms after which a node gives a request up.
pub const TIME_MS: u32 = 1000;

/// The module that has the functions.
pub const MODULE: &str = "sim.lua";
/// Its source.
pub const FUNCTIONS: &str = r"
function count(stream)
  local function one(rec) return 1 end
  local function plus(a, b) return a + b end
  return stream : map(one) : reduce(plus)
end
function add(rec, bin, by)
  rec[bin] = (rec[bin] or 0) + by
  if aerospike:exists(rec) then aerospike:update(rec) else aerospike:create(rec) end
  return rec[bin]
end
";

/// No arguments of a function, as msgpack.
pub const NO_ARGUMENTS: &[u8] = &[0x90];
/// Those that have one added to the number: the list of a text and a number.
pub const ADD_ONE: &[u8] = &[0x92, 0xA2, ParticleType::STRING.0, NUMBER[0], 1];

/// Has a request call a function of the module.
pub fn with_function(begin: RequestBuilder, function: &[u8], arguments: &[u8]) -> RequestBuilder {
    let module = MODULE.trim_end_matches(".lua").as_bytes();
    let call = begin.field(FieldType::UDF_FILENAME, module);
    call.field(FieldType::UDF_FUNCTION, function).field(FieldType::UDF_ARGUMENTS, arguments)
}

/// A request about a record that is not named yet; `own` is the number that makes what is written different.
pub fn builder_of(keys: &Keys, key: KeyNumber, action: Action, own: i64) -> RequestBuilder {
    let family = keys.family(key);
    let integer = |builder: RequestBuilder, code, value: i64| {
        builder.op(code, ParticleType::INTEGER, NUMBER, &value.to_be_bytes())
    };
    let begin = RequestBuilder::new().namespace(NAMESPACE).set(family.set());
    match action {
        Action::Write => {
            let begin = begin.info2(Info2::WRITE).record_ttl(keys.ttl(key));
            integer(begin, OpCode::WRITE, own)
        }
        Action::Add => integer(begin.info2(Info2::WRITE), OpCode::INCREMENT, 1),
        Action::Call => with_function(begin.info2(Info2::WRITE), b"add", ADD_ONE),
        Action::Append => {
            let word = format!("{own},");
            let builder = begin.info2(Info2::WRITE);
            builder.op(OpCode::APPEND, ParticleType::STRING, WORDS, word.as_bytes())
        }
        Action::Read { all } => {
            let level = if all { Info1::CONSISTENCY_LEVEL_ALL } else { Info1::empty() };
            begin.info1(Info1::READ | Info1::GET_ALL | level)
        }
        Action::Delete => {
            let durable = match family {
                Family::Durable => Info2::DURABLE_DELETE,
                _ => Info2::empty(),
            };
            begin.info2(Info2::WRITE | Info2::DELETE | durable)
        }
        Action::Modify { value, generation: Some(generation) } => {
            let builder = begin.info2(Info2::WRITE | Info2::GENERATION).generation(generation);
            integer(builder, OpCode::WRITE, value)
        }
        Action::Modify { value, generation: None } => {
            integer(begin.info2(Info2::WRITE | Info2::CREATE_ONLY), OpCode::WRITE, value)
        }
    }
}

/// The body of such a request.
pub fn request_of(keys: &Keys, key: KeyNumber, action: Action, own: i64) -> Vec<u8> {
    let builder = builder_of(keys, key, action, own).transaction_ttl_ms(TIME_MS);
    builder.digest(&keys.digest(key)).into_body()
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
    match frame.get(8..).and_then(|body| Reply::parse(body).ok()) {
        Some((reply, _)) => verdict_of(&reply),
        None => Verdict::Doubt(ResultCode::UNKNOWN),
    }
}

/// What a reply about one record says.
pub fn verdict_of(reply: &Reply<'_>) -> Verdict {
    match reply.header.result {
        ResultCode::OK => Verdict::Done(seen_in(reply)),
        ResultCode::NOT_FOUND => Verdict::Absent,
        result @ (ResultCode::GENERATION | ResultCode::RECORD_EXISTS | ResultCode::UNAVAILABLE) => {
            Verdict::Refused(result)
        }
        other => Verdict::Doubt(other),
    }
}

/// The record in a reply.
pub fn seen_in(reply: &Reply<'_>) -> Seen {
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
    seen
}

/// The messages in the frames of a reply, until something is none.
pub fn messages(frames: &[u8], mut visit: impl FnMut(&Reply<'_>)) {
    let mut rest = frames;
    while let Some((header, after)) = rest.split_first_chunk() {
        let Ok(header) = ProtoHeader::parse(*header) else { return };
        let Some((mut body, next)) = after.split_at_checked(header.body_size_bytes) else { return };
        rest = next;
        while let Ok((reply, more)) = Reply::parse(body) {
            visit(&reply);
            body = more;
        }
    }
}
