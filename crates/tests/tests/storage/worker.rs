//! A client with records that nobody else writes, who knows of each what it has to be.
//!
//! A record's value tells which version it is. What the server acknowledged must be there; what was on its
//! way when the connection broke may be, wholly or not at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use tests::raw::{Connection, Draft, MESSAGE, Message, digest, field, op};

use crate::{
    BATCH, BLOB, DELETE, DEVICE_OVERLOAD, DURABLE_DELETE, FIELD_BATCH, FIELD_NAMESPACE, FIELD_SET,
    INTEGER, NOT_FOUND, OK, OP_TOUCH, OP_WRITE, OUT_OF_SPACE, WRITE,
};

/// Time that truncations keep from writes before and after: they know milliseconds, and the times of a
/// record that is written and deleted over and over run ahead by as many.
const TRUNCATION_MARGIN: Duration = Duration::from_millis(20);
/// Rows of a batch.
const ROWS_MAX: usize = 8;
/// Reads that are on their way together.
const READS: usize = 32;
/// Row of a batch that says what is to be done: flags, generation and TTL follow.
const ROW_IN_FULL: u8 = 0x0e;

/// How large values are.
#[derive(Clone, Copy, Debug)]
pub enum Sizes {
    /// Most of them up to 2,000 bytes, some 200 times that.
    Mixed,
    /// All about so many bytes.
    About(usize),
}

/// A version of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Version {
    sequence: u64,
    /// `None` if the write was never answered.
    generation: Option<u32>,
}

/// What a request makes of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Becomes {
    Written(u64),
    Touched,
    Gone,
}

/// What is on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Pending {
    Changes(Vec<(usize, Becomes)>),
    Truncation,
}

/// See the module.
pub struct Worker {
    number: usize,
    sizes: Sizes,
    random: Rng,
    records: Vec<Option<Version>>,
    pending: Option<Pending>,
    sequence: u64,
    /// Changes that were acknowledged.
    pub acknowledged: u64,
    /// Changes that were refused for lack of space.
    pub refused: u64,
}

impl Worker {
    /// A worker whose records are those that its number stands for.
    pub fn new(number: usize, records: usize, sizes: Sizes, seed: u64) -> Self {
        Self {
            number,
            sizes,
            random: Rng::with_seed(seed ^ (number as u64) << 32),
            records: vec![None; records],
            pending: None,
            sequence: 0,
            acknowledged: 0,
            refused: 0,
        }
    }

