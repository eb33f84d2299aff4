//! Limits on connections that an operator changes while the server runs.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use mio::Waker;
use parking_lot::Mutex;

use super::socket::Keepalive;

/// Limits on connections, shared by the control plane, which sets them, and the event loops.
///
/// A change takes effect at once, for connections that are open already too.
pub struct Limits {
    connections_max: AtomicU32,
    idle_ms: AtomicU32,
    buffered_bytes_max: AtomicU64,
    link_unsent_bytes_max: AtomicU64,
    heartbeat_connect_ms: AtomicU32,
    link_keepalive: Mutex<Option<Keepalive>>,
    /// Loops that sleep without a timeout and must hear of a new one.
    sleepers: Mutex<Vec<Weak<Waker>>>,
}

impl Default for Limits {
    /// The original's defaults: 15,000 connections, never reaped. All buffers together may hold
    /// 4 GiB, room for 32 frames of the greatest size. 64 MiB may wait in a link to another node, which has half a
    /// second to be connected, and is asked after each second.
    fn default() -> Self {
        Self {
            connections_max: AtomicU32::new(15_000),
            idle_ms: AtomicU32::new(0),
            buffered_bytes_max: AtomicU64::new(4 * 1024 * 1024 * 1024),
            link_unsent_bytes_max: AtomicU64::new(64 * 1024 * 1024),
            heartbeat_connect_ms: AtomicU32::new(500),
            link_keepalive: Mutex::new(Some(Keepalive::OF_LINKS)),
            sleepers: Mutex::default(),
        }
    }
}

impl Limits {
    /// How many client connections may be open (setting `proto-fd-max`). One more is accepted and
    /// closed at once.
    pub fn connections_max(&self) -> u32 {
        self.connections_max.load(Relaxed)
    }

    /// Sets [`Self::connections_max`]. Connections above a lowered limit stay.
    pub fn set_connections_max(&self, count: u32) {
        self.connections_max.store(count, Relaxed);
    }

    /// How long a connection may be silent before it is reaped (setting `proto-fd-idle-ms`);
    /// 0 for ever.
    pub fn idle_ms(&self) -> u32 {
        self.idle_ms.load(Relaxed)
    }

    /// Sets [`Self::idle_ms`].
    pub fn set_idle_ms(&self, idle_ms: u32) {
        self.idle_ms.store(idle_ms, Relaxed);
        self.sleepers.lock().retain(|sleeper| match sleeper.upgrade() {
            Some(waker) => waker.wake().is_ok(),
            None => false,
        });
    }

    /// How many bytes unfinished frames and unsent replies may take up, all connections together.
    /// A connection that grows beyond its loop's equal share of this is closed.
    pub fn buffered_bytes_max(&self) -> u64 {
        self.buffered_bytes_max.load(Relaxed)
    }

    /// Sets [`Self::buffered_bytes_max`].
    pub fn set_buffered_bytes_max(&self, bytes: u64) {
        self.buffered_bytes_max.store(bytes, Relaxed);
    }

    /// How many bytes may be unsent on a link to another node before it takes no further frame. One
    /// that another node opened is not read either while there are more. Links do not count for
    /// [`Self::buffered_bytes_max`].
    pub fn link_unsent_bytes_max(&self) -> u64 {
        self.link_unsent_bytes_max.load(Relaxed)
    }

    /// Sets [`Self::link_unsent_bytes_max`].
    pub fn set_link_unsent_bytes_max(&self, bytes: u64) {
        self.link_unsent_bytes_max.store(bytes, Relaxed);
    }

    /// How long connecting for heartbeats may take (setting `connect-timeout-ms` of the heartbeat).
    pub fn heartbeat_connect_time(&self) -> Duration {
        Duration::from_millis(self.heartbeat_connect_ms.load(Relaxed).into())
    }

    /// Sets [`Self::heartbeat_connect_time`], for connections that are begun from now on.
    pub fn set_heartbeat_connect_ms(&self, ms: u32) {
        self.heartbeat_connect_ms.store(ms, Relaxed);
    }

    /// How the kernel asks after silent nodes (settings `keepalive-*` of the fabric); `None`: it does not.
    pub fn link_keepalive(&self) -> Option<Keepalive> {
        *self.link_keepalive.lock()
    }

    /// Sets [`Self::link_keepalive`], for connections that are made from now on.
    pub fn set_link_keepalive(&self, keepalive: Option<Keepalive>) {
        *self.link_keepalive.lock() = keepalive;
    }

    /// [`Self::idle_ms`] as a duration; `None` for ever.
    pub(super) fn idle_time(&self) -> Option<Duration> {
        let idle_ms = self.idle_ms();
        (idle_ms > 0).then(|| Duration::from_millis(idle_ms.into()))
    }

    /// Has a loop woken when a limit that it sleeps by changes.
    pub(super) fn wake_on_change(&self, waker: &Arc<Waker>) {
        self.sleepers.lock().push(Arc::downgrade(waker));
    }
}
