//! What goes on between this node and others, in numbers: heartbeats, bytes of each kind, requests that wait
//! for others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cluster::fabric::Kind;
use crossbeam_utils::CachePadded;
use engine::counter_names;
use engine::counters::{Bank, Stripe};

counter_names! {
    /// What is counted. The bytes are those of frames, without what carries them.
    TrafficCounter {
        HeartbeatsReceived = "heartbeat_received_foreign",
        BulkSent = "fabric_bulk_send_rate",
        BulkReceived = "fabric_bulk_recv_rate",
        CtrlSent = "fabric_ctrl_send_rate",
        CtrlReceived = "fabric_ctrl_recv_rate",
        MetaSent = "fabric_meta_send_rate",
        MetaReceived = "fabric_meta_recv_rate",
        RwSent = "fabric_rw_send_rate",
        RwReceived = "fabric_rw_recv_rate",
    }
}

use TrafficCounter::*;

/// Those that have a rate, in the order of the statistics.
pub(crate) const RATED: [TrafficCounter; 8] =
    [BulkSent, BulkReceived, CtrlSent, CtrlReceived, MetaSent, MetaReceived, RwSent, RwReceived];

/// See the module.
#[derive(Debug)]
pub(crate) struct Traffic {
    counters: Bank<TrafficCounter>,
    /// Bytes a second of [`RATED`] in the last interval of the ticker.
    rates: [AtomicU64; RATED.len()],
    /// What each loop has under way.
    under_way: Box<[CachePadded<UnderWay>]>,
}

/// Requests of a loop that wait for other nodes.
#[derive(Debug, Default)]
struct UnderWay {
    records: AtomicU64,
    proxies: AtomicU64,
}

impl Traffic {
    /// For so many event loops.
    pub fn new(loops: usize) -> Self {
        Self {
            counters: Bank::new(loops),
            rates: Default::default(),
            under_way: (0..loops).map(|_| CachePadded::default()).collect(),
        }
    }

    /// Counts a frame that was sent.
    pub fn sent(&self, stripe: Stripe, frame: &[u8]) {
        let Some(class) = Class::of_frame(frame) else { return };
        let (sent, _) = class.counters();
        self.counters.add(stripe, sent, frame.len() as u64);
    }

    /// Counts a frame that was received.
    pub fn received(&self, stripe: Stripe, kind: Kind, size_bytes: usize) {
        let (_, received) = Class::of(kind).counters();
        self.counters.add(stripe, received, size_bytes as u64);
        if kind == Kind::Membership {
            self.counters.raise(stripe, HeartbeatsReceived);
        }
    }

    /// Messages of other nodes about who is there.
    pub fn heartbeats_received(&self) -> u64 {
        self.counters.sum(HeartbeatsReceived)
    }

    /// Bytes so far, in the order of [`RATED`].
    pub fn bytes(&self) -> [u64; RATED.len()] {
        RATED.map(|counter| self.counters.sum(counter))
    }

    /// Sets the rates by what there was at the beginning of an interval. Returns what there is now.
    pub fn measure(&self, before: [u64; RATED.len()], elapsed: Duration) -> [u64; RATED.len()] {
        let now = self.bytes();
        let elapsed_ms = elapsed.as_millis().max(1) as u64;
        for ((rate, before), now) in self.rates.iter().zip(before).zip(now) {
            let bytes = now.saturating_sub(before);
            rate.store(bytes.saturating_mul(1000) / elapsed_ms, Ordering::Relaxed);
        }
        now
    }

    /// Bytes a second in the last interval of the ticker, in the order of [`RATED`].
    pub fn rates(&self) -> [u64; RATED.len()] {
        std::array::from_fn(|place| self.rates[place].load(Ordering::Relaxed))
    }

    /// Notes what a loop has under way.
    pub fn set_under_way(&self, of_loop: usize, records: usize, proxies: usize) {
        if let Some(under_way) = self.under_way.get(of_loop) {
            under_way.records.store(records as u64, Ordering::Relaxed);
            under_way.proxies.store(proxies as u64, Ordering::Relaxed);
        }
    }

    /// Requests about records that wait for replicas, for what another node has, or that were passed on:
    /// the first two, and the last.
    pub fn under_way(&self) -> (u64, u64) {
        let sum = |of: fn(&UnderWay) -> &AtomicU64| {
            self.under_way.iter().map(|under_way| of(under_way).load(Ordering::Relaxed)).sum()
        };
        (sum(|of| &of.records), sum(|of| &of.proxies))
    }
}

/// What frames count as in statistics: the channels of the original.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    Bulk,
    Ctrl,
    Meta,
    Rw,
}

impl Class {
    /// All of them, in the order of the statistics.
    pub const ALL: [Self; 4] = [Self::Bulk, Self::Ctrl, Self::Meta, Self::Rw];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Ctrl => "ctrl",
            Self::Meta => "meta",
            Self::Rw => "rw",
        }
    }

    /// That of frames of a kind.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Membership | Kind::Exchange => Self::Ctrl,
            Kind::Metadata | Kind::Command => Self::Meta,
            Kind::Proxy | Kind::Write | Kind::Remove | Kind::Lookup | Kind::Answer => Self::Rw,
            Kind::Migration => Self::Bulk,
        }
    }

    /// That of the frame that begins so, which may not be all of it; `None` if it is none.
    pub fn of_frame(start: &[u8]) -> Option<Self> {
        start.get(1).and_then(|kind| Kind::of(*kind)).map(Self::of)
    }

    /// Where its bytes are counted, sent and received.
    fn counters(self) -> (TrafficCounter, TrafficCounter) {
        match self {
            Self::Bulk => (BulkSent, BulkReceived),
            Self::Ctrl => (CtrlSent, CtrlReceived),
            Self::Meta => (MetaSent, MetaReceived),
            Self::Rw => (RwSent, RwReceived),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_rates() {
        let traffic = Traffic::new(2);
        traffic.sent(Stripe::of_loop(0), &[1, Kind::Write as u8, 0, 0]);
        traffic.sent(Stripe::of_loop(1), &[1, Kind::Answer as u8, 0, 0]);
        traffic.received(Stripe::of_loop(1), Kind::Membership, 100);
        let before = traffic.measure([0; 8], Duration::from_millis(500));
        assert_eq!(traffic.rates(), [0, 0, 0, 200, 0, 0, 16, 0]);
        assert_eq!(traffic.heartbeats_received(), 1);
        traffic.measure(before, Duration::from_secs(1));
        assert_eq!(traffic.rates(), [0; 8]);
    }

    #[test]
    fn loops_add_up() {
        let traffic = Traffic::new(2);
        traffic.set_under_way(0, 3, 1);
        traffic.set_under_way(1, 4, 0);
        traffic.set_under_way(0, 1, 0);
        assert_eq!(traffic.under_way(), (5, 0));
    }
}
