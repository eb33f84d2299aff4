//! The survey: what lies on a number of devices, which versions count, what is damaged.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use storage::format::flat::Kind;
use wire::Digest;

use crate::device::Device;
use crate::header::{Header, OwnHeader};
use crate::newest::{Best, Newest};
use crate::original::Ignored;
use crate::seen::{BlockInfo, BlockState, Damage, Seen, Visitor};
use crate::set;

/// What became of the newest version of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is there.
    Live,
    /// Its void-time is over.
    Expired,
    /// It was written before its set or namespace was truncated.
    Truncated,
    /// It is the trace of a durable delete.
    Tombstone,
    /// It is the trace of a plain delete.
    Grave,
}

impl Fate {
    /// What a dump calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Truncated => "truncated",
            Self::Tombstone => "tombstone",
            Self::Grave => "grave",
        }
    }
}

/// What was found on a number of devices.
#[derive(Debug, Serialize)]
pub struct Survey {
    /// By device, in the order given.
    pub devices: Vec<DeviceSurvey>,
    /// What is wrong with the devices as a set.
    pub objections: Vec<String>,
    /// The newest version of each record by what became of it, over all devices.
    pub totals: Totals,
    /// Live records by set; `None` is the set of encrypted records.
    pub sets: Vec<SetSurvey>,
    /// The newest versions themselves.
    #[serde(skip)]
    pub newest: Newest,
    #[serde(skip)]
    rules: Rules,
}

/// What was found on a device.
#[derive(Debug, Serialize)]
pub struct DeviceSurvey {
    /// How the command line calls it.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
    /// What its header says.
    pub header: Header,
    /// Blocks by state.
    pub blocks: BTreeMap<BlockState, u32>,
    /// Sound records by kind, whatever their age.
    pub versions: Versions,
    /// The newest versions on it by what became of them.
    pub totals: Totals,
    /// What is damaged.
    pub damage: Vec<Damage>,
    /// Every block that is not blank.
    #[serde(skip)]
    pub block_list: Vec<BlockInfo>,
}

/// Sound records by kind, whatever their age.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Versions {
    /// All of them.
    pub all: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records.
    pub records: u64,
    /// Traces of durable deletes.
    pub tombstones: u64,
    /// Traces of plain deletes.
    pub graves: u64,
    /// Encrypted ones.
    pub encrypted: u64,
    /// Compressed ones.
    pub compressed: u64,
    /// Sound ones that the original leaves out: the node holds nothing of their partition.
    pub unowned: u64,
    /// Sound ones that the original leaves out: their partition was dropped since.
    pub dropped: u64,
}

/// Newest versions by what became of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Totals {
    /// Live records.
    pub live: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// Of these, those with a void-time before that of eviction: a start drops them, unless their set is
    /// protected from eviction, which the device does not tell.
    pub evictable: u64,
    /// Expired records.
    pub expired: u64,
    /// Truncated records.
    pub truncated: u64,
    /// Traces of durable deletes.
    pub tombstones: u64,
    /// Traces of plain deletes.
    pub graves: u64,
}

/// Live records of a set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SetSurvey {
    /// Its name, empty for none; `None` where it is encrypted.
    pub name: Option<String>,
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What decides whether the newest version of a record is gone all the same.
#[derive(Debug, Default)]
struct Rules {
    now: u32,
    evict_void_time: u32,
    truncate_lut: u64,
    set_truncate_luts: HashMap<Box<[u8]>, u64>,
}

impl Rules {
    fn new(devices: &[Device], now: u32) -> Self {
        let mut rules = Self { now, ..Self::default() };
        for device in devices {
            let Device::Own(device) = device else { continue };
            let memory = &device.header.memory;
            rules.evict_void_time = rules.evict_void_time.max(memory.evict_void_time);
            rules.truncate_lut = rules.truncate_lut.max(memory.truncate_lut);
            for (set, lut) in &memory.set_truncate_luts {
                let known = rules.set_truncate_luts.entry(set.clone()).or_default();
                *known = (*known).max(*lut);
            }
        }
        rules
    }

    fn fate(&self, best: &Best, set: Option<&[u8]>) -> Fate {
        match best.kind {
            Kind::Grave => return Fate::Grave,
            Kind::Tombstone => return Fate::Tombstone,
            Kind::Record => {}
        }
        let of_set = set.and_then(|set| self.set_truncate_luts.get(set)).copied().unwrap_or(0);
        if best.version.last_update_time < self.truncate_lut.max(of_set) {
            return Fate::Truncated;
        }
        if best.version.is_expired(self.now) { Fate::Expired } else { Fate::Live }
    }

    fn is_evictable(&self, best: &Best) -> bool {
        let void_time = best.version.void_time;
        void_time != 0 && void_time < self.evict_void_time
    }
}

impl Totals {
    fn count(&mut self, fate: Fate, best: &Best, rules: &Rules) {
        match fate {
            Fate::Live => {
                self.live += 1;
                self.live_bytes += u64::from(best.size_bytes);
                self.evictable += u64::from(rules.is_evictable(best));
            }
            Fate::Expired => self.expired += 1,
            Fate::Truncated => self.truncated += 1,
            Fate::Tombstone => self.tombstones += 1,
            Fate::Grave => self.graves += 1,
        }
    }
}