    /// Changes records until told to stop, or until the connection breaks.
    ///
    /// # Errors
    /// When a reply is not what it has to be.
    pub fn work(&mut self, port: u16, stop: &AtomicBool) -> Result<()> {
        let Ok(mut connection) = Connection::open(port) else { return Ok(()) };
        while !stop.load(Ordering::Relaxed) {
            if !self.change(&mut connection)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Does one thing; false if no reply came.
    fn change(&mut self, connection: &mut Connection) -> Result<bool> {
        let key = self.random.usize(..self.records.len());
        match self.random.u8(..100) {
            0..8 => self.remove(connection, key, 0),
            8..12 => self.remove(connection, key, DURABLE_DELETE),
            12..18 => self.touch(connection, key),
            18..28 => self.glance(connection, key),
            28..34 => self.write_batch(connection),
            34 if self.random.u8(..8) == 0 => self.truncate(connection),
            _ => self.write(connection, key),
        }
    }

    fn write(&mut self, connection: &mut Connection, key: usize) -> Result<bool> {
        self.sequence += 1;
        let draft = self.on(Draft::write(&self.label(key)), key);
        let draft =
            self.values(key, self.sequence).iter().fold(draft, |draft, op| draft.raw_op(op));
        self.pending = Some(Pending::Changes(vec![(key, Becomes::Written(self.sequence))]));
        let Some(reply) = answered(connection, &draft.frame()) else { return Ok(false) };
        self.settle(reply.result, Some(reply.generation))
    }

    fn touch(&mut self, connection: &mut Connection, key: usize) -> Result<bool> {
        let draft = self.on(Draft::write(&self.label(key)), key).op(OP_TOUCH, 0, b"", b"");
        self.pending = Some(Pending::Changes(vec![(key, Becomes::Touched)]));
        let Some(reply) = answered(connection, &draft.frame()) else { return Ok(false) };
        self.check_presence(key, reply.result)?;
        self.settle(reply.result, Some(reply.generation))
    }

    fn remove(&mut self, connection: &mut Connection, key: usize, flags: u8) -> Result<bool> {
        let mut draft = self.on(Draft::delete(&self.label(key)), key);
        draft.info[1] = WRITE | DELETE | flags;
        self.pending = Some(Pending::Changes(vec![(key, Becomes::Gone)]));
        let Some(reply) = answered(connection, &draft.frame()) else { return Ok(false) };
        self.check_presence(key, reply.result)?;
        self.settle(reply.result, None)
    }

    /// Demands that what was asked of a record was done if it is there, or was refused for lack of space.
    /// One that was truncated and is not removed yet can be deleted like one that has expired.
    fn check_presence(&self, key: usize, result: u8) -> Result<()> {
        let known = self.records[key];
        ensure!(
            (result == NOT_FOUND) == known.is_none()
                || result == OUT_OF_SPACE
                || result == OK && is_truncated(key),
            "{}: it is {known:?}, and a request is answered {result}",
            self.label(key)
        );
        Ok(())
    }

    /// Reads a record while others are written.
    fn glance(&mut self, connection: &mut Connection, key: usize) -> Result<bool> {
        let frame = Draft::read(&self.label(key)).frame();
        let Some(reply) = answered(connection, &frame) else { return Ok(false) };
        self.check(key, &reply)?;
        Ok(true)
    }

    fn write_batch(&mut self, connection: &mut Connection) -> Result<bool> {
        let mut rows = Vec::new();
        let mut changes = Vec::new();
        for _ in 0..self.random.usize(1..=ROWS_MAX) {
            let key = self.random.usize(..self.records.len());
            if changes.iter().any(|(other, _)| *other == key) {
                continue;
            }
            self.sequence += 1;
            rows.extend((changes.len() as u32).to_be_bytes());
            rows.extend(digest(&self.label(key)));
            rows.extend([ROW_IN_FULL, 0, WRITE, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2]);
            rows.extend(field(FIELD_NAMESPACE, b"test"));
            rows.extend(field(FIELD_SET, self.set(key).as_bytes()));
            self.values(key, self.sequence).iter().for_each(|op| rows.extend(op));
            changes.push((key, Becomes::Written(self.sequence)));
        }
        let head = [&(changes.len() as u32).to_be_bytes()[..], &[1]].concat();
        let draft = Draft::new(BATCH, 0, 0).field(FIELD_BATCH, &[head, rows].concat());
        self.pending = Some(Pending::Changes(changes.clone()));
        let Some(replies) = answered_batch(connection, &draft.frame()) else { return Ok(false) };
        ensure!(replies.len() == changes.len(), "{} rows: {replies:?}", changes.len());
        for reply in replies {
            let row = changes.get(reply.transaction_ttl as usize).context("no such row")?;
            self.pending = Some(Pending::Changes(vec![*row]));
            self.settle(reply.result, Some(reply.generation))?;
        }
        Ok(true)
    }

    fn truncate(&mut self, connection: &mut Connection) -> Result<bool> {
        thread::sleep(TRUNCATION_MARGIN);
        self.pending = Some(Pending::Truncation);
        let command = format!("truncate:namespace=test;set={}\n", self.truncated_set());
        let Ok(answer) = connection.info(&command) else { return Ok(false) };
        ensure!(answer.ends_with("\tok\n"), "{answer}");
        self.pending = None;
        self.acknowledged += 1;
        (0..self.records.len()).filter(|key| is_truncated(*key)).for_each(|key| {
            self.records[key] = None;
        });
        thread::sleep(TRUNCATION_MARGIN);
        Ok(true)
    }

    /// Notes what the server said of what was on its way.
    fn settle(&mut self, result: u8, generation: Option<u32>) -> Result<bool> {
        let Some(Pending::Changes(changes)) = self.pending.take() else {
            bail!("nothing was asked")
        };
        match result {
            OK => {}
            NOT_FOUND => return Ok(true),
            OUT_OF_SPACE | DEVICE_OVERLOAD => {
                self.refused += 1;
                return Ok(true);
            }
            other => bail!("{changes:?} of worker {} is answered {other}", self.number),
        }
        self.acknowledged += 1;
        for (key, becomes) in changes {
            self.records[key] =
                after(self.records[key], becomes).map(|version| Version { generation, ..version });
        }
        Ok(true)
    }

    /// Reads all records and compares them with what they have to be. From then on, they have to be what
    /// they are now. Returns how many there are.
    ///
    /// # Errors
    /// When one is anything else.
    pub fn verify(&mut self, port: u16) -> Result<u64> {
        let mut connection = Connection::open(port)?;
        let keys: Vec<usize> = (0..self.records.len()).collect();
        let mut found = Vec::new();
        for keys in keys.chunks(READS) {
            let frames = keys.iter().map(|key| Draft::read(&self.label(*key)).frame());
            connection.send(&frames.collect::<Vec<_>>().concat())?;
            for key in keys {
                found.push(self.version(*key, &connection.message()?)?);
            }
        }
        let pending = self.pending.take();
        for (key, found) in found.iter().enumerate() {
            let known = self.records[key];
            let alternative = match &pending {
                Some(Pending::Truncation) if is_truncated(key) => Some(None),
                Some(Pending::Changes(changes)) => {
                    let mine = changes.iter().find(|(other, _)| *other == key);
                    mine.map(|(_, becomes)| after(known, *becomes))
                }
                _ => None,
            };
            ensure!(
                is_same(known, *found) || alternative.is_some_and(|other| is_same(other, *found)),
                "{}: found {found:?}, but it was {known:?}, and on its way was {alternative:?}",
                self.label(key)
            );
        }
        if pending == Some(Pending::Truncation) {
            let of_set = || (0..found.len()).filter(|key| is_truncated(*key));
            ensure!(
                of_set().all(|key| found[key].is_none())
                    || of_set().all(|key| found[key].is_some() == self.records[key].is_some()),
                "set {} is truncated in part",
                self.truncated_set()
            );
        }
        self.records = found;
        Ok(self.records.iter().flatten().count() as u64)
    }

    /// Demands that a record is what it has to be.
    fn check(&self, key: usize, reply: &Message) -> Result<()> {
        let (found, known) = (self.version(key, reply)?, self.records[key]);
        ensure!(is_same(known, found), "{}: {found:?} is read, it is {known:?}", self.label(key));
        Ok(())
    }

    /// Which version a reply shows.
    fn version(&self, key: usize, reply: &Message) -> Result<Option<Version>> {
        let label = self.label(key);
        if reply.result == NOT_FOUND {
            return Ok(None);
        }
        ensure!(reply.result == OK, "{label}: a read is answered {}", reply.result);
        let bin = |name: &[u8]| reply.ops.iter().find(|op| op.name == name);
        let (Some(n), Some(v)) = (bin(b"n"), bin(b"v")) else { bail!("{label}: {reply:?}") };
        let sequence = u64::from_be_bytes(n.value.as_slice().try_into()?);
        ensure!(
            v.value == self.value(key, sequence),
            "{label}: {} bytes that are not those of version {sequence}",
            v.value.len()
        );
        Ok(Some(Version { sequence, generation: Some(reply.generation) }))
    }

    fn label(&self, key: usize) -> String {
        format!("record {key} of {}", self.number)
    }

    /// The set of a record.
    fn set(&self, key: usize) -> String {
        if is_truncated(key) { self.truncated_set() } else { format!("kept{}", key % 3) }
    }

    /// The set that is truncated now and then.
    fn truncated_set(&self) -> String {
        format!("truncated{}", self.number)
    }

    fn on(&self, draft: Draft, key: usize) -> Draft {
        draft.field(FIELD_SET, self.set(key).as_bytes())
    }

    /// The operations that write a version of a record.
    fn values(&self, key: usize, sequence: u64) -> [Vec<u8>; 2] {
        [
            op(OP_WRITE, INTEGER, 0, b"n", &sequence.to_be_bytes()),
            op(OP_WRITE, BLOB, 0, b"v", &self.value(key, sequence)),
        ]
    }

    /// What a version of a record holds: nothing that another one holds, and compressible.
    fn value(&self, key: usize, sequence: u64) -> Vec<u8> {
        let mut random = Rng::with_seed(sequence << 24 ^ (key as u64) << 8 ^ self.number as u64);
        let size = match self.sizes {
            Sizes::Mixed if random.u8(..40) == 0 => random.usize(..400_000),
            Sizes::Mixed => random.usize(..2000),
            Sizes::About(bytes) => random.usize(bytes / 2..bytes * 3 / 2),
        };
        let pattern: [u8; 16] = std::array::from_fn(|_| random.u8(..));
        let mut value = pattern.repeat(size.div_ceil(pattern.len()));
        value.truncate(size);
        value
    }
}

/// Whether a record is in the set that is truncated now and then.
fn is_truncated(key: usize) -> bool {
    key.is_multiple_of(5)
}

/// What a change makes of a record.
fn after(before: Option<Version>, becomes: Becomes) -> Option<Version> {
    match becomes {
        Becomes::Written(sequence) => Some(Version { sequence, generation: None }),
        Becomes::Touched => before.map(|version| Version { generation: None, ..version }),
        Becomes::Gone => None,
    }
}

/// Whether a record is what it has to be. The generation is known only of what was acknowledged.
fn is_same(known: Option<Version>, found: Option<Version>) -> bool {
    match (known, found) {
        (Some(known), Some(found)) => {
            known.sequence == found.sequence
                && (known.generation.is_none() || known.generation == found.generation)
        }
        (None, None) => true,
        _ => false,
    }
}

/// The reply to a request; `None` if the connection broke first.
fn answered(connection: &mut Connection, frame: &[u8]) -> Option<Message> {
    connection.ask(frame).ok()
}

/// The rows of the reply to a batch; `None` if the connection broke first, or the server stops.
fn answered_batch(connection: &mut Connection, frame: &[u8]) -> Option<Vec<Message>> {
    connection.send(frame).ok()?;
    let mut rows = Vec::new();
    loop {
        let body = connection.body(MESSAGE).ok()?;
        for message in tests::golden::decode_body(&body).ok()? {
            if message.is_last() {
                return (message.result == OK).then_some(rows);
            }
            rows.push(message);
        }
    }
}
