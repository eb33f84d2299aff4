//! What requests wait for, one kind after the other.

use super::*;
use crate::info::testing;

fn waits() -> Waits {
    let (_, node) = testing::node();
    Waits::new(Reader::inline(), Signal::new().unwrap(), TimedReads::new(&node))
}

#[test]
fn a_place_has_another_ticket_for_each_claim() {
    let waits = waits();
    let (first, second) = (waits.claim(), waits.claim());
    let gone = first.ticket();
    assert_ne!(gone, second.ticket());
    drop(first);
    let third = waits.claim();
    assert_eq!(third.ticket() as u32, gone as u32, "it is the same place");
    assert_ne!(third.ticket(), gone);
    waits.places.borrow_mut().release(gone);
    assert!(third.outcome().is_some(), "a late release finds nothing");
    assert!(waits.places.borrow_mut().get(gone).is_none());
    assert_eq!(waits.places.borrow().count(), 2);
}

#[test]
fn a_claim_without_reads_and_pledges_is_over_at_once() {
    let mut waits = waits();
    let claim = waits.claim();
    waits.hold(&claim, Vec::new());
    let mut ready = Vec::new();
    waits.reap(Duration::ZERO, &mut ready);
    assert_eq!(ready, [claim.ticket()]);
    let outcome = claim.outcome().unwrap();
    assert!(outcome.fetched.is_empty() && !outcome.failed);
    ready.clear();
    waits.reap(Duration::ZERO, &mut ready);
    assert!(ready.is_empty(), "told once");
}

#[test]
fn a_claim_waits_for_other_threads() {
    let mut waits = waits();
    let claim = waits.claim();
    let callers = [waits.call(&claim), waits.call(&claim)];
    let mut ready = Vec::new();
    for caller in callers {
        waits.reap(Duration::ZERO, &mut ready);
        assert!(ready.is_empty() && claim.outcome().is_none());
        std::thread::spawn(|| caller.answered()).join().unwrap();
    }
    assert!(waits.signal.lower());
    waits.reap(Duration::ZERO, &mut ready);
    assert_eq!(ready, [claim.ticket()]);
    assert!(claim.outcome().is_some());
}

#[test]
fn a_claim_sleeps_until_its_time() {
    let at = Duration::from_secs;
    let mut waits = waits();
    let [first, second, gone] = [7, 5, 6].map(|until| {
        let claim = waits.claim();
        waits.sleep(&claim, at(until));
        claim
    });
    drop(gone);
    assert!(first.outcome().is_none());
    let mut ready = Vec::new();
    waits.reap(at(4), &mut ready);
    assert_eq!((&ready[..], waits.next_at()), (&[][..], Some(at(5))));
    waits.reap(at(6), &mut ready);
    assert_eq!((&ready[..], waits.next_at()), (&[second.ticket()][..], Some(at(7))));
    waits.reap(at(8), &mut ready);
    assert_eq!(ready, [second.ticket(), first.ticket()]);
    assert!(first.outcome().is_some() && waits.next_at().is_none());
}
