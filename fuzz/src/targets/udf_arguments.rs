//! Arguments of user-defined functions, and what functions make of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use udf::{Call, Host, Level, Limits, Modules, RecordAccess, RecordInfo, Reply};
use wire::{FieldType, ParticleType, Request};

use super::{Entry, Outcome, Target};

pub const ENTRY: Entry = Entry {
    name: "udf_arguments",
    what: "arguments of functions: converted, returned, written to a bin",
    seeds: |corpus| {
        let requests = corpus.requests.iter().filter_map(|body| Request::parse(body).ok());
        let arguments = requests.filter_map(|request| request.field(FieldType::UDF_ARGUMENTS));
        let mut seeds: Vec<_> = arguments.map(<[u8]>::to_vec).collect();
        seeds.extend(super::values(corpus).into_iter().filter_map(|value| {
            let (&kind, packed) = value.split_first()?;
            matches!(ParticleType(kind), ParticleType::LIST | ParticleType::MAP)
                .then(|| [&[0x91], packed].concat())
        }));
        seeds
    },
    make: |_| Box::new(functions()),
};

/// Goes through every conversion, and through the objects' own ways to change.
const SOURCE: &str = r##"
local function visit(value, depth)
  if depth > 3 then return end
  local class = getmetatable(value)
  if class == List then
    for item in list.iterator(value) do visit(item, depth + 1) end
    list.append(value, list.size(value))
    list.prepend(value, value[1])
    list.remove(value, 2)
  elseif class == Map then
    for key, item in map.pairs(value) do visit(item, depth + 1) value[key] = nil end
    value[#value] = map.clone(value)
  elseif class == Bytes then
    bytes.append_byte(value, #value % 256)
    bytes.set_type(value, bytes.get_type(value))
  end
  return tostring(value)
end

function run(rec, ...)
  local all = list()
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    pcall(visit, value, 0)
    list.append(all, value)
  end
  rec.all = all
  aerospike:create(rec)
  return all
end

function bin(rec)
  local value = rec.value
  pcall(visit, value, 0)
  rec.value = value
  aerospike:update(rec)
  return value
end
"##;

/// A host with a generous limit.
struct Watch(Instant);

impl Host for Watch {
    fn log(&self, _: Level, _: &str, _: usize, _: &[u8]) {}

    fn now_us(&self) -> u64 {
        0
    }

    fn is_overdue(&self) -> bool {
        self.0.elapsed() > Duration::from_secs(10)
    }
}

/// A record with at most one bin.
pub(super) struct Record(pub Option<(ParticleType, Vec<u8>)>);

impl RecordAccess for Record {
    fn exists(&self) -> bool {
        self.0.is_some()
    }

    fn info(&self) -> RecordInfo {
        RecordInfo::default()
    }

    fn digest(&self) -> [u8; 20] {
        [0; 20]
    }

    fn set_name(&self) -> Option<&[u8]> {
        None
    }

    fn key(&self) -> Option<(ParticleType, &[u8])> {
        None
    }

    fn bin(&self, name: &[u8]) -> Option<(ParticleType, &[u8])> {
        let value = self.0.as_ref().filter(|_| name == b"value");
        value.map(|(kind, bytes)| (*kind, &**bytes))
    }

    fn bin_names(&self) -> Vec<&[u8]> {
        self.0.iter().map(|_| &b"value"[..]).collect()
    }
}

/// Runs functions of one module.
pub(super) struct Functions(Modules);

impl Functions {
    pub fn new(source: &str) -> Self {
        let modules = Modules::new(Limits { memory_bytes: 8 << 20, ..Limits::default() });
        modules.put("fuzz.lua", source.as_bytes());
        Self(modules)
    }

    /// Runs one; whatever it writes must be a value that a client could have written.
    pub fn run(&self, function: &[u8], arguments: &[u8], record: Record) -> Outcome {
        let call = Call { module: "fuzz", function, arguments };
        let host = Arc::new(Watch(Instant::now()));
        let outcome = self.0.apply(call, Box::new(record), host);
        for bin in outcome.write.iter().flat_map(|write| &write.bins) {
            if let Some(value) = &bin.value {
                let again = value::from_wire(value.kind, &value.bytes);
                assert_eq!(again.as_deref().ok(), Some(&*value.bytes), "{:?}", value.kind);
            }
        }
        match outcome.reply {
            Reply::Success(value) => {
                Outcome::of((0, value.kind, value.bytes.len().min(16), outcome.write.is_some()))
            }
            Reply::Failure(text) => Outcome::of((1, text)),
            Reply::Code(code) => Outcome::of((2, code)),
        }
    }
}

/// The functions that both targets run.
pub(super) fn functions() -> Functions {
    Functions::new(SOURCE)
}

impl Target for Functions {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        self.run(b"run", input, Record(None))
    }
}
