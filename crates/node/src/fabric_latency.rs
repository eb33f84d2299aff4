//! How long frames between nodes take, step by step, while `enable-benchmarks-fabric` is on.
//!
//! | step | here |
//! |---|---|
//! | `send-init` | from when a frame is handed to its link until the first call begins that writes some of it: how long it waited for the link to be made, and for those before it |
//! | `send-fragment` | a call that writes some of a frame; the second and later ones of a frame with the wait before them |
//! | `recv-fragment` | a call that reads some of a frame, but not its end; the second and later ones with the wait before them |
//! | `recv-cb` | a whole frame is handled, as far as that goes without waiting for anything |
//!
//! One call may write many frames, and counts for each of them. The links are the host's, which tells of what
//! they do ([`Worker::link_timed`](crate::Worker::link_timed)); the last step is timed here. Frames count as what
//! their bytes count as in the statistics.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::counters::Stripe;
use engine::latency::{Counts, Latency};

use crate::traffic::Class;

/// A step on a frame's way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameStep {
    /// From being handed to a link until some of it is written.
    SendInit,
    /// A call that writes some of it.
    SendFragment,
    /// A call that reads some of it, but not its end.
    RecvFragment,
    /// It is handled.
    RecvCallback,
}

impl FrameStep {
    const ALL: [Self; 4] =
        [Self::SendInit, Self::SendFragment, Self::RecvFragment, Self::RecvCallback];

    fn name(self) -> &'static str {
        match self {
            Self::SendInit => "send-init",
            Self::SendFragment => "send-fragment",
            Self::RecvFragment => "recv-fragment",
            Self::RecvCallback => "recv-cb",
        }
    }
}

/// A histogram for each step of each class of frames.
#[derive(Debug)]
pub(crate) struct FabricLatencies {
    /// Whether they are kept, at hand for every frame.
    is_on: AtomicBool,
    histograms: [[Latency; FrameStep::ALL.len()]; Class::ALL.len()],
}

impl FabricLatencies {
    /// Empty histograms for this many event loops.
    pub fn new(loops: usize, is_on: bool) -> Self {
        let of_class = |_| std::array::from_fn(|_| Latency::new(loops));
        Self { is_on: AtomicBool::new(is_on), histograms: std::array::from_fn(of_class) }
    }

    /// Whether they are kept.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Keeps them from now on, or does not.
    pub fn set_on(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
    }

    /// Counts how long a step took, in milliseconds or microseconds.
    pub fn record(
        &self,
        stripe: Stripe,
        (class, step): (Class, FrameStep),
        took: Duration,
        in_micros: bool,
    ) {
        let micros = took.as_micros() as u64;
        let histogram = &self.histograms[class as usize][step as usize];
        histogram.record(stripe, if in_micros { micros } else { micros / 1000 });
    }

    /// Names of all of them, in the order in which they are shown.
    pub fn names() -> impl Iterator<Item = String> {
        Class::ALL.into_iter().flat_map(|class| {
            FrameStep::ALL
                .iter()
                .map(move |step| format!("fabric-{}-{}", class.name(), step.name()))
        })
    }

    /// All of them, with their names.
    pub fn counts(&self) -> impl Iterator<Item = (String, Counts)> {
        Self::names().zip(self.histograms.iter().flatten().map(Latency::counts))
    }

    /// Sets all of them back to zero.
    pub fn clear(&self) {
        self.histograms.iter().flatten().for_each(Latency::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_of_each_class_has_a_histogram() {
        let latencies = FabricLatencies::new(1, false);
        let filled = || -> Vec<(String, Counts)> {
            latencies.counts().filter(|(_, counts)| counts.total() != 0).collect()
        };
        assert_eq!((latencies.counts().count(), filled().len()), (16, 0));
        let step = (Class::Meta, FrameStep::RecvFragment);
        latencies.record(Stripe::of_loop(0), step, Duration::from_micros(3500), false);
        latencies.record(Stripe::of_loop(0), step, Duration::from_micros(3), true);
        let [(name, counts)] = &filled()[..] else { panic!("{:?}", filled()) };
        assert_eq!((name.as_str(), counts.0[2]), ("fabric-meta-recv-fragment", 2));
        latencies.clear();
        assert!(filled().is_empty());
    }
}
