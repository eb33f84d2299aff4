//! The sets of a namespace: their names, numbers, statistics and settings.
//!
//! A set comes into being when it is first named, and stays. Numbers are 1 to 4,095; records carry
//! the number, so that a record's set is found without hashing.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use config::Set as SetConfig;
use parking_lot::{Mutex, RwLock};
use record::{LastUpdateTime, SetId};
use wire::ResultCode;
use wire::message::SET_NAME_BYTES_MAX;

use crate::settings::SetSettings;

/// One set.
#[derive(Debug)]
pub struct Set {
    /// Its number.
    pub id: SetId,
    /// Its name, 1 to 63 bytes as clients sent them.
    pub name: Box<[u8]>,
    /// Its settings; they change by [`Self::configure`].
    pub config: ArcSwap<SetConfig>,
    pub(crate) settings: SetSettings,
    /// Live records.
    pub objects: AtomicU64,
    /// Tombstones.
    pub tombstones: AtomicU64,
    /// Size of its records by the original's arithmetic, in bytes.
    pub data_used_bytes: AtomicU64,
    /// Records last written before this moment (ms since 2010) are gone; 0: none.
    pub truncate_lut: AtomicU64,
    /// Whether truncated records are still being removed.
    pub truncating: AtomicBool,
    /// Records last written before this moment (ms since 2010) were removed by truncations, also by
    /// those that were taken back since; 0: none.
    pub removed_before: AtomicU64,
    /// Secondary indexes defined on it.
    pub sindexes: AtomicU64,
}

impl Set {
    fn new(id: SetId, name: &[u8], config: SetConfig) -> Self {
        let settings = SetSettings::default();
        settings.update(&config);
        Self {
            id,
            name: name.into(),
            config: ArcSwap::from_pointee(config),
            settings,
            objects: AtomicU64::new(0),
            tombstones: AtomicU64::new(0),
            data_used_bytes: AtomicU64::new(0),
            truncate_lut: AtomicU64::new(0),
            truncating: AtomicBool::new(false),
            removed_before: AtomicU64::new(0),
            sindexes: AtomicU64::new(0),
        }
    }

    /// Puts settings into force.
    pub(crate) fn configure(&self, config: SetConfig) {
        self.settings.update(&config);
        self.config.store(config.into());
    }

    /// Whether a record last written at `time` is truncated.
    pub fn is_truncated(&self, time: LastUpdateTime) -> bool {
        time.0 < self.truncate_lut.load(Ordering::Relaxed)
    }

    /// Whether the set takes no more records.
    pub fn is_full(&self) -> bool {
        let limit = self.settings.stop_writes_count();
        limit != 0 && self.objects.load(Ordering::Relaxed) >= limit
    }

    /// Whether the set takes no more data.
    pub fn is_oversize(&self) -> bool {
        let limit = self.settings.stop_writes_size_bytes();
        limit != 0 && self.data_used_bytes.load(Ordering::Relaxed) > limit
    }
}

/// All sets of a namespace.
#[derive(Debug)]
pub struct Sets {
    by_id: Box<[OnceLock<Box<Set>>]>,
    ids: RwLock<HashMap<Box<[u8]>, SetId>>,
    /// Truncations of sets that are not there yet. Locked after `ids`.
    foreseen: Mutex<HashMap<Box<[u8]>, u64>>,
}

impl Default for Sets {
    fn default() -> Self {
        Self {
            by_id: (0..SetId::MAX).map(|_| OnceLock::new()).collect(),
            ids: RwLock::default(),
            foreseen: Mutex::default(),
        }
    }
}

impl Sets {
    /// The set with this number; `None` for [`SetId::NONE`].
    pub fn by_id(&self, id: SetId) -> Option<&Set> {
        let place = usize::from(id.0).checked_sub(1)?;
        self.by_id.get(place)?.get().map(Box::as_ref)
    }

    /// The set with this name.
    pub fn by_name(&self, name: &[u8]) -> Option<&Set> {
        let id = self.ids.read().get(name).copied()?;
        self.by_id(id)
    }

    /// The set with this name, which is made if there is none.
    ///
    /// # Errors
    /// `PARAMETER` for a name too long or when there are 4,095 sets already.
    pub fn get_or_create(&self, name: &[u8]) -> Result<&Set, ResultCode> {
        if let Some(set) = self.by_name(name) {
            return Ok(set);
        }
        self.create(name, SetConfig::default())
    }

    /// Makes a set with these settings, or returns the one that has the name already.
    ///
    /// # Errors
    /// As [`Self::get_or_create`].
    pub fn create(&self, name: &[u8], config: SetConfig) -> Result<&Set, ResultCode> {
        if name.is_empty() || name.len() > SET_NAME_BYTES_MAX {
            return Err(ResultCode::PARAMETER);
        }
        let mut ids = self.ids.write();
        let id = match ids.get(name) {
            Some(id) => *id,
            None => {
                let place = ids.len();
                let id = SetId(place as u16 + 1);
                let slot = self.by_id.get(place).ok_or(ResultCode::PARAMETER)?;
                let set = slot.get_or_init(|| Box::new(Set::new(id, name, config)));
                if let Some(lut) = self.foreseen.lock().get(name) {
                    set.truncate_lut.store(*lut, Ordering::SeqCst);
                }
                ids.insert(name.into(), id);
                id
            }
        };
        drop(ids);
        self.by_id(id).ok_or(ResultCode::PARAMETER)
    }

    /// The set with this name, or else sees to it that it will be truncated up to this moment when it
    /// comes into being; with `None` no longer.
    pub(crate) fn by_name_or_foresee(
        &self,
        name: &[u8],
        time: Option<LastUpdateTime>,
    ) -> Option<&Set> {
        // Held to the end, so that the set does not come into being meanwhile.
        let ids = self.ids.read();
        if let Some(id) = ids.get(name) {
            return self.by_id(*id);
        }
        let mut foreseen = self.foreseen.lock();
        match time {
            Some(time) => {
                let lut = foreseen.entry(name.into()).or_default();
                *lut = time.0.max(*lut);
            }
            None => {
                foreseen.remove(name);
            }
        }
        None
    }

    /// All sets, in the order in which they came into being.
    pub fn iter(&self) -> impl Iterator<Item = &Set> {
        self.by_id.iter().map_while(|slot| slot.get()).map(Box::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_numbered_as_they_come() {
        let sets = Sets::default();
        assert_eq!(sets.get_or_create(b"a").unwrap().id, SetId(1));
        assert_eq!(sets.get_or_create(b"b").unwrap().id, SetId(2));
        assert_eq!(sets.get_or_create(b"a").unwrap().id, SetId(1));
        assert_eq!(&*sets.by_id(SetId(2)).unwrap().name, b"b");
        assert!(sets.by_id(SetId::NONE).is_none());
        assert!(sets.by_name(b"c").is_none());
        assert_eq!(sets.iter().count(), 2);
    }

    #[test]
    fn names_and_numbers_have_limits() {
        let sets = Sets::default();
        assert!(sets.get_or_create(&[b'x'; 63]).is_ok());
        assert!(sets.get_or_create(&[b'x'; 64]).is_err());
        for number in 1..4095u32 {
            sets.get_or_create(number.to_string().as_bytes()).unwrap();
        }
        assert!(sets.get_or_create(b"one too many").is_err());
        assert!(sets.get_or_create(b"17").is_ok());
    }
}
