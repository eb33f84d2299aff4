//! A locked record: looked at, stored, removed.

#![allow(unsafe_code)]

use std::sync::Arc;

use index::{Entry, Location, Marks, OutOfMemory};
use record::body::BodyWriter;
use record::{Body, LastUpdateTime, RecordMeta, SetId, VoidTime};

use crate::codec::Scratch;
use crate::engine::Engine;
use crate::fetch::Fetched;
use crate::format::flat;
use crate::log::{DeviceLocation, Draft, Held, Log};
use crate::memory::{self, Heap};
use crate::pledge::Pledges;
use crate::records::{Miss, Refusal, Stored, Verdict};
use crate::volume::Buffer;

/// A record locked for reading.
pub struct ReadGuard<'a> {
    engine: &'a Engine,
    guard: index::ReadGuard<'a>,
    found: Option<Entry>,
    unpacked: Option<Box<Unpacked>>,
}

/// What keeps a body that lies on a device while it is looked at. Guards make it when they need it: in
/// memory they never do.
#[derive(Default)]
pub(crate) struct Unpacked {
    kept: Kept,
    scratch: Scratch,
}

impl<'a> ReadGuard<'a> {
    #[inline]
    pub(crate) fn new(engine: &'a Engine, guard: index::ReadGuard<'a>) -> ReadGuard<'a> {
        Self { engine, guard, found: None, unpacked: None }
    }

    /// The record, if it is there.
    #[inline]
    pub fn find(&mut self) -> Option<Stored> {
        self.found = self.guard.find().filter(|entry| !entry.is_grave());
        let entry = self.found.as_ref()?;
        // SAFETY: the guard holds the sprig's lock.
        Some(unsafe { self.engine.stored(entry) })
    }

    /// The body of the record that [`Self::find`] found; an empty one if it found none.
    ///
    /// # Errors
    /// [`Miss::Elsewhere`] if it has to be read from a device and is not among what was fetched.
    #[inline]
    pub fn body<'b>(&'b mut self, fetched: &'b Fetched) -> Result<Body<'b>, Miss> {
        self.bytes(fetched).map(Body::new)
    }

    /// The same as it is stored.
    ///
    /// # Errors
    /// As [`Self::body`].
    #[inline]
    pub fn bytes<'b>(&'b mut self, fetched: &'b Fetched) -> Result<&'b [u8], Miss> {
        let Some(entry) = &self.found else { return Ok(&[]) };
        // SAFETY: the guard holds the sprig's lock as long as the result borrows it.
        unsafe { bytes_of(self.engine, entry, self.guard.digest(), fetched, &mut self.unpacked) }
    }
}

/// The body of an entry's record.
///
/// # Safety
/// The sprig's lock is held, and the record is not changed, as long as the result lives.
#[inline]
pub(crate) unsafe fn body_of<'b>(
    engine: &Engine,
    entry: &Entry,
    digest: &wire::Digest,
    fetched: &'b Fetched,
    unpacked: &'b mut Option<Box<Unpacked>>,
) -> Result<Body<'b>, Miss> {
    // SAFETY: the caller's promise.
    unsafe { bytes_of(engine, entry, digest, fetched, unpacked) }.map(Body::new)
}

/// The same as it is stored.
///
/// # Safety
/// As [`body_of`].
#[inline]
unsafe fn bytes_of<'b>(
    engine: &Engine,
    entry: &Entry,
    digest: &wire::Digest,
    fetched: &'b Fetched,
    unpacked: &'b mut Option<Box<Unpacked>>,
) -> Result<&'b [u8], Miss> {
    match engine {
        Engine::Memory | Engine::Backed(_) => {
            // SAFETY: the caller's promise.
            Ok(unsafe { memory::get(entry.location) })
        }
        Engine::Device(log) => {
            let location = DeviceLocation(entry.location.0);
            unpacked.get_or_insert_default().body(log, location, digest, fetched)
        }
    }
}

