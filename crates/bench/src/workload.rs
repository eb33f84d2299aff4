//! What is asked: kinds of operations, their mix, and the requests that carry them.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use serde::{Serialize, Serializer};
use wire::client::RequestBuilder;
use wire::{Digest, Info1, Info2, OpCode, ParticleType};

use crate::bins::{Bins, ValueSource};
use crate::keys::{Distribution, KeyPicker, KeySpace};
use crate::template::{BatchTemplate, Scope, Template};

/// A kind of operation, as a user counts operations.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OpKind {
    /// Writes a record, each key once, in order.
    Insert,
    /// Reads a whole record.
    Read,
    /// Reads a record's metadata.
    Exists,
    /// Writes a record that should exist.
    Update,
    /// Reads a record, then writes it on condition that its generation is still the same: two
    /// requests, one operation.
    Modify,
    /// Increments a counter bin and reads it back in one request.
    Operate,
    /// Renews a record's time to live.
    Touch,
    /// Deletes a record.
    Delete,
    /// Reads many records in one request.
    BatchRead,
}

impl OpKind {
    /// All kinds, in the order in which reports list them.
    pub const ALL: [Self; 9] = [
        Self::Insert,
        Self::Read,
        Self::Exists,
        Self::Update,
        Self::Modify,
        Self::Operate,
        Self::Touch,
        Self::Delete,
        Self::BatchRead,
    ];

    /// The name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Read => "read",
            Self::Exists => "exists",
            Self::Update => "update",
            Self::Modify => "modify",
            Self::Operate => "operate",
            Self::Touch => "touch",
            Self::Delete => "delete",
            Self::BatchRead => "batch-read",
        }
    }

    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for OpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for OpKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Kinds of operations and how often each comes.
///
/// Written as `read=90,update=10`, or in the official tool's short forms `I`, `RU,90` and `RUD,80,15`,
/// in which the numbers are percentages and the last kind gets the rest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mix {
    /// Kinds with their weights, all above zero.
    parts: Vec<(OpKind, u32)>,
    total: u32,
}

impl Mix {
    /// Only operations of one kind.
    pub fn only(kind: OpKind) -> Self {
        Self { parts: vec![(kind, 1)], total: 1 }
    }

    /// The kinds it has.
    pub fn kinds(&self) -> impl Iterator<Item = OpKind> {
        self.parts.iter().map(|&(kind, _)| kind)
    }

    /// Whether it inserts, and therefore does nothing else.
    pub fn is_insert(&self) -> bool {
        self.kinds().any(|kind| kind == OpKind::Insert)
    }

    /// Draws a kind.
    pub fn pick(&self, random: &mut fastrand::Rng) -> OpKind {
        let [(only, _)] = self.parts[..] else {
            let mut at = random.u32(..self.total);
            return self
                .parts
                .iter()
                .find(|(_, weight)| {
                    let found = at < *weight;
                    at = at.saturating_sub(*weight);
                    found
                })
                .expect("the number drawn is below the sum of the weights")
                .0;
        };
        only
    }

    fn of(parts: Vec<(OpKind, u32)>) -> anyhow::Result<Self> {
        let parts: Vec<_> = parts.into_iter().filter(|&(_, weight)| weight > 0).collect();
        let total = parts.iter().try_fold(0_u32, |sum, &(_, weight)| sum.checked_add(weight));
        let mix = Self { parts, total: total.context("the weights are too large")? };
        ensure!(mix.total > 0, "nothing to do");
        ensure!(!mix.is_insert() || mix.parts.len() == 1, "insert does not mix with others");
        Ok(mix)
    }
}

impl FromStr for Mix {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if let Some(mix) = short_form(text)? {
            return Ok(mix);
        }
        let part = |part: &str| {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let kind = OpKind::ALL.into_iter().find(|kind| kind.name() == name.trim());
            let kind = kind.with_context(|| {
                let names = OpKind::ALL.map(OpKind::name).join(", ");
                format!("'{name}' is no kind of operation: there are {names}")
            })?;
            let weight = weight.trim().parse().with_context(|| format!("the weight of {name}"))?;
            Ok((kind, weight))
        };
        Self::of(text.split(',').map(part).collect::<anyhow::Result<_>>()?)
    }
}

/// The official tool's letters; `None` if the text does not start with one of them.
fn short_form(text: &str) -> anyhow::Result<Option<Mix>> {
    use OpKind::{Delete, Insert, Read, Update};
    let mut words = text.split(',').map(str::trim);
    let kinds: &[OpKind] = match words.next() {
        Some("I") => &[Insert],
        Some("RU") => &[Read, Update],
        Some("RUD") => &[Read, Update, Delete],
        _ => return Ok(None),
    };
    let mut shares: Vec<u32> = words
        .map(|word| word.parse().with_context(|| format!("'{word}' is no percentage")))
        .collect::<anyhow::Result<_>>()?;
    if shares.is_empty() && kinds.len() == 2 {
        shares.push(50);
    }
    ensure!(shares.len() + 1 == kinds.len(), "{text}: {} percentages expected", kinds.len() - 1);
    let Some(rest) = shares.iter().try_fold(100_u32, |rest, &share| rest.checked_sub(share)) else {
        bail!("{text}: the percentages exceed 100");
    };
    shares.push(rest);
    Mix::of(kinds.iter().copied().zip(shares).collect()).map(Some)
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [(only, _)] = self.parts[..] {
            return write!(f, "{only}");
        }
        for (index, (kind, weight)) in self.parts.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{kind}={weight}")?;
        }
        Ok(())
    }
}

