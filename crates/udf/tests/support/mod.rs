//! A record in memory, and a host with a clock of its own.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use udf::{Host, Level, RecordAccess, RecordInfo, Write};
use wire::ParticleType;

/// A bin: its name, the type of its value, the stored bytes.
pub type Bin = (Vec<u8>, ParticleType, Vec<u8>);

#[derive(Clone, Debug, Default)]
pub struct Record {
    pub exists: bool,
    pub info: RecordInfo,
    pub digest: [u8; 20],
    pub set: Option<Vec<u8>>,
    pub key: Option<(ParticleType, Vec<u8>)>,
    pub bins: Vec<Bin>,
}

impl Record {
    pub fn write_bin(&mut self, name: &[u8], value: Option<(ParticleType, Vec<u8>)>) {
        let at = self.bins.iter().position(|bin| bin.0 == name);
        match (at, value) {
            (Some(at), Some((kind, bytes))) => self.bins[at] = (name.to_vec(), kind, bytes),
            (None, Some((kind, bytes))) => self.bins.push((name.to_vec(), kind, bytes)),
            (Some(at), None) => drop(self.bins.swap_remove(at)),
            (None, None) => {}
        }
        self.exists = !self.bins.is_empty();
    }

    /// Carries out what a function did.
    pub fn carry_out(&mut self, write: Write) {
        if write.removes_all {
            self.bins.clear();
        }
        for bin in write.bins {
            self.write_bin(&bin.name, bin.value.map(|value| (value.kind, value.bytes)));
        }
        self.exists = !self.bins.is_empty();
        if write.drops_key || !self.exists {
            self.key = None;
        }
        self.info.generation = if self.exists { self.info.generation + 1 } else { 0 };
    }
}

impl RecordAccess for Record {
    fn exists(&self) -> bool {
        self.exists
    }

    fn info(&self) -> RecordInfo {
        self.info.clone()
    }

    fn digest(&self) -> [u8; 20] {
        self.digest
    }

    fn set_name(&self) -> Option<&[u8]> {
        self.set.as_deref()
    }

    fn key(&self) -> Option<(ParticleType, &[u8])> {
        self.key.as_ref().map(|(kind, bytes)| (*kind, &**bytes))
    }

    fn bin(&self, name: &[u8]) -> Option<(ParticleType, &[u8])> {
        self.bins.iter().find(|bin| bin.0 == name).map(|bin| (bin.1, &*bin.2))
    }

    fn bin_names(&self) -> Vec<&[u8]> {
        self.bins.iter().map(|bin| &*bin.0).collect()
    }
}

/// Gives each call a time limit, and keeps its log lines.
pub struct Watch {
    deadline: Instant,
    pub lines: Mutex<Vec<(Level, String, usize, String)>>,
}

impl Watch {
    pub fn new(limit: Duration) -> Arc<Self> {
        Arc::new(Self { deadline: Instant::now() + limit, lines: Mutex::new(Vec::new()) })
    }
}

impl Host for Watch {
    fn log(&self, level: Level, file: &str, line: usize, text: &[u8]) {
        let text = String::from_utf8_lossy(text).into_owned();
        let mut lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lines.push((level, file.to_owned(), line, text));
    }

    fn now_us(&self) -> u64 {
        let since_epoch = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        u64::try_from(since_epoch.as_micros()).unwrap_or_default()
    }

    fn is_overdue(&self) -> bool {
        Instant::now() >= self.deadline
    }
}
