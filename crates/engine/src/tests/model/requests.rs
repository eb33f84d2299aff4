//! Random requests, as the model and as the wire know them.

use fastrand::Rng;
use wire::client::RequestBuilder;
use wire::{Info1, Info2, Info3, OpCode, ParticleType};

/// Sets that requests name; `None` is no set.
pub(super) const SETS: [Option<&str>; 3] = [None, Some("s"), Some("t")];
const BINS: [&str; 4] = ["a", "b", "c", "n"];
const TTL_NEVER: u32 = 0xFFFF_FFFF;
const TTL_KEEP: u32 = 0xFFFF_FFFE;

/// An operation of a write.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Put(&'static str, String),
    Drop(&'static str),
    Add(&'static str, i64),
    Append(&'static str, String),
    Prepend(&'static str, String),
    Read(&'static str),
    ReadAll,
    DeleteAll,
    Touch,
}

/// What a write demands of the record's existence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Existence {
    Any,
    UpdateOnly,
    CreateOnly,
    Replace,
    ReplaceOnly,
}

/// What a request demands of the record's generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Expected {
    Any,
    Equal(u32),
    Below(u32),
}

#[derive(Clone, Debug)]
pub(super) struct WriteSpec {
    pub changes: Vec<Change>,
    pub existence: Existence,
    pub generation: Expected,
    pub durable: bool,
    pub ttl: u32,
    pub set: Option<&'static str>,
    pub key: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) struct DeleteSpec {
    pub generation: Expected,
    pub durable: bool,
    pub set: Option<&'static str>,
    pub key: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) struct ReadSpec {
    /// `None`: all bins.
    pub bins: Option<Vec<&'static str>>,
    pub touch_pct: u32,
    pub set: Option<&'static str>,
    pub key: Option<&'static str>,
}

/// Mostly what fits, now and then what does not.
fn random_set(random: &mut Rng) -> Option<&'static str> {
    if random.u32(..4) == 0 { SETS[random.usize(..SETS.len())] } else { Some("s") }
}

fn random_key(random: &mut Rng) -> Option<&'static str> {
    match random.u32(..12) {
        0 => Some("other"),
        1..4 => Some("mine"),
        _ => None,
    }
}

impl Expected {
    fn random(random: &mut Rng, generation: u16) -> Self {
        let near = u32::from(generation) + random.u32(..2);
        match random.u32(..8) {
            0 => Self::Equal(near),
            1 => Self::Below(near),
            _ => Self::Any,
        }
    }

    fn add_to(self, request: RequestBuilder, flags: Info2) -> RequestBuilder {
        match self {
            Self::Any => request.info2(flags),
            Self::Equal(generation) => {
                request.info2(flags | Info2::GENERATION).generation(generation)
            }
            Self::Below(generation) => {
                request.info2(flags | Info2::GENERATION_GT).generation(generation)
            }
        }
    }
}

impl Change {
    fn random(random: &mut Rng) -> Self {
        let bin = BINS[random.usize(..BINS.len())];
        let text = "x".repeat(random.usize(..20));
        match random.u32(..20) {
            0..8 => Self::Put(bin, text),
            8..11 => Self::Drop(bin),
            11..14 => Self::Add(bin, random.i64(-1000..100_000)),
            14 => Self::Append(bin, text),
            15 => Self::Prepend(bin, text),
            16 => Self::Read(bin),
            17 => Self::ReadAll,
            18 => Self::DeleteAll,
            _ => Self::Touch,
        }
    }

    fn add_to(&self, request: RequestBuilder) -> RequestBuilder {
        const TEXT: ParticleType = ParticleType::STRING;
        const NULL: ParticleType = ParticleType::NULL;
        match self {
            Self::Put(bin, text) => {
                request.op(OpCode::WRITE, TEXT, bin.as_bytes(), text.as_bytes())
            }
            Self::Drop(bin) => request.op(OpCode::WRITE, NULL, bin.as_bytes(), b""),
            Self::Add(bin, amount) => {
                let amount = amount.to_be_bytes();
                request.op(OpCode::INCREMENT, ParticleType::INTEGER, bin.as_bytes(), &amount)
            }
            Self::Append(bin, text) => {
                request.op(OpCode::APPEND, TEXT, bin.as_bytes(), text.as_bytes())
            }
            Self::Prepend(bin, text) => {
                request.op(OpCode::PREPEND, TEXT, bin.as_bytes(), text.as_bytes())
            }
            Self::Read(bin) => request.op(OpCode::READ, NULL, bin.as_bytes(), b""),
            Self::ReadAll => request.op(OpCode::READ, NULL, b"", b""),
            Self::DeleteAll => request.op(OpCode::DELETE_ALL, NULL, b"", b""),
            Self::Touch => request.op(OpCode::TOUCH, NULL, b"", b""),
        }
    }
}