impl Unpacked {
    fn body<'b>(
        &'b mut self,
        log: &Log,
        location: DeviceLocation,
        digest: &wire::Digest,
        fetched: &'b Fetched,
    ) -> Result<&'b [u8], Miss> {
        let bytes = held_bytes(log.find(location, digest, fetched)?, &mut self.kept);
        let Some((header, payload)) = flat::peek(bytes) else {
            // What is in memory was written here, so this cannot be.
            let at = location.offset_bytes();
            log.volume(location).report_damage(format!("the record at byte {at}, in memory,"));
            return Err(Miss::Damaged);
        };
        match log.codec.decode(&header, payload, &mut self.scratch) {
            Ok(parts) => Ok(parts.body),
            Err(_) => {
                let at = location.offset_bytes();
                log.volume(location).report_damage(format!("the packed record at byte {at}"));
                Err(Miss::Damaged)
            }
        }
    }
}

/// What keeps the bytes of a record.
#[derive(Default)]
struct Kept {
    block: Option<Arc<Buffer>>,
    copy: Vec<u8>,
}

/// The bytes of a record, which `kept` keeps unless they were fetched.
fn held_bytes<'b>(held: Held<'b>, kept: &'b mut Kept) -> &'b [u8] {
    match held {
        Held::Fetched(bytes) => bytes,
        Held::Copied(bytes) => {
            kept.copy = bytes;
            &kept.copy
        }
        Held::Block(buffer, at, size_bytes) => {
            let buffer = kept.block.insert(buffer);
            // SAFETY: whoever calls holds the lock of the record's sprig as long as the result lives,
            // and its bytes are written under that alone.
            unsafe { buffer.read(at, size_bytes) }
        }
    }
}

/// A record locked for reading and writing, present or not.
pub struct WriteGuard<'a> {
    engine: &'a Engine,
    guard: index::WriteGuard<'a>,
    unpacked: Option<Box<Unpacked>>,
}

