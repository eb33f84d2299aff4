//! The record that a function works on: a cache of bins over what the host supplies.
//!
//! A function changes bins in the cache; `aerospike:create` and `aerospike:update` turn the changes
//! so far into writes, which the host carries out when the function has returned without an error
//! (`reference`: udf-lua.md, sections 3 and 4).

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use wire::{ParticleType, ResultCode};

use crate::convert::{self, Particle};
use crate::value::{Budget, Trouble, Value};

/// Longest name of a bin, in bytes. Longer ones are never found, and ignored when set.
const BIN_NAME_BYTES_MAX: usize = 15;
/// Bins that a function may read or set.
const CACHED_BINS_MAX: usize = 1024;
/// Bins that a record may have after a function changed it.
const BINS_MAX: usize = 512;

/// What a record's getters say, beside its bins.
#[derive(Clone, Debug, Default)]
pub struct RecordInfo {
    /// Seconds to live; 0 when it never expires.
    pub ttl_seconds: u32,
    /// Generation.
    pub generation: u16,
    /// Last update, in milliseconds since 2010-01-01.
    pub last_update_time_ms: u64,
    /// Stored size in bytes.
    pub size_bytes: u64,
    /// Size in bytes if its namespace keeps records in memory, else 0.
    pub memory_size_bytes: u64,
    /// Size in bytes if its namespace keeps records on devices, else 0.
    pub device_size_bytes: u64,
}

/// What a function asks for at a call of `aerospike:create`, `update` or `remove`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// To create the record with these bins.
    Create(&'a [BinWrite]),
    /// To change these bins.
    Update(&'a [BinWrite]),
    /// To remove the record.
    Remove,
}

/// A record as it was loaded. The function sees it through this, and nothing that the function
/// does changes it.
///
/// Everything may be asked for a record that does not exist; digest and set are those it would have.
pub trait RecordAccess: Send {
    /// Whether there is a live record.
    fn exists(&self) -> bool;
    /// Its metadata.
    fn info(&self) -> RecordInfo;
    /// Its digest.
    fn digest(&self) -> [u8; 20];
    /// The name of its set, if it is in one.
    fn set_name(&self) -> Option<&[u8]>;
    /// The stored key, if there is one.
    fn key(&self) -> Option<(ParticleType, &[u8])>;
    /// A bin's stored value.
    fn bin(&self, name: &[u8]) -> Option<(ParticleType, &[u8])>;
    /// The names of its bins, in their order.
    fn bin_names(&self) -> Vec<&[u8]>;
    /// Asked at each call that will change the record; a host may refuse then and there.
    ///
    /// # Errors
    /// The code that the whole request will get, even if the function goes on and returns.
    fn admit(&mut self, request: Request<'_>) -> Result<(), ResultCode> {
        let _ = request;
        Ok(())
    }
}

/// A bin's new value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinWrite {
    /// The bin's name.
    pub name: Vec<u8>,
    /// Its stored value; `None` deletes it.
    pub value: Option<Particle>,
}

/// What a function did to the record, to be carried out as one write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Write {
    /// Whether all bins that were there go first. With no bins after it: the record is deleted.
    pub removes_all: bool,
    /// The bins to write, in order, each at most once. None: the record is touched.
    pub bins: Vec<BinWrite>,
    /// The time to live that was asked for, in the convention of the wire: 0 the default,
    /// 0xffff_ffff never, 0xffff_fffe as it is.
    pub ttl_seconds: Option<u32>,
    /// Whether the stored key goes.
    pub drops_key: bool,
}

#[derive(Debug)]
struct Slot {
    name: Box<[u8]>,
    value: Value,
    is_dirty: bool,
}

/// A record during a call.
pub(crate) struct Session {
    access: Box<dyn RecordAccess>,
    is_read_only: bool,
    cache: Vec<Slot>,
    /// As far as the function has brought it.
    exists: bool,
    write: Option<Write>,
    ttl_seconds: Option<u32>,
    drops_key: bool,
    code: Option<ResultCode>,
}

/// A script's hold on a record. A script may keep it beyond the call: then it is empty.
#[derive(Clone)]
pub(crate) struct RecordRef(Arc<Mutex<Option<Session>>>);

impl RecordRef {
    pub fn new(access: Box<dyn RecordAccess>, is_read_only: bool) -> Self {
        let session = Session {
            exists: access.exists(),
            access,
            is_read_only,
            cache: Vec::new(),
            write: None,
            ttl_seconds: None,
            drops_key: false,
            code: None,
        };
        Self(Arc::new(Mutex::new(Some(session))))
    }

    /// Does something with the record, if the call is not over.
    pub fn with<R>(&self, work: impl FnOnce(&mut Session) -> R) -> Option<R> {
        self.0.lock().as_mut().map(work)
    }

    /// Ends the call.
    pub fn take(&self) -> Option<Session> {
        self.0.lock().take()
    }
}

impl Session {
    /// Whether the record exists as it was loaded: what all getters but those of bins go by.
    fn was_loaded(&self) -> bool {
        self.access.exists()
    }

    pub fn info(&self) -> RecordInfo {
        if self.was_loaded() { self.access.info() } else { RecordInfo::default() }
    }

    pub fn digest(&self) -> [u8; 20] {
        self.access.digest()
    }

    pub fn set_name(&self) -> Option<Vec<u8>> {
        if self.was_loaded() { self.access.set_name().map(<[u8]>::to_vec) } else { None }
    }

