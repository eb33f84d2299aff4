//! Queries, as real clients carry them out: each node is asked for the partitions that it serves by the map.
//!
//! What a node does not answer, or says that it does not have, is asked again by a newer map, from the last
//! record on that came of the partition. Some queries take a page at a time, so that all partitions are resumed.

use std::collections::BTreeMap;
use std::time::Duration;

use wire::client::{Reply, RequestBuilder};
use wire::{Digest, FieldType, Info1, Info3, ParticleType, PartitionId, ResultCode};

use super::request::{NUMBER, messages, seen_in};
use super::{BRIEF_SET, CallId, KeyNumber, Keys, MORTAL_SET, Outcome, SET, Seen, TALLIED_SET};
use crate::machine::NAMESPACE;

/// A query that asks so often has asked enough.
const ROUNDS_MAX: u32 = 40;
/// One that takes so long has taken long enough.
const TIME_MAX: Duration = Duration::from_secs(8);

/// What a query asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The set.
    pub set: &'static str,
    /// Numbers between these, both included, by the secondary index; `None`: all records.
    pub range: Option<(i64, i64)>,
}

impl Wanted {
    /// What a client may think of; `numbers` is about how large numbers are.
    pub fn random(numbers: i64, random: &mut fastrand::Rng) -> Self {
        let set = match random.u32(..7) {
            0 => BRIEF_SET,
            1 => MORTAL_SET,
            2 => TALLIED_SET,
            _ => SET,
        };
        let mut number = || random.i64(0..=numbers);
        let range = (number(), number());
        let range = random.bool().then_some((range.0.min(range.1), range.0.max(range.1)));
        Self { set, range }
    }

    /// Whether a record may be returned.
    pub fn has(&self, seen: &Seen) -> bool {
        self.range.is_none_or(|(low, high)| {
            seen.number.is_some_and(|number| (low..=high).contains(&number))
        })
    }
}

/// Where to go on in a partition: behind this record and, with a range, this number.
type Resume = Option<(Digest, i64)>;

/// See the module.
#[derive(Debug)]
pub struct Query {
    /// Whose it is; `None`: an audit.
    pub client: Option<usize>,
    /// What it asks for.
    pub wanted: Wanted,
    /// Records that a node may return at a time; 0: any number.
    page: u64,
    /// When it began.
    pub begun: Duration,
    /// When it ended.
    pub ended: Duration,
    /// What is not answered yet.
    left: BTreeMap<u16, Resume>,
    /// What is asked at the moment.
    asked: BTreeMap<CallId, Vec<u16>>,
    rounds: u32,
    /// What came.
    pub rows: Vec<(KeyNumber, Seen)>,
    /// What came and was never asked for.
    pub strange: Vec<Digest>,
    /// How it ended: done or in doubt, if it has.
    pub outcome: Outcome,
}

impl Query {
    /// One that begins now.
    pub fn new(client: Option<usize>, wanted: Wanted, page: u64, now: Duration) -> Self {
        Self {
            client,
            wanted,
            page,
            begun: now,
            ended: Duration::MAX,
            left: PartitionId::all().map(|of| (of.index() as u16, None)).collect(),
            asked: BTreeMap::new(),
            rounds: 0,
            rows: Vec::new(),
            strange: Vec::new(),
            outcome: Outcome::Open,
        }
    }

    /// One that a client may think of; `numbers` is about how large numbers are.
    pub fn random(client: usize, numbers: i64, now: Duration, random: &mut fastrand::Rng) -> Self {
        let wanted = Wanted::random(numbers, random);
        let page = if random.bool() { 0 } else { random.u64(2..20) };
        Self::new(Some(client), wanted, page, now)
    }

    /// The partitions that are to be asked for next, by whom `find` says has them; nothing if it has asked
    /// long enough.
    pub fn next_round(
        &mut self,
        now: Duration,
        find: impl Fn(PartitionId) -> Option<usize>,
    ) -> BTreeMap<usize, Vec<u16>> {
        self.rounds += 1;
        let mut by_machine: BTreeMap<usize, Vec<u16>> = BTreeMap::new();
        if self.rounds > ROUNDS_MAX || now > self.begun + TIME_MAX {
            self.outcome = Outcome::Doubt;
            return by_machine;
        }
        for number in self.left.keys() {
            if let Some(machine) = PartitionId::new(*number).and_then(&find) {
                by_machine.entry(machine).or_default().push(*number);
            }
        }
        by_machine
    }

