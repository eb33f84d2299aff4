//! The model: records in a map, rules written out one by one.

use std::collections::BTreeMap;

use config::SetOverride;
use wire::ResultCode;

use super::super::fixture::Answer;
use super::requests::{Change, DeleteSpec, Existence, Expected, ReadSpec, WriteSpec};

const TTL_SECONDS_MAX: u32 = 315_360_000;

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    Text(Vec<u8>),
    Integer(i64),
}

impl Value {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_be_bytes().to_vec(),
        }
    }

    /// Size by the original's arithmetic.
    fn size_bytes(&self) -> usize {
        match self {
            Self::Text(text) => 5 + text.len(),
            Self::Integer(0..=0xFF) => 3,
            Self::Integer(0..=0xFFFF) => 4,
            Self::Integer(0..=0xFFFF_FFFF) => 6,
            Self::Integer(_) => 10,
        }
    }
}

type Bins = Vec<(&'static str, Value)>;

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Record {
    pub bins: Bins,
    pub generation: u16,
    pub void_time: u32,
    pub last_update_ms: u64,
    pub set: Option<&'static str>,
    pub key: Option<&'static str>,
    pub tombstone: bool,
}

impl Record {
    /// Size by the original's arithmetic.
    pub fn size_bytes(&self) -> usize {
        let bins: usize =
            self.bins.iter().map(|(name, value)| 1 + name.len() + value.size_bytes()).sum();
        let size = 39
            + self.set.map_or(0, |set| 1 + set.len())
            + self.key.map_or(0, |key| 2 + key.len())
            + if self.void_time == 0 { 0 } else { 4 }
            + usize::from(!self.bins.is_empty())
            + bins;
        size.next_multiple_of(16)
    }
}

/// The namespace.
#[derive(Debug, Default)]
pub(super) struct Plain {
    pub records: BTreeMap<u32, Record>,
    pub now_ms: u64,
    /// By set; `None` is the whole namespace.
    pub truncated_before_ms: BTreeMap<Option<&'static str>, u64>,
    pub default_ttl_seconds: u32,
    pub default_ttl_of_s: SetOverride,
    pub limit_of_t: u64,
}

impl Plain {
    fn now_seconds(&self) -> u32 {
        (self.now_ms / 1000) as u32
    }

    fn truncated_before(&self, set: Option<&'static str>) -> u64 {
        let time = |scope| self.truncated_before_ms.get(&scope).copied().unwrap_or(0);
        time(None).max(time(set))
    }

    fn is_truncated(&self, record: &Record) -> bool {
        record.last_update_ms < self.truncated_before(record.set)
    }

    fn is_expired(&self, record: &Record) -> bool {
        record.void_time != 0 && record.void_time < self.now_seconds()
    }

    fn is_dead(&self, record: &Record) -> bool {
        self.is_expired(record) || self.is_truncated(record)
    }

    /// Objects, tombstones and bytes of a set.
    pub fn sums_of(&self, set: &str) -> [u64; 3] {
        let in_set = || self.records.values().filter(|record| record.set == Some(set));
        let tombstones = in_set().filter(|record| record.tombstone).count() as u64;
        let bytes: usize = in_set().map(Record::size_bytes).sum();
        [in_set().count() as u64 - tombstones, tombstones, bytes as u64]
    }

    pub fn remove_truncated(&mut self) {
        let truncated: Vec<u32> = self.keys_of(|plain, record| plain.is_truncated(record));
        truncated.iter().for_each(|key| _ = self.records.remove(key));
    }

    pub fn remove_expired(&mut self) {
        let expired = self.keys_of(|plain, record| !record.tombstone && plain.is_expired(record));
        expired.iter().for_each(|key| _ = self.records.remove(key));
    }

    pub fn remove_tombstones(&mut self, limit_ms: u64) {
        self.records.retain(|_, record| !record.tombstone || record.last_update_ms >= limit_ms);
    }

    fn keys_of(&self, which: impl Fn(&Self, &Record) -> bool) -> Vec<u32> {
        let records = self.records.iter().filter(|(_, record)| which(self, record));
        records.map(|(key, _)| *key).collect()
    }

    pub fn read(&mut self, key: u32, spec: &ReadSpec) -> Answer {
        let Some(record) = self.records.get(&key) else { return failed(ResultCode::NOT_FOUND) };
        // A refusal tells of a dead record as of a live one; a tombstone is told of never.
        let seen = Some(record).filter(|record| !record.tombstone);
        if spec.set.is_some() && spec.set != record.set {
            return answer(ResultCode::PARAMETER, seen);
        }
        if self.is_dead(record) || record.tombstone {
            return answer(ResultCode::NOT_FOUND, seen);
        }
        if record.void_time != 0 && spec.touch_pct > 100 && spec.touch_pct != u32::MAX {
            return answer(ResultCode::PARAMETER, seen);
        }
        if spec.key.is_some() && record.key.is_some() && spec.key != record.key {
            return answer(ResultCode::KEY_MISMATCH, seen);
        }
        let wanted = |name: &str| record.bins.iter().find(|(known, _)| *known == name);
        let bins: Bins = match &spec.bins {
            None => record.bins.clone(),
            Some(names) => names.iter().filter_map(|name| wanted(name).cloned()).collect(),
        };
        let reply = Answer { bins: wire_bins(&bins), ..answer(ResultCode::OK, seen) };
        self.renew(key, spec.touch_pct);
        reply
    }

    fn renew(&mut self, key: u32, touch_pct: u32) {
        let (now_ms, now) = (self.now_ms, self.now_seconds());
        let Some(record) = self.records.get_mut(&key) else { return };
        let percent = match touch_pct {
            0 => 40,
            u32::MAX => return,
            percent => percent,
        };
        let life = record.void_time.saturating_sub((record.last_update_ms / 1000) as u32);
        if record.void_time != 0 && now >= record.void_time - life * percent / 100 {
            record.void_time = now + life;
            record.last_update_ms = record.last_update_ms.max(now_ms);
        }
    }

    pub fn delete(&mut self, key: u32, spec: &DeleteSpec) -> ResultCode {
        let Some(record) = self.records.get(&key) else { return ResultCode::NOT_FOUND };
        if spec.set.is_some() && spec.set != record.set {
            return ResultCode::PARAMETER;
        }
        if record.tombstone || (spec.durable && self.is_dead(record)) {
            return ResultCode::NOT_FOUND;
        }
        if !fits(spec.generation, record.generation) {
            return ResultCode::GENERATION;
        }
        if spec.key.is_some() && record.key.is_some() && spec.key != record.key {
            return ResultCode::KEY_MISMATCH;
        }
        match spec.durable {
            true => self.entomb(key),
            false => _ = self.records.remove(&key),
        }
        ResultCode::OK
    }

    fn entomb(&mut self, key: u32) {
        let now_ms = self.now_ms;
        let Some(record) = self.records.get_mut(&key) else { return };
        record.bins.clear();
        record.generation += 1;
        record.void_time = 0;
        record.last_update_ms = record.last_update_ms.max(now_ms);
        record.tombstone = true;
    }

    pub fn write(&mut self, key: u32, spec: &WriteSpec) -> Answer {
        if !are_compatible(spec) {
            return failed(ResultCode::PARAMETER);
        }
        let found = self.records.get(&key).cloned();
        let existing = found.clone().filter(|record| !self.is_dead(record));
        let live = existing.clone().filter(|record| !record.tombstone);
        match self.written(spec, found.as_ref(), existing.as_ref(), live.as_ref()) {
            Err(result) => answer(result, found.as_ref().filter(|record| !record.tombstone)),
            Ok((record, results)) if record.bins.is_empty() => {
                match (spec.durable, &record) {
                    (true, record) => {
                        let tombstone = Record { void_time: 0, tombstone: true, ..record.clone() };
                        self.records.insert(key, tombstone);
                    }
                    (false, _) => _ = self.records.remove(&key),
                }
                Answer { bins: wire_bins(&results), ..failed(ResultCode::OK) }
            }
            Ok((record, results)) => {
                let reply = answer(ResultCode::OK, Some(&record));
                self.records.insert(key, record);
                Answer { bins: wire_bins(&results), ..reply }
            }
        }
    }

    /// The record after a write, and what its operations returned.
    fn written(
        &self,
        spec: &WriteSpec,
        found: Option<&Record>,
        existing: Option<&Record>,
        live: Option<&Record>,
    ) -> Result<(Record, Bins), ResultCode> {
        let touches = spec.changes.iter().any(|change| matches!(change, Change::Touch));
        let must_exist =
            touches || matches!(spec.existence, Existence::UpdateOnly | Existence::ReplaceOnly);
        if must_exist && live.is_none() {
            return Err(ResultCode::NOT_FOUND);
        }
        if spec.existence == Existence::CreateOnly && live.is_some() {
            return Err(ResultCode::RECORD_EXISTS);
        }
        if !fits(spec.generation, live.map_or(0, |record| record.generation)) {
            return Err(ResultCode::GENERATION);
        }
        match existing {
            Some(record) if record.set != spec.set => return Err(ResultCode::PARAMETER),
            None => self.admit(spec.set)?,
            Some(_) => {}
        }
        let known_key = existing.and_then(|record| record.key);
        if known_key.is_some() && spec.key.is_some() && known_key != spec.key {
            return Err(ResultCode::KEY_MISMATCH);
        }
        let void_time = self.void_time(spec, live)?;
        let replaces = matches!(spec.existence, Existence::Replace | Existence::ReplaceOnly);
        let old = live.filter(|_| !replaces);
        let mut bins = old.map_or_else(Bins::new, |record| record.bins.clone());
        let results = change_all(&mut bins, &spec.changes)?;
        if bins.is_empty() && old.is_none() {
            return Err(ResultCode::NOT_FOUND);
        }
        let record = Record {
            bins,
            generation: existing.map_or(0, |record| record.generation) + 1,
            void_time,
            last_update_ms: found.map_or(0, |record| record.last_update_ms).max(self.now_ms),
            set: spec.set,
            key: known_key.or(spec.key),
            tombstone: false,
        };
        Ok((record, results))
    }

    /// Whether a set takes a new record.
    fn admit(&self, set: Option<&'static str>) -> Result<(), ResultCode> {
        let is_full =
            set == Some("t") && self.limit_of_t != 0 && self.sums_of("t")[0] >= self.limit_of_t;
        if is_full || self.now_ms < self.truncated_before(set) {
            return Err(ResultCode::FORBIDDEN);
        }
        Ok(())
    }

    fn void_time(&self, spec: &WriteSpec, live: Option<&Record>) -> Result<u32, ResultCode> {
        let default = match (spec.set, self.default_ttl_of_s) {
            (Some("s"), SetOverride::Never) => 0,
            (Some("s"), SetOverride::Value(seconds)) => seconds,
            _ => self.default_ttl_seconds,
        };
        let seconds = match (spec.ttl, live) {
            (0xFFFF_FFFF, _) => 0,
            (0xFFFF_FFFE, Some(record)) => return Ok(record.void_time),
            (0xFFFF_FFFE | 0, _) => default,
            (ttl, _) if ttl > TTL_SECONDS_MAX => return Err(ResultCode::PARAMETER),
            (ttl, _) => ttl,
        };
        Ok(if seconds == 0 { 0 } else { self.now_seconds() + seconds })
    }
}

fn fits(expected: Expected, generation: u16) -> bool {
    match expected {
        Expected::Any => true,
        Expected::Equal(expected) => expected == u32::from(generation),
        Expected::Below(expected) => expected > u32::from(generation),
    }
}

/// Whether the parts of a write fit together.
fn are_compatible(spec: &WriteSpec) -> bool {
    let count = |which: fn(&Change) -> bool| spec.changes.iter().filter(|c| which(c)).count();
    let reads = count(|change| matches!(change, Change::Read(_)));
    let reads_all = count(|change| matches!(change, Change::ReadAll));
    let replaces = matches!(spec.existence, Existence::Replace | Existence::ReplaceOnly);
    let puts = count(|change| matches!(change, Change::Put(..)));
    let others = spec.changes.len() - reads - reads_all - puts;
    reads_all <= 1 && (reads_all == 0 || reads == 0) && !(replaces && others > 0)
}

/// Carries out the operations of a write; returns what they read.
fn change_all(bins: &mut Bins, changes: &[Change]) -> Result<Bins, ResultCode> {
    let mut results = Bins::new();
    for change in changes {
        match change {
            Change::Put(name, text) => set(bins, name, Value::Text(text.clone().into())),
            Change::Drop(name) => {
                if let Some(at) = place(bins, name) {
                    bins.swap_remove(at);
                }
            }
            Change::Add(name, amount) => {
                let sum = match place(bins, name).map(|at| &bins[at].1) {
                    None => *amount,
                    Some(Value::Integer(number)) => number.wrapping_add(*amount),
                    Some(Value::Text(_)) => return Err(ResultCode::INCOMPATIBLE_TYPE),
                };
                set(bins, name, Value::Integer(sum));
            }
            Change::Append(name, text) | Change::Prepend(name, text) => {
                let old = match place(bins, name).map(|at| &bins[at].1) {
                    None => &[][..],
                    Some(Value::Text(old)) => old,
                    Some(Value::Integer(_)) => return Err(ResultCode::INCOMPATIBLE_TYPE),
                };
                let joined = match change {
                    Change::Append(..) => [old, text.as_bytes()].concat(),
                    _ => [text.as_bytes(), old].concat(),
                };
                set(bins, name, Value::Text(joined));
            }
            Change::Read(name) => {
                results.extend(place(bins, name).map(|at| bins[at].clone()));
            }
            Change::ReadAll => results.extend(bins.iter().cloned()),
            Change::DeleteAll => bins.clear(),
            Change::Touch => {}
        }
    }
    Ok(results)
}

fn place(bins: &Bins, name: &str) -> Option<usize> {
    bins.iter().position(|(known, _)| *known == name)
}

fn set(bins: &mut Bins, name: &'static str, value: Value) {
    match place(bins, name) {
        Some(at) => bins[at].1 = value,
        None => bins.push((name, value)),
    }
}

fn wire_bins(bins: &Bins) -> Vec<(String, Vec<u8>)> {
    bins.iter().map(|(name, value)| ((*name).to_owned(), value.bytes())).collect()
}

/// A reply that tells nothing of a record.
fn failed(result: ResultCode) -> Answer {
    Answer { result, generation: 0, void_time: 0, bins: Vec::new() }
}

/// A reply that tells generation and void-time of a record.
fn answer(result: ResultCode, record: Option<&Record>) -> Answer {
    match record {
        Some(record) => Answer {
            generation: record.generation.into(),
            void_time: record.void_time,
            ..failed(result)
        },
        None => failed(result),
    }
}