    pub fn key(&self, budget: &Arc<Budget>) -> Result<Value, Trouble> {
        match self.access.key().filter(|_| self.was_loaded()) {
            Some((kind, bytes)) => convert::from_particle(kind, bytes, budget),
            None => Ok(Value::Nil),
        }
    }

    pub fn bin_names(&self) -> Option<Vec<Vec<u8>>> {
        self.was_loaded().then(|| self.access.bin_names().into_iter().map(<[u8]>::to_vec).collect())
    }

    pub fn bin_count(&self) -> usize {
        if self.was_loaded() { self.access.bin_names().len() } else { 0 }
    }

    pub fn set_ttl(&mut self, ttl_seconds: u32) {
        self.ttl_seconds = Some(ttl_seconds);
    }

    pub fn drop_key(&mut self) {
        self.drops_key = true;
    }

    pub fn exists(&self) -> bool {
        self.exists
    }

    /// A bin's value. Lists, maps and bytes are the same ones each time.
    pub fn get(&mut self, name: &[u8], budget: &Arc<Budget>) -> Result<Value, Trouble> {
        if let Some(slot) = self.cache.iter().find(|slot| *slot.name == *name) {
            return Ok(slot.value.clone());
        }
        let is_removed = self.write.as_ref().is_some_and(|write| write.removes_all);
        if name.len() > BIN_NAME_BYTES_MAX || is_removed || !self.was_loaded() {
            return Ok(Value::Nil);
        }
        let Some((kind, bytes)) = self.access.bin(name) else { return Ok(Value::Nil) };
        let value = convert::from_particle(kind, bytes, budget)?;
        self.cache(name, value.clone(), false);
        Ok(value)
    }

    pub fn set(&mut self, name: &[u8], value: Value) {
        if name.len() > BIN_NAME_BYTES_MAX || self.is_read_only {
            return;
        }
        match self.cache.iter_mut().find(|slot| *slot.name == *name) {
            Some(slot) => (slot.value, slot.is_dirty) = (value, true),
            None => self.cache(name, value, true),
        }
    }

    fn cache(&mut self, name: &[u8], value: Value, is_dirty: bool) {
        if self.cache.len() < CACHED_BINS_MAX {
            self.cache.push(Slot { name: name.into(), value, is_dirty });
        }
    }

    /// `aerospike:create`: its result.
    pub fn create(&mut self, budget: &Budget) -> i64 {
        const EXISTS: i64 = 1;
        if self.is_read_only {
            return FAILED;
        }
        if self.exists {
            return EXISTS;
        }
        self.apply(true, budget)
    }

    /// `aerospike:update`: its result.
    pub fn update(&mut self, budget: &Budget) -> i64 {
        const MISSING: i64 = -2;
        if self.is_read_only {
            return FAILED;
        }
        if !self.exists {
            return MISSING;
        }
        self.apply(false, budget)
    }

    /// `aerospike:remove`: its result.
    pub fn remove(&mut self) -> i64 {
        const MISSING: i64 = 1;
        if self.is_read_only {
            return FAILED;
        }
        if !self.exists {
            return MISSING;
        }
        if let Err(code) = self.access.admit(Request::Remove) {
            return self.fail(code);
        }
        self.cache.clear();
        self.exists = false;
        self.write = Some(Write { removes_all: true, ..Write::default() });
        DONE
    }

    fn apply(&mut self, is_create: bool, budget: &Budget) -> i64 {
        match self.try_apply(is_create, budget) {
            Ok(()) => DONE,
            Err(code) => self.fail(code),
        }
    }

    fn try_apply(&mut self, is_create: bool, budget: &Budget) -> Result<(), ResultCode> {
        let mut changes = Vec::new();
        for slot in self.cache.iter().filter(|slot| slot.is_dirty) {
            let value = convert::to_bin(&slot.value, budget)?;
            changes.push(BinWrite { name: slot.name.to_vec(), value });
        }
        if self.bin_count_after(&changes) > BINS_MAX {
            return Err(ResultCode::BIN_NAME);
        }
        let request = if is_create { Request::Create(&changes) } else { Request::Update(&changes) };
        self.access.admit(request)?;
        let write = self.write.get_or_insert_default();
        for change in changes {
            match write.bins.iter_mut().find(|bin| bin.name == change.name) {
                Some(bin) => *bin = change,
                None => write.bins.push(change),
            }
        }
        self.cache.iter_mut().for_each(|slot| slot.is_dirty = false);
        self.exists = true;
        Ok(())
    }

    fn bin_count_after(&self, changes: &[BinWrite]) -> usize {
        let before = self.write.as_ref();
        let is_removed = before.is_some_and(|write| write.removes_all) || !self.was_loaded();
        let mut names: BTreeSet<&[u8]> = BTreeSet::new();
        if !is_removed {
            names.extend(self.access.bin_names());
        }
        for bin in before.map_or(&[][..], |write| &write.bins).iter().chain(changes) {
            match bin.value {
                Some(_) => names.insert(&bin.name),
                None => names.remove(&*bin.name),
            };
        }
        names.len()
    }

    /// What was changed since the last success is lost.
    fn fail(&mut self, code: ResultCode) -> i64 {
        self.code = Some(code);
        self.cache.clear();
        FAILED
    }

    /// What the function did, once it has returned.
    ///
    /// # Errors
    /// The code of an update that failed.
    pub fn finish(self) -> Result<Option<Write>, ResultCode> {
        if let Some(code) = self.code {
            return Err(code);
        }
        Ok(self.write.map(|write| Write {
            ttl_seconds: self.ttl_seconds,
            drops_key: self.drops_key,
            ..write
        }))
    }
}

const DONE: i64 = 0;
const FAILED: i64 = -1;
