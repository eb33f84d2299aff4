//! Frames keep their order, whatever the network does, and are lost with their connection alone.

use super::*;
use crate::host::{CONTROL_PORT, address_of};

const SEND: Spot = Spot { machine: 0, life: 1, index: 0 };

struct Bench {
    network: Network,
    random: fastrand::Rng,
    now: Duration,
}

impl Bench {
    fn new() -> Self {
        let mut network = Network::new(2);
        network.started(0, 1, 1);
        network.started(1, 1, 2);
        Self { network, random: fastrand::Rng::with_seed(7), now: Duration::ZERO }
    }

    fn to(machine: usize) -> Remote {
        Remote::Route(SocketAddr::from((address_of(machine), CONTROL_PORT)), Channel::Control)
    }

    fn send(&mut self, number: u8) {
        assert!(self.network.send(self.now, &mut self.random, SEND, Self::to(1), &[number]));
    }

    /// Lets everything happen up to a time; returns frames, and losses as 255.
    fn until(&mut self, end: Duration) -> Vec<u8> {
        let mut seen = Vec::new();
        loop {
            let due = self.network.events.iter().enumerate();
            let next =
                due.filter(|(_, (at, _))| *at <= end).min_by_key(|(place, (at, _))| (*at, *place));
            let Some((place, _)) = next else { break };
            let (at, event) = self.network.events.remove(place);
            self.now = at;
            match self.network.step(at, &mut self.random, event) {
                Outcome::Frame(_, _, frame) => seen.push(frame[0]),
                Outcome::Lost(..) => seen.push(255),
                Outcome::Nothing => {}
            }
        }
        self.now = end;
        seen
    }
}

#[test]
fn frames_come_in_order_and_wait_for_a_cut_to_mend() {
    let mut bench = Bench::new();
    (1..20).for_each(|number| bench.send(number));
    assert_eq!(bench.until(Duration::from_secs(1)), (1..20).collect::<Vec<_>>());
    bench.network.cut(0, 1);
    bench.send(20);
    bench.send(21);
    assert!(bench.until(Duration::from_secs(2)).is_empty());
    bench.network.mend(bench.now, &mut bench.random, 0, 1);
    bench.send(22);
    assert_eq!(bench.until(Duration::from_secs(3)), [20, 21, 22]);
}

#[test]
fn a_break_is_heard_at_both_ends_and_the_route_is_made_again() {
    let mut bench = Bench::new();
    bench.send(1);
    assert_eq!(bench.until(Duration::from_secs(1)), [1]);
    bench.send(2);
    assert!(bench.network.break_one(bench.now, &mut bench.random).is_some());
    assert_eq!(bench.until(Duration::from_secs(3)), [255, 255], "what was under way is lost");
    bench.send(3);
    assert_eq!(bench.until(Duration::from_secs(4)), [3]);
}

#[test]
fn nothing_connects_to_a_machine_that_is_off_or_cut_off() {
    let mut bench = Bench::new();
    bench.network.cut(1, 0);
    bench.send(1);
    assert!(bench.until(Duration::from_millis(400)).is_empty());
    assert_eq!(bench.until(Duration::from_millis(600)), [255]);
    bench.network.mend_all(bench.now, &mut bench.random);
    bench.network.ended(1, bench.now, &mut bench.random);
    bench.send(2);
    assert_eq!(bench.until(Duration::from_secs(2)), [255]);
}