impl<'a> WriteGuard<'a> {
    #[inline]
    pub(crate) fn new(engine: &'a Engine, guard: index::WriteGuard<'a>) -> WriteGuard<'a> {
        Self { engine, guard, unpacked: None }
    }

    /// The record's digest.
    pub fn digest(&self) -> &wire::Digest {
        self.guard.digest()
    }

    /// Whether secondary indexes cannot tell another record from this one.
    pub fn shares_stub(&self) -> bool {
        self.guard.shares_stub()
    }

    fn entry(&mut self) -> Option<Entry> {
        self.guard.find().filter(|entry| !entry.is_grave())
    }

    /// The record, if it is there. Searches once.
    #[inline]
    pub fn find(&mut self) -> Option<Stored> {
        let entry = self.entry()?;
        // SAFETY: the guard holds the sprig's lock.
        Some(unsafe { self.engine.stored(&entry) })
    }

    /// The body of the record; an empty one if it is not there.
    ///
    /// # Errors
    /// As [`ReadGuard::body`].
    #[inline]
    pub fn body<'b>(&'b mut self, fetched: &'b Fetched) -> Result<Body<'b>, Miss> {
        let Some(entry) = self.entry() else { return Ok(Body::new(&[])) };
        // SAFETY: the guard holds the sprig's lock, and nothing changes the record as long as the result
        // borrows the guard.
        unsafe { body_of(self.engine, &entry, self.guard.digest(), fetched, &mut self.unpacked) }
    }

    /// Stores the record, present or not. `set_name` is that of its set, empty outside sets.
    ///
    /// # Errors
    /// A [`Refusal`].
    #[inline]
    pub fn store(
        &mut self,
        meta: RecordMeta,
        set_name: &[u8],
        body: &[u8],
        pledges: &mut Pledges,
    ) -> Result<(), Refusal> {
        match self.engine {
            Engine::Memory => self.store_in_memory(meta, body),
            Engine::Backed(log) | Engine::Device(log) => {
                self.store_in_log(log, meta, set_name, body, pledges)
            }
        }
    }

    fn store_in_memory(&mut self, meta: RecordMeta, body: &[u8]) -> Result<(), Refusal> {
        let old = self.guard.find();
        if let Some(old) = &old {
            // SAFETY: the guard holds the sprig's lock exclusively, and no result of `body` lives.
            let fits = unsafe { memory::overwrite(old.location, body) };
            if fits {
                return self.set_entry(Some(old), Entry { meta, ..*old });
            }
        }
        let location = Heap::ALONE.put(body).ok_or(Refusal::Body)?;
        let entry = Entry { meta, marks: Marks::default(), location };
        if let Err(refusal) = self.set_entry(old.as_ref(), entry) {
            // SAFETY: the location was just made and did not get into the index.
            unsafe { Heap::ALONE.free(location) };
            return Err(refusal);
        }
        if let Some(old) = old {
            // SAFETY: the index has the new location in place of this one.
            unsafe { Heap::ALONE.free(old.location) };
        }
        Ok(())
    }

    fn store_in_log(
        &mut self,
        log: &Log,
        meta: RecordMeta,
        set_name: &[u8],
        body: &[u8],
        pledges: &mut Pledges,
    ) -> Result<(), Refusal> {
        let old = self.guard.find();
        let home = self.home_for(body)?;
        // SAFETY: the guard holds the sprig's lock, and the entry is in the index.
        let old_place = old.as_ref().and_then(|old| unsafe { self.engine.device_location(old) });
        let digest = self.guard.digest();
        let ordered_at = old.as_ref().and_then(|old| log.order.after(digest, &meta, &old.meta));
        let draft = Draft { digest, meta, ordered_at, set_name, body };
        // What a grave stands for must stay where it is until the new version is written.
        let replaceable = old_place.filter(|_| !old.as_ref().is_some_and(Entry::is_grave));
        let place = match log.store(&draft, replaceable, pledges) {
            Ok(place) => place,
            Err(refusal) => {
                home.give_up();
                return Err(refusal);
            }
        };
        let in_place = old_place == Some(place);
        let was_sole = old.as_ref().is_none_or(|old| in_place && old.marks.contains(Marks::SOLE));
        let has_key = Body::new(body).key().is_some();
        let marks = Marks::default().with(Marks::SOLE, was_sole).with(Marks::HAS_KEY, has_key);
        let location = home.settle(body, place);
        if let Err(refusal) = self.set_entry(old.as_ref(), Entry { meta, marks, location }) {
            log.release(place);
            home.give_up();
            return Err(refusal);
        }
        if let Some(old) = old {
            if !in_place && let Some(old_place) = old_place {
                log.release(old_place);
            }
            if let Some(heap) = self.engine.heap()
                && old.location != location
            {
                // SAFETY: the index has the new location in place of this one.
                unsafe { heap.free(old.location) };
            }
        }
        Ok(())
    }

    /// Finds a place in memory for a body, if the engine keeps bodies there.
    fn home_for(&mut self, body: &[u8]) -> Result<Home, Refusal> {
        let Some(heap) = self.engine.heap() else { return Ok(Home::None) };
        if let Some(old) = self.guard.find() {
            // SAFETY: the guard holds the sprig's lock, and the entry is in the index.
            if unsafe { memory::fits(old.location, body) } {
                return Ok(Home::Same(old.location));
            }
        }
        heap.put(body).map(|location| Home::New(heap, location)).ok_or(Refusal::Body)
    }

    /// Changes the record's metadata, if it is there; its set stays.
    ///
    /// # Errors
    /// A [`Refusal`]; or `None` if its body would be needed for that and is not at hand.
    pub fn set_meta(
        &mut self,
        meta: RecordMeta,
        set_name: &[u8],
        fetched: &Fetched,
        pledges: &mut Pledges,
    ) -> Result<(), Option<Refusal>> {
        let Some(entry) = self.entry() else { return Ok(()) };
        let (log, old) = match self.engine {
            Engine::Memory => return Ok(self.set_entry(Some(&entry), Entry { meta, ..entry })?),
            Engine::Backed(_) => {
                // SAFETY: the guard holds the sprig's lock; the copy outlives what it is a copy of.
                let body = unsafe { memory::get(entry.location) }.to_vec();
                return Ok(self.store(meta, set_name, &body, pledges)?);
            }
            Engine::Device(log) => (log, DeviceLocation(entry.location.0)),
        };
        let digest = self.guard.digest();
        let held = log.find(old, digest, fetched).map_err(|_| None)?;
        let ordered_at = log.order.after(digest, &meta, &entry.meta);
        let place = log.store_again(
            held_bytes(held, &mut self.unpacked.get_or_insert_default().kept),
            &meta,
            ordered_at,
            pledges,
        )?;
        let marks = entry.marks.with(Marks::SOLE, false);
        let renewed = Entry { meta, marks, location: Location(place.0) };
        self.set_entry(Some(&entry), renewed)?;
        log.release(old);
        Ok(())
    }

    fn set_entry(&mut self, before: Option<&Entry>, entry: Entry) -> Result<(), Refusal> {
        self.guard.replace(before, &entry).map_err(|OutOfMemory| Refusal::Index)
    }

    /// Removes the record; clients will find no trace of it. False if it was not there. `now` is when.
    ///
    /// # Errors
    /// A [`Refusal`] when a device cannot note it.
    pub fn remove(&mut self, now: LastUpdateTime, pledges: &mut Pledges) -> Result<bool, Refusal> {
        let Some(entry) = self.entry() else { return Ok(false) };
        if let Some(log) = self.engine.log() {
            self.entomb(log, &entry, now, pledges)?;
        } else {
            self.guard.remove();
        }
        // SAFETY: the entry is in the index no more.
        unsafe { self.engine.release(&entry) };
        Ok(true)
    }

    /// Does with the record what [`crate::Records::sweep`] would do with this verdict; false if it stays.
    pub fn carry_out(&mut self, verdict: Verdict) -> bool {
        let Some(entry) = self.entry() else { return false };
        // SAFETY: the guard holds the sprig's lock exclusively, the entry is in the index, and what is
        // to become of it follows.
        match unsafe { self.engine.carry_out(verdict, &entry) } {
            index::Verdict::Keep => false,
            index::Verdict::Remove => {
                self.guard.remove();
                true
            }
            // The entry is there and keeps its set, so this needs no memory.
            index::Verdict::Replace(after) => self.guard.replace(Some(&entry), &after).is_ok(),
        }
    }

    /// Puts a grave in a record's place.
    fn entomb(
        &mut self,
        log: &Log,
        entry: &Entry,
        now: LastUpdateTime,
        pledges: &mut Pledges,
    ) -> Result<(), Refusal> {
        let meta = RecordMeta {
            last_update_time: entry.meta.last_update_time.max(now),
            generation: entry.meta.generation.next(),
            void_time: VoidTime::NEVER,
            set: SetId::NONE,
            tombstone: false,
            xdr_write: false,
        };
        let ordered_at = log.order.after(self.guard.digest(), &meta, &entry.meta);
        // Nobody sees a grave's time, so its place can be that.
        let meta =
            RecordMeta { last_update_time: ordered_at.unwrap_or(meta.last_update_time), ..meta };
        let mut empty = Vec::new();
        BodyWriter::new(&mut empty, None).finish();
        let home = match self.engine.heap() {
            None => Home::None,
            Some(heap) => Home::New(heap, heap.put(&empty).ok_or(Refusal::Body)?),
        };
        let place =
            log.store_grave(self.guard.digest(), &meta, pledges).inspect_err(|_| home.give_up())?;
        let marks = Marks::default().with(Marks::GRAVE, true);
        let grave = Entry { meta, marks, location: home.settle(&empty, place) };
        self.set_entry(Some(entry), grave)
    }
}

/// Where the body of a version that is being stored will be in memory.
#[derive(Clone, Copy)]
enum Home {
    /// Nowhere.
    None,
    /// Where the version before is.
    Same(Location),
    /// In an allocation of its own.
    New(Heap, Location),
}

impl Home {
    /// Puts the body there, if it is not yet, and notes where it is on the device.
    fn settle(self, body: &[u8], place: DeviceLocation) -> Location {
        let location = match self {
            Self::None => return Location(place.0),
            Self::Same(location) | Self::New(_, location) => location,
        };
        if let Self::Same(location) = self {
            // SAFETY: it fits, as was found out; the sprig's lock is held exclusively, and nobody
            // borrows the body.
            unsafe { memory::overwrite(location, body) };
        }
        // SAFETY: as above; locations of an engine with a log have room in front.
        unsafe { Heap::set_companion(location, place.0) };
        location
    }

    /// The version was not stored.
    fn give_up(self) {
        if let Self::New(heap, location) = self {
            // SAFETY: it was just made, and did not get into the index.
            unsafe { heap.free(location) };
        }
    }
}