    /// The body of a request for these partitions.
    pub fn body(&self, parts: &[u16]) -> Vec<u8> {
        let (mut ids, mut digests, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for number in parts {
            match self.left.get(number).copied().flatten() {
                None => ids.extend_from_slice(&number.to_le_bytes()),
                Some((digest, value)) => {
                    digests.extend_from_slice(&digest.0);
                    values.extend_from_slice(&value.to_le_bytes());
                }
            }
        }
        let begin = RequestBuilder::new().namespace(NAMESPACE).set(self.wanted.set);
        let mut builder = begin.info1(Info1::READ | Info1::GET_ALL).info3(Info3::PARTITION_DONE);
        if !ids.is_empty() {
            builder = builder.field(FieldType::PARTITION_IDS, &ids);
        }
        if !digests.is_empty() {
            builder = builder.field(FieldType::DIGESTS, &digests);
        }
        if self.page > 0 {
            builder = builder.field(FieldType::RECORDS_MAX, &self.page.to_be_bytes());
        }
        if let Some(range) = self.wanted.range {
            builder = builder.field(FieldType::INDEX_RANGE, &range_field(range));
            if !digests.is_empty() {
                builder = builder.field(FieldType::INDEX_VALUES, &values);
            }
        }
        builder.into_body()
    }

    /// A call is under way.
    pub fn asks(&mut self, call: CallId, parts: Vec<u16>) {
        self.asked.insert(call, parts);
    }

    /// A call is answered, or lost (`None`). Says whether that was the last one of its round.
    pub fn answered(&mut self, call: CallId, frames: Option<&[u8]>, keys: &Keys) -> bool {
        let Some(parts) = self.asked.remove(&call) else { return false };
        if let Some(frames) = frames {
            self.take(&parts, frames, keys);
        }
        self.asked.is_empty()
    }

    /// Whether everything is answered.
    pub fn is_complete(&self) -> bool {
        self.left.is_empty()
    }

    fn take(&mut self, parts: &[u16], frames: &[u8], keys: &Keys) {
        let (mut absent, mut result, mut rows) = (Vec::new(), None, 0);
        messages(frames, |reply| {
            let info3 = reply.header.info3;
            if info3.contains(Info3::LAST) {
                result = Some(reply.header.result);
            } else if info3.contains(Info3::PARTITION_DONE) {
                absent.push(reply.header.generation as u16);
            } else if reply.header.result == ResultCode::OK {
                rows += 1;
                self.take_row(reply, keys);
            }
        });
        // What did not come to its end is asked again, and what may have more as well.
        let is_through = self.page == 0 || rows < self.page;
        if result == Some(ResultCode::OK) && is_through {
            let done = parts.iter().filter(|number| !absent.contains(number));
            done.for_each(|number| _ = self.left.remove(number));
        }
    }

    fn take_row(&mut self, reply: &Reply<'_>, keys: &Keys) {
        let digest = reply.field(FieldType::DIGEST).and_then(|digest| digest.try_into().ok());
        let Some(digest) = digest.map(Digest) else { return };
        let value = reply.field(FieldType::INDEX_VALUES).and_then(|of| of.try_into().ok());
        let resume = Some((digest, value.map_or(0, i64::from_le_bytes)));
        self.left.insert(digest.partition().index() as u16, resume);
        match keys.with(&digest.0) {
            Some(key) => self.rows.push((key, seen_in(reply))),
            None => self.strange.push(digest),
        }
    }
}

/// The where clause for numbers between these.
pub fn range_field((low, high): (i64, i64)) -> Vec<u8> {
    let mut field = vec![1, NUMBER.len() as u8];
    field.extend_from_slice(NUMBER);
    field.push(ParticleType::INTEGER.0);
    for value in [low, high] {
        field.extend_from_slice(&8u32.to_be_bytes());
        field.extend_from_slice(&value.to_be_bytes());
    }
    field
}