impl Survey {
    /// Walks over all devices. `now` is in seconds since 2010.
    ///
    /// # Errors
    /// None of its own; damage is part of the survey.
    pub fn of(devices: &[Device], now: u32) -> anyhow::Result<Self> {
        let mut survey = Self {
            devices: Vec::new(),
            objections: set::objections(devices),
            totals: Totals::default(),
            sets: Vec::new(),
            newest: Newest::default(),
            rules: Rules::new(devices, now),
        };
        for (number, device) in devices.iter().enumerate() {
            let mut of_device = DeviceSurvey::new(device);
            let mut first = FirstWalk { newest: &mut survey.newest, device: &mut of_device };
            device.walk(number as u16, &mut first)?;
            survey.devices.push(of_device);
        }
        survey.tell_fates();
        Ok(survey)
    }

    /// Whether nothing is damaged, missing or foreign.
    pub fn is_sound(&self) -> bool {
        self.objections.is_empty() && self.devices.iter().all(|device| device.damage.is_empty())
    }

    /// What became of the record that has this version; `None` if a newer one is known.
    pub fn fate(&self, seen: &Seen<'_>) -> Option<Fate> {
        self.newest.newest(seen).map(|best| self.fate_of(best))
    }

    fn fate_of(&self, best: &Best) -> Fate {
        self.rules.fate(best, self.newest.set(best.set))
    }

    /// Counts what became of the newest versions, once all are known.
    fn tell_fates(&mut self) {
        let mut sets = HashMap::new();
        let fates: Vec<(Fate, Best)> =
            self.newest.iter().map(|(_, best): (&Digest, _)| (self.fate_of(best), *best)).collect();
        for (fate, best) in fates {
            self.totals.count(fate, &best, &self.rules);
            if let Some(device) = self.devices.get_mut(usize::from(best.location.device)) {
                device.totals.count(fate, &best, &self.rules);
                device.block_holds(fate, &best);
            }
            if fate == Fate::Live {
                let (records, bytes) = sets.entry(best.set).or_insert((0, 0));
                *records += 1;
                *bytes += u64::from(best.size_bytes);
            }
        }
        let name = |set| self.newest.set(set).map(|name| String::from_utf8_lossy(name).into());
        self.sets = sets
            .into_iter()
            .map(|(set, (records, bytes))| SetSurvey { name: name(set), records, bytes })
            .collect();
        self.sets.sort_by(|one, other| one.name.cmp(&other.name));
    }
}

impl DeviceSurvey {
    fn new(device: &Device) -> Self {
        let (size_bytes, header) = match device {
            Device::Own(device) => {
                (device.source.size_bytes(), Header::Bolide(Box::new(OwnHeader::new(device))))
            }
            Device::Original(device) => {
                (device.source.size_bytes(), Header::Aerospike(device.header.clone()))
            }
        };
        Self {
            name: device.name().into(),
            size_bytes,
            header,
            blocks: BTreeMap::new(),
            versions: Versions::default(),
            totals: Totals::default(),
            damage: Vec::new(),
            block_list: Vec::new(),
        }
    }

    fn block_holds(&mut self, fate: Fate, best: &Best) {
        let found =
            self.block_list.binary_search_by_key(&best.location.block, |block| block.number);
        let block = found.ok().and_then(|at| self.block_list.get_mut(at));
        if let Some(block) = block.filter(|_| fate == Fate::Live) {
            block.live += 1;
            block.live_bytes += u64::from(best.size_bytes);
        }
    }
}

/// The walk that finds out which versions are the newest.
struct FirstWalk<'s> {
    newest: &'s mut Newest,
    device: &'s mut DeviceSurvey,
}

impl Visitor for FirstWalk<'_> {
    fn record(&mut self, seen: &Seen<'_>) -> anyhow::Result<()> {
        self.newest.meet(seen);
        let versions = &mut self.device.versions;
        versions.all += 1;
        versions.bytes += u64::from(seen.size_bytes);
        match seen.kind {
            Kind::Record => versions.records += 1,
            Kind::Tombstone => versions.tombstones += 1,
            Kind::Grave => versions.graves += 1,
        }
        versions.encrypted += u64::from(seen.is_encrypted());
        versions.compressed += u64::from(seen.is_compressed());
        Ok(())
    }

    fn ignored(&mut self, why: Ignored) {
        match why {
            Ignored::Unowned => self.device.versions.unowned += 1,
            Ignored::Dropped => self.device.versions.dropped += 1,
        }
    }

    fn damage(&mut self, damage: Damage) {
        self.device.damage.push(damage);
    }

    fn block(&mut self, info: BlockInfo) {
        *self.device.blocks.entry(info.state).or_default() += 1;
        if !matches!(info.state, BlockState::Blank | BlockState::Skipped) {
            self.device.block_list.push(info);
        }
    }
}