/// Everything that decides which requests a run sends.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Namespace name.
    pub namespace: String,
    /// The records.
    pub keys: KeySpace,
    /// How often each of them is asked for.
    pub distribution: Distribution,
    /// What a record holds.
    pub bins: Bins,
    /// Whether all writes carry the same content.
    pub fixed_content: bool,
    /// What is done.
    pub mix: Mix,
    /// Keys in a batch, at least 1.
    pub batch_size: usize,
    /// Time to live that writes ask for, in seconds, or one of its special values.
    pub record_ttl: u32,
    /// Whether writes carry the user key, to be stored.
    pub send_key: bool,
    /// Time in ms after which the server gives up a request; 0 for its default.
    pub transaction_ttl_ms: u32,
    /// Equal seeds draw equal sequences.
    pub seed: u64,
}

/// Name of the bin that [`OpKind::Operate`] counts in.
const COUNTER_BIN: &str = "counter";

/// Makes the requests of one thread.
#[derive(Debug)]
pub struct Generator {
    mix: Mix,
    space: KeySpace,
    picker: KeyPicker,
    random: fastrand::Rng,
    source: ValueSource,
    read: Template,
    exists: Template,
    write: Template,
    write_if_unchanged: Template,
    operate: Template,
    touch: Template,
    delete: Template,
    batch: BatchTemplate,
}

impl Generator {
    /// The generator of thread number `thread`.
    pub fn new(workload: &Workload, thread: u64) -> Self {
        workload.keys.prepare();
        let seed = workload.seed.wrapping_add(thread.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut source = ValueSource::new(&workload.bins, seed);
        let reading =
            Scope { namespace: &workload.namespace, set: workload.keys.set(), send_key: false };
        let writing = Scope { send_key: workload.send_key, ..reading };
        let head = RequestBuilder::new().transaction_ttl_ms(workload.transaction_ttl_ms);
        let read_head = head.clone().info1(Info1::READ | Info1::GET_ALL);
        let write_head = head.clone().info2(Info2::WRITE).record_ttl(workload.record_ttl);
        let unchanged_head = write_head.clone().info2(Info2::WRITE | Info2::GENERATION);
        let operate_head =
            write_head.clone().info1(Info1::READ).info2(Info2::WRITE | Info2::RESPOND_ALL_OPS);
        let mut values = |head, bins| {
            Template::writing(head, writing, bins, &mut source, workload.fixed_content)
        };
        let write = values(write_head.clone(), &workload.bins);
        let write_if_unchanged = values(unchanged_head, &workload.bins);
        let count: [(_, _, _, &[u8]); 2] = [
            (OpCode::INCREMENT, ParticleType::INTEGER, COUNTER_BIN, &[0, 0, 0, 0, 0, 0, 0, 1]),
            (OpCode::READ, ParticleType::NULL, COUNTER_BIN, b""),
        ];
        let touch: [(_, _, _, &[u8]); 1] = [(OpCode::TOUCH, ParticleType::NULL, "", b"")];
        Self {
            mix: workload.mix.clone(),
            space: workload.keys.clone(),
            picker: KeyPicker::new(workload.keys.clone(), workload.distribution),
            random: fastrand::Rng::with_seed(seed),
            read: Template::new(read_head, reading),
            exists: Template::new(head.clone().info1(Info1::READ | Info1::GET_NO_BINS), reading),
            write,
            write_if_unchanged,
            operate: Template::operating(operate_head, writing, &count),
            touch: Template::operating(write_head, reading, &touch),
            delete: Template::new(head.info2(Info2::WRITE | Info2::DELETE), reading),
            batch: BatchTemplate::reading(reading, workload.batch_size.max(1)),
            source,
        }
    }

    /// Draws what operation number `ticket` of the run is, and about which key. Only inserts depend
    /// on the number.
    pub fn draw(&mut self, ticket: u64) -> (OpKind, u64) {
        let kind = self.mix.pick(&mut self.random);
        let key = match kind {
            OpKind::Insert => self.space.key(ticket),
            _ => self.picker.pick(&mut self.random),
        };
        (kind, key)
    }

    /// Appends the operation's (first) request.
    pub fn append(&mut self, out: &mut Vec<u8>, kind: OpKind, key: u64) {
        let template = match kind {
            OpKind::Insert | OpKind::Update => &self.write,
            OpKind::Read | OpKind::Modify => &self.read,
            OpKind::Exists => &self.exists,
            OpKind::Operate => &self.operate,
            OpKind::Touch => &self.touch,
            OpKind::Delete => &self.delete,
            OpKind::BatchRead => return self.append_batch(out, key),
        };
        template.append(out, key, &self.space.digest(key), &mut self.source);
    }

    /// Appends the second request of [`OpKind::Modify`].
    pub fn append_if_unchanged(&mut self, out: &mut Vec<u8>, key: u64, generation: u32) {
        let start = out.len();
        let digest = self.space.digest(key);
        self.write_if_unchanged.append(out, key, &digest, &mut self.source);
        Template::set_generation(out, start, generation);
    }

    fn append_batch(&mut self, out: &mut Vec<u8>, first: u64) {
        let mut key = Some(first);
        self.batch.append(out, || -> Digest {
            let key = key.take().unwrap_or_else(|| self.picker.pick(&mut self.random));
            self.space.digest(key)
        });
    }
}

#[cfg(test)]
mod tests {
    use wire::{ProtoHeader, Request};