impl WriteSpec {
    /// A write on a record with this generation.
    pub fn random(random: &mut Rng, generation: u16) -> Self {
        let count = if random.bool() { 1 } else { random.usize(1..6) };
        Self {
            changes: (0..count).map(|_| Change::random(random)).collect(),
            existence: match random.u32(..12) {
                0 => Existence::UpdateOnly,
                1 => Existence::CreateOnly,
                2 => Existence::Replace,
                3 => Existence::ReplaceOnly,
                _ => Existence::Any,
            },
            generation: Expected::random(random, generation),
            durable: random.bool(),
            ttl: match random.u32(..8) {
                0 => TTL_NEVER,
                1 => TTL_KEEP,
                2 => 315_360_001,
                3..6 => 0,
                _ => random.u32(1..60),
            },
            set: random_set(random),
            key: random_key(random),
        }
    }

    pub fn request(&self) -> RequestBuilder {
        let mut info1 = Info1::empty();
        let reads = |change: &Change| matches!(change, Change::Read(_) | Change::ReadAll);
        info1.set(Info1::READ, self.changes.iter().any(reads));
        let reads_all = |change: &Change| matches!(change, Change::ReadAll);
        info1.set(Info1::GET_ALL, self.changes.iter().any(reads_all));
        let mut info2 = Info2::WRITE;
        info2.set(Info2::DURABLE_DELETE, self.durable);
        info2.set(Info2::CREATE_ONLY, self.existence == Existence::CreateOnly);
        let info3 = match self.existence {
            Existence::Any | Existence::CreateOnly => Info3::empty(),
            Existence::UpdateOnly => Info3::UPDATE_ONLY,
            Existence::Replace => Info3::CREATE_OR_REPLACE,
            Existence::ReplaceOnly => Info3::REPLACE_ONLY,
        };
        let request = RequestBuilder::new().info1(info1).info3(info3).record_ttl(self.ttl);
        let request = named(self.generation.add_to(request, info2), self.set, self.key);
        self.changes.iter().fold(request, |request, change| change.add_to(request))
    }
}

impl DeleteSpec {
    /// A delete of a record with this generation.
    pub fn random(random: &mut Rng, generation: u16) -> Self {
        Self {
            generation: Expected::random(random, generation),
            durable: random.bool(),
            set: random_set(random),
            key: random_key(random),
        }
    }

    pub fn request(&self) -> RequestBuilder {
        let mut info2 = Info2::WRITE | Info2::DELETE;
        info2.set(Info2::DURABLE_DELETE, self.durable);
        named(self.generation.add_to(RequestBuilder::new(), info2), self.set, self.key)
    }
}

impl ReadSpec {
    pub fn random(random: &mut Rng) -> Self {
        let bins = (0..random.usize(1..4)).map(|_| BINS[random.usize(..BINS.len())]).collect();
        Self {
            bins: random.bool().then_some(bins),
            touch_pct: match random.u32(..6) {
                0 => u32::MAX,
                1 => 101,
                2 => random.u32(1..=100),
                _ => 0,
            },
            set: random_set(random),
            key: random_key(random),
        }
    }

    pub fn request(&self) -> RequestBuilder {
        let request = RequestBuilder::new().record_ttl(self.touch_pct);
        let request = named(request, self.set, self.key);
        match &self.bins {
            None => request.info1(Info1::READ | Info1::GET_ALL),
            Some(bins) => bins.iter().fold(request.info1(Info1::READ), |request, bin| {
                request.op(OpCode::READ, ParticleType::NULL, bin.as_bytes(), b"")
            }),
        }
    }
}

fn named(request: RequestBuilder, set: Option<&str>, key: Option<&str>) -> RequestBuilder {
    let request = match set {
        Some(set) => request.set(set),
        None => request,
    };
    match key {
        Some(key) => request.key(ParticleType::STRING, key.as_bytes()),
        None => request,
    }
}
