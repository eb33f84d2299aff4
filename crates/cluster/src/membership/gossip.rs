//! Who else is there, by hearsay: the crate `foca`, which is SWIM as a step function.
//!
//! Its frames travel inside our messages, its timers become deadlines of ours, its random numbers come from our
//! seed. What it finds are identities with addresses, to which pulses are then sent; who belongs to a view never
//! rests on it, because gossip hides cuts in one direction: A would believe in B because C speaks well of it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

use foca::{Config, Foca, Identity as _, NoCustomBroadcast, Notification, PeriodicParams, Timer};

use super::frame::{FRAME_BYTES_MAX, FrameCodec, is_turn_undead};
use super::timing::Timing;
use crate::NodeId;

/// A node as the gossip knows it. The node id is what `foca` calls the address: one identity of it wins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    pub node: NodeId,
    pub incarnation: u64,
    /// Raised when the gossip takes a living node for dead, which it takes back for a new identity only. No
    /// part of a life: the view does not change for it.
    pub renewals: u32,
    pub address: SocketAddr,
}

impl foca::Identity for Identity {
    type Addr = NodeId;

    fn renew(&self) -> Option<Self> {
        let renewals = self.renewals.checked_add(1)?;
        Some(Self { renewals, ..self.clone() })
    }

    fn addr(&self) -> NodeId {
        self.node
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        let rank = |one: &Self| (one.incarnation, one.renewals, one.address);
        rank(self) > rank(adversary)
    }
}

/// Random numbers for `foca`, from our seed.
struct Random(fastrand::Rng);

impl rand_core::TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.u32(..))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.u64(..))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

/// What the gossip asks for.
#[derive(Default)]
pub(super) struct Asked {
    /// Frames, with where to send them.
    pub frames: Vec<(Identity, Vec<u8>)>,
    /// Identities that became known, or took the place of others with the same id.
    pub found: Vec<Identity>,
    timers: Vec<(Timer<Identity>, Duration)>,
    has_rejoined: bool,
}

impl foca::Runtime<Identity> for Asked {
    fn notify(&mut self, notification: Notification<'_, Identity>) {
        match notification {
            Notification::MemberUp(identity) | Notification::Rename(_, identity) => {
                self.found.push(identity.clone());
            }
            Notification::Rejoin(_) => self.has_rejoined = true,
            _ => {}
        }
    }

    fn send_to(&mut self, to: Identity, data: &[u8]) {
        self.frames.push((to, data.to_vec()));
    }

    fn submit_after(&mut self, event: Timer<Identity>, after: Duration) {
        self.timers.push((event, after));
    }
}

/// The gossip of one node.
pub(super) struct Gossip {
    foca: Foca<Identity, FrameCodec, Random, NoCustomBroadcast>,
    /// By when they are due, then in the order of their submission.
    timers: BTreeMap<(Duration, u64), Timer<Identity>>,
    submitted: u64,
    identities_max: usize,
    config: Config,
    /// Until then, being told to be dead is not listened to.
    deaf_until: Duration,
    deaf_for: Duration,
}

impl Gossip {
    pub fn new(
        node: NodeId,
        incarnation: u64,
        address: SocketAddr,
        timing: &Timing,
        size_max: usize,
        seed: u64,
    ) -> Self {
        let config = config(timing, size_max);
        let identity = Identity { node, incarnation, renewals: 0, address };
        let random = Random(fastrand::Rng::with_seed(seed));
        Self {
            foca: Foca::new(identity, config.clone(), random, FrameCodec),
            timers: BTreeMap::new(),
            submitted: 0,
            identities_max: size_max.saturating_mul(4).max(64),
            config,
            deaf_until: Duration::ZERO,
            deaf_for: timing.timeout(),
        }
    }

    /// When [`Gossip::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.timers.keys().next().map(|(at, _)| *at)
    }

    /// Lets the due timers act.
    pub fn tick(&mut self, now: Duration) -> Asked {
        let mut asked = Asked::default();
        // What a timer submits is due later than now; a bound against any that is not.
        for _ in 0..self.timers.len() {
            let Some(first) = self.timers.first_entry().filter(|first| first.key().0 <= now) else {
                break;
            };
            // Its errors say that timers were late or a frame was odd; it goes on after both.
            let _ = self.foca.handle_timer(first.remove(), &mut asked);
        }
        self.keep(now, &mut asked);
        asked
    }

    /// Takes a frame. Any bytes will do.
    pub fn frame(&mut self, now: Duration, bytes: &[u8]) -> Asked {
        let mut asked = Asked::default();
        // A node that was declared dead renews itself and tells others, who, if they hold on to
        // another life of that id, say again that it is dead: without a pause that goes on at the
        // speed of the network.
        if is_turn_undead(bytes) && now < self.deaf_until {
            return asked;
        }
        if self.foca.iter_membership_state().len() >= self.identities_max {
            self.forget();
        }
        let _ = self.foca.handle_data(bytes, &mut asked);
        self.keep(now, &mut asked);
        asked
    }

    /// Asks a node for all that it knows; unless that is wanted in any case, only if it is not known itself.
    pub fn announce(&mut self, now: Duration, to: Identity, in_any_case: bool) -> Asked {
        let mut asked = Asked::default();
        let is_known = |known: &foca::Member<Identity>| {
            known.id().node == to.node && known.id().incarnation == to.incarnation
        };
        if in_any_case || !self.foca.iter_members().any(is_known) {
            let _ = self.foca.announce(to, &mut asked);
            self.keep(now, &mut asked);
        }
        asked
    }

    /// Begins anew, knowing nobody: what has piled up is more than a cluster can have.
    pub fn forget(&mut self) {
        let identity = self.foca.identity();
        let identity = identity.renew().unwrap_or_else(|| identity.clone());
        let random = Random(fastrand::Rng::with_seed(self.submitted ^ identity.incarnation));
        self.foca = Foca::new(identity, self.config.clone(), random, FrameCodec);
        self.timers.clear();
    }

    fn keep(&mut self, now: Duration, asked: &mut Asked) {
        for (timer, after) in asked.timers.drain(..) {
            self.submitted += 1;
            self.timers.insert((now.saturating_add(after), self.submitted), timer);
        }
        if std::mem::take(&mut asked.has_rejoined) {
            self.deaf_until = now.saturating_add(self.deaf_for);
        }
    }
}

/// The gossip's own times, all multiples of the heartbeat's.
fn config(timing: &Timing, size_max: usize) -> Config {
    let one = NonZeroUsize::MIN;
    let three = one.saturating_add(2);
    let every = |frequency, num_members| Some(PeriodicParams { frequency, num_members });
    // An update has reached all with high probability after a few times the logarithm of their number.
    let rounds = 4 * (usize::BITS - size_max.leading_zeros()).min(10);
    Config {
        probe_period: timing.interval * 6,
        probe_rtt: timing.interval * 2,
        num_indirect_probes: three,
        max_transmissions: NonZeroU8::new(rounds as u8).unwrap_or(NonZeroU8::MIN),
        suspect_to_down_after: timing.timeout() * 2,
        remove_down_after: Some(timing.timeout() * 60),
        max_packet_size: NonZeroUsize::new(FRAME_BYTES_MAX).unwrap_or(one),
        notify_down_members: true,
        periodic_announce: every(timing.timeout() * 10, one),
        periodic_announce_to_down_members: every(timing.timeout() * 5, one),
        periodic_gossip: every(timing.interval * 2, three),
    }
}