    use super::*;

    fn workload(mix: &str) -> Workload {
        Workload {
            namespace: "test".into(),
            keys: KeySpace::new("testset", 1, 100),
            distribution: Distribution::Uniform,
            bins: "B100".parse().unwrap(),
            fixed_content: false,
            mix: mix.parse().unwrap(),
            batch_size: 10,
            record_ttl: 0,
            send_key: false,
            transaction_ttl_ms: 0,
            seed: 1,
        }
    }

    #[test]
    fn mixes_are_read_and_printed() {
        for (text, printed) in [
            ("I", "insert"),
            ("RU", "read=50,update=50"),
            ("RU,90", "read=90,update=10"),
            ("RU,100", "read"),
            ("RU,0", "update"),
            ("RUD,80,15", "read=80,update=15,delete=5"),
            ("batch-read", "batch-read"),
            ("read=3, touch=1", "read=3,touch=1"),
        ] {
            assert_eq!(text.parse::<Mix>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn what_is_no_mix_is_refused() {
        for text in
            ["", "X", "RU,101", "RU,x", "I,5", "RUD,50", "read=0", "insert=1,read=1", "read=-1"]
        {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }

    #[test]
    fn kinds_come_as_often_as_weighted() {
        let mix: Mix = "read=70,update=20,delete=10".parse().unwrap();
        let mut random = fastrand::Rng::with_seed(1);
        let mut counts = [0_u32; OpKind::ALL.len()];
        for _ in 0..10_000 {
            counts[mix.pick(&mut random).index()] += 1;
        }
        for (kind, expected) in
            [(OpKind::Read, 7_000), (OpKind::Update, 2_000), (OpKind::Delete, 1_000)]
        {
            assert!(counts[kind.index()].abs_diff(expected) < 200, "{kind}: {counts:?}");
        }
    }

    #[test]
    fn table_of_kinds_is_in_order() {
        assert!(OpKind::ALL.iter().enumerate().all(|(index, kind)| kind.index() == index));
    }

    #[test]
    fn every_kind_makes_a_whole_request_with_the_right_flags() {
        let mut generator = Generator::new(&workload("read"), 0);
        for (kind, info1, info2, n_ops) in [
            (OpKind::Insert, 0, 0x01, 1),
            (OpKind::Read, 0x03, 0, 0),
            (OpKind::Exists, 0x21, 0, 0),
            (OpKind::Update, 0, 0x01, 1),
            (OpKind::Modify, 0x03, 0, 0),
            (OpKind::Operate, 0x01, 0x81, 2),
            (OpKind::Touch, 0, 0x01, 1),
            (OpKind::Delete, 0, 0x03, 0),
            (OpKind::BatchRead, 0x09, 0, 0),
        ] {
            let mut out = Vec::new();
            generator.append(&mut out, kind, 1);
            let request = Request::parse(&out[ProtoHeader::SIZE..]).unwrap();
            let header = request.header;
            assert_eq!(
                (header.info1.bits(), header.info2.bits(), header.n_ops),
                (info1, info2, n_ops),
                "{kind}"
            );
            assert_eq!(request.valid_digest().is_none(), kind == OpKind::BatchRead);
        }
        let mut out = Vec::new();
        generator.append_if_unchanged(&mut out, 1, 6);
        let request = Request::parse(&out[ProtoHeader::SIZE..]).unwrap();
        assert_eq!((request.header.info2.bits(), request.header.generation), (0x05, 6));
    }

    #[test]
    fn inserts_follow_their_tickets() {
        let mut generator = Generator::new(&workload("I"), 0);
        let keys: Vec<_> = (0..3).map(|ticket| generator.draw(ticket)).collect();
        assert_eq!(keys, [(OpKind::Insert, 1), (OpKind::Insert, 2), (OpKind::Insert, 3)]);
    }

    #[test]
    fn threads_draw_different_sequences_and_equal_seeds_equal_ones() {
        let draw = |thread| {
            let mut generator = Generator::new(&workload("read"), thread);
            (0..20).map(|ticket| generator.draw(ticket).1).collect::<Vec<_>>()
        };
        assert_eq!(draw(0), draw(0));
        assert_ne!(draw(0), draw(1));
    }
}
