//! What a simulated node knows of the outside world.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cluster::Protocols;
use config::{Config, LOG_CONTEXTS, LogLevel};
use node::host::{Connections, Log, MetadataFiles};
use node::{Host, Vitals};
use parking_lot::Mutex;
use record::LastUpdateTime;

use crate::disk::Disk;

/// The wall clock when a world begins, in ms since 2010.
pub const START_MS: u64 = 533_082_403_000;

/// The one clock of a world.
#[derive(Debug, Default)]
pub struct Clock(AtomicU64);

impl Clock {
    /// What time it is.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// Moves it.
    pub fn set(&self, now: Duration) {
        self.0.store(now.as_nanos() as u64, Ordering::Relaxed);
    }
}

/// What outlives a process on its machine: files, disks, and how far the wall clock is off.
#[derive(Debug, Default)]
pub struct Ground {
    /// The files of the system metadata.
    pub files: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Its disks, once it has any.
    pub disks: OnceLock<Vec<Arc<Disk>>>,
    /// The machine's wall clock less the true one, in ms.
    pub skew_ms: AtomicI64,
}

/// See the module.
#[derive(Debug)]
pub struct SimHost {
    clock: Arc<Clock>,
    ground: Arc<Ground>,
    random: Mutex<fastrand::Rng>,
    address: Ipv4Addr,
    /// Lines of the log that nobody has taken.
    lines: Mutex<Vec<String>>,
    /// What it speaks with other nodes.
    protocols: Protocols,
}

/// Port for clients.
pub const SERVICE_PORT: u16 = 3000;
/// Port for records of other nodes.
pub const FABRIC_PORT: u16 = 3001;
/// Port for heartbeats and what goes with them.
pub const CONTROL_PORT: u16 = 3002;

/// The address of the machine with this number.
pub fn address_of(machine: usize) -> Ipv4Addr {
    Ipv4Addr::from(0x0A00_0001 + machine as u32)
}

/// The number of the machine with this address, if it can be one.
pub fn machine_at(address: SocketAddr) -> Option<usize> {
    let SocketAddr::V4(address) = address else { return None };
    u32::from(*address.ip()).checked_sub(0x0A00_0001).map(|number| number as usize)
}

impl Ground {
    /// The disks.
    pub fn disks(&self) -> &[Arc<Disk>] {
        self.disks.get().map_or(&[], Vec::as_slice)
    }
}

impl SimHost {
    /// The host of a process on a machine, which speaks these versions of what nodes say.
    pub fn new(
        clock: Arc<Clock>,
        ground: Arc<Ground>,
        (machine, seed): (usize, u64),
        protocols: Protocols,
    ) -> Self {
        Self {
            clock,
            ground,
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            address: address_of(machine),
            lines: Mutex::default(),
            protocols,
        }
    }

    /// Takes the lines of the log.
    pub fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock())
    }

    fn at_port(&self, port: u16) -> SocketAddr {
        SocketAddr::from((self.address, port))
    }
}

impl Host for SimHost {
    fn now(&self) -> LastUpdateTime {
        let true_ms = START_MS + self.clock.now().as_millis() as u64;
        LastUpdateTime(true_ms.saturating_add_signed(self.ground.skew_ms.load(Ordering::Relaxed)))
    }

    fn protocols(&self) -> Protocols {
        self.protocols
    }

    fn monotonic(&self) -> Duration {
        self.clock.now()
    }

    fn random(&self) -> u64 {
        self.random.lock().u64(..)
    }

    fn vitals(&self) -> Vitals {
        Vitals::default()
    }

    fn connections(&self) -> Connections {
        Connections::default()
    }

    fn service_addresses(&self) -> Vec<String> {
        vec![self.at_port(SERVICE_PORT).to_string()]
    }

    fn control_addresses(&self) -> Vec<SocketAddr> {
        vec![self.at_port(CONTROL_PORT)]
    }

    fn fabric_addresses(&self) -> Vec<SocketAddr> {
        vec![self.at_port(FABRIC_PORT)]
    }

    fn configured(&self, _: &Config) {}

    fn log(&self) -> &dyn Log {
        self
    }

    fn metadata(&self) -> &dyn MetadataFiles {
        &*self.ground
    }
}

impl MetadataFiles for Ground {
    fn save(&self, module: &str, bytes: &[u8]) -> io::Result<()> {
        self.files.lock().insert(module.into(), bytes.into());
        Ok(())
    }

    fn load(&self, module: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files.lock().get(module).cloned())
    }

    fn place(&self, module: &str) -> String {
        format!("smd/{module}.smd")
    }
}

impl Log for SimHost {
    fn sinks(&self) -> Vec<String> {
        vec!["trace".into()]
    }

    fn levels(&self, sink: usize) -> Option<Vec<LogLevel>> {
        (sink == 0).then(|| vec![LogLevel::Info; LOG_CONTEXTS.len()])
    }

    fn set_level(&self, sink: usize, _: Option<usize>, _: LogLevel) -> bool {
        sink == 0
    }

    fn message(&self, text: &str) {
        self.lines.lock().push(text.into());
    }
}
