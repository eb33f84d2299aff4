//! What an operator should hear of a volume.

use std::collections::VecDeque;
use std::fmt;
use std::io;

use parking_lot::Mutex;

/// Something that went wrong with a device. Displays as a sentence with cause and cure.
#[derive(Debug)]
pub enum Incident {
    /// A write or sync failed.
    WriteFailed {
        /// The device.
        device: String,
        /// What the system says.
        error: io::Error,
    },
    /// A read failed.
    ReadFailed {
        /// The device.
        device: String,
        /// What the system says.
        error: io::Error,
    },
    /// Something did not stand up to its checksum.
    Damaged {
        /// The device.
        device: String,
        /// What it is, and where.
        what: String,
    },
    /// Free blocks run short, and none has so much dead in it as the settings ask for.
    Short {
        /// The device.
        device: String,
    },
    /// A state of the device could not be saved.
    HeaderFailed {
        /// The device.
        device: String,
        /// What the system says.
        error: io::Error,
    },
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WriteFailed { device, error } => write!(
                f,
                "{device}: cannot write: {error}; the device takes no more writes until the server is \
                 restarted: check the device, its file system and the free space in it"
            ),
            Self::ReadFailed { device, error } => {
                write!(f, "{device}: cannot read: {error}; check the device")
            }
            Self::Damaged { device, what } => write!(
                f,
                "{device}: {what} does not stand up to its checksum; it is not served: restore it from \
                 a replica or a backup, and check the device"
            ),
            Self::Short { device } => write!(
                f,
                "{device}: free blocks run short, so blocks are defragmented that are fuller than \
                 defrag-lwm-pct, and each write costs several: add devices or delete records, or raise \
                 defrag-lwm-pct if that is what is wanted"
            ),
            Self::HeaderFailed { device, error } => write!(
                f,
                "{device}: cannot save what the namespace remembers: {error}; check the device"
            ),
        }
    }
}

/// Incidents that nobody has heard of yet; of many only the first.
#[derive(Debug, Default)]
pub(crate) struct Incidents(Mutex<VecDeque<Incident>>);

/// Incidents kept for whoever asks.
const KEPT_MAX: usize = 32;

impl Incidents {
    pub fn report(&self, incident: Incident) {
        let mut kept = self.0.lock();
        if kept.len() < KEPT_MAX {
            kept.push_back(incident);
        }
    }

    pub fn take(&self) -> VecDeque<Incident> {
        std::mem::take(&mut self.0.lock())
    }
}
