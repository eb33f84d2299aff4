//! The health of peers and devices, while `enable-health-check` is on: which of them is slower, or gives
//! more trouble, than the others (statistics reference, health).
//!
//! What happens is counted and timed where it happens, in windows of 30 minutes; once a minute the values of
//! all peers, and those of all devices of a namespace, are compared. Of what happens all the time, one of
//! so many is timed ([`Sampler`]). While the check is off nothing is remembered, and all that it costs is a
//! look at a flag.
//!
//! | task | file |
//! |---|---|
//! | windows of half an hour | `window.rs` |
//! | what is out of the ordinary | `outliers.rs` |
//! | what is watched, and how it is shown | `watch.rs` |

mod outliers;
mod watch;
mod window;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cluster::NodeId;
use config::{Config, EngineKind};
use engine::Namespace;
use parking_lot::Mutex;

pub(crate) use watch::{Outlier, PeerEvent, Reading};

use crate::host::Topic;
use crate::node::Node;
use watch::Watch;

/// Of so many events that are not rare, one is timed.
const SAMPLED: u32 = 16;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Whether there is a watch, at hand for every request.
    is_on: AtomicBool,
    watch: Mutex<Option<Watch>>,
}

impl Health {
    /// Whether anything is watched.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Begins with this watch, and forgets what another one knew; without one, watches nothing any more.
    fn set(&self, watch: Option<Watch>) {
        let mut current = self.watch.lock();
        self.is_on.store(watch.is_some(), Ordering::Relaxed);
        *current = watch;
    }

    /// Counts something that happened to a peer.
    #[inline]
    pub fn count(&self, peer: NodeId, event: PeerEvent) {
        self.note(|watch| watch.count(peer, event));
    }

    /// A peer has confirmed a change in the namespace with this number, after so long.
    pub fn replicated(&self, peer: NodeId, namespace: usize, took: Duration) {
        self.note(|watch| watch.replicated(peer, namespace, took));
    }

    /// A record was read from a device, which took so long.
    pub fn device_read(&self, device: &str, took: Duration) {
        self.note(|watch| watch.device_read(device, took));
    }

    #[inline]
    fn note(&self, what: impl FnOnce(&mut Watch)) {
        if self.is_on() {
            self.ask(what);
        }
    }

    /// What the watch says, if there is one.
    fn ask<T: Default>(&self, what: impl FnOnce(&mut Watch) -> T) -> T {
        self.watch.lock().as_mut().map(what).unwrap_or_default()
    }
}

/// Chooses what is timed of what one thread does all the time.
#[derive(Debug, Default)]
pub(crate) struct Sampler(u32);

impl Sampler {
    /// Whether the next event is to be timed.
    #[inline]
    pub fn takes_next(&mut self, health: &Health) -> bool {
        health.is_on() && self.takes()
    }

    fn takes(&mut self) -> bool {
        let number = self.0;
        self.0 = number.wrapping_add(1);
        number.is_multiple_of(SAMPLED)
    }
}

impl Node {
    /// Watches the health of peers and devices, or does not, as the settings want it.
    pub(crate) fn mind_health_setting(&self, config: &Config) {
        let is_on = config.service.enable_health_check;
        if is_on == self.health.is_on() {
            return;
        }
        let namespaces = self.namespaces.iter();
        let namespaces = namespaces.map(|namespace| (&*namespace.name, devices_of(namespace)));
        self.health.set(is_on.then(|| Watch::new(self.host.monotonic(), namespaces)));
    }

    /// Looks for outliers when it is time for that, and tells the log of them.
    pub(crate) fn mind_health(&self) {
        if !self.health.is_on() {
            return;
        }
        let (now, peers) = (self.host.monotonic(), self.other_members());
        let found = self.health.ask(|watch| watch.step(now, &peers).to_vec());
        for outlier in found {
            self.host.log().tell(Topic::HealthTrouble, &outlier.log_line());
        }
    }

    /// What was out of the ordinary when last looked at.
    pub(crate) fn health_outliers(&self) -> Vec<Outlier> {
        self.health.ask(|watch| watch.outliers().to_vec())
    }

    /// All that is watched, as of now.
    pub(crate) fn health_readings(&self) -> Vec<Reading> {
        let peers = self.other_members();
        self.health.ask(|watch| watch.readings(&peers))
    }

    fn other_members(&self) -> Vec<NodeId> {
        let me = self.cluster.me();
        self.cluster.look().members.iter().copied().filter(|node| *node != me).collect()
    }
}

/// The devices that records of a namespace are read from. One that only backs memory is not read.
fn devices_of(namespace: &Namespace) -> Vec<String> {
    match namespace.config().storage_engine.kind {
        EngineKind::Device => namespace.device_stats().into_iter().map(|of| of.name).collect(),
        EngineKind::Memory | EngineKind::Pmem => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_of_sixteen_is_timed_while_the_check_is_on() {
        let health = Health::default();
        let mut sampler = Sampler::default();
        assert!(!sampler.takes_next(&health));
        health.set(Some(Watch::new(Duration::ZERO, [])));
        let taken: Vec<_> = (0..40).filter(|_| sampler.takes_next(&health)).collect();
        assert_eq!(taken, [0, 16, 32]);
        health.set(None);
        assert!(!sampler.takes_next(&health));
    }

    #[test]
    fn nothing_is_remembered_while_the_check_is_off() {
        let health = Health::default();
        let count = |peer| health.count(NodeId(peer), PeerEvent::Arrival);
        let shown = || health.ask(|watch| watch.readings(&[]).len());
        let begin = || health.set(Some(Watch::new(Duration::ZERO, [])));
        count(1);
        begin();
        assert_eq!(shown(), 0, "nothing is counted before");
        count(1);
        count(2);
        assert_eq!(shown(), 4, "two peers, each with what needs no membership");
        health.set(None);
        count(1);
        assert_eq!(shown(), 0);
        begin();
        assert_eq!(shown(), 0);
    }
}
