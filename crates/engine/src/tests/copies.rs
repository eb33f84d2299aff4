//! Versions that go to other nodes and come from them.

use record::{Body, LastUpdateTime, RecordMeta};
use storage::Pledges;
use storage::device::ram::RamDevice;
use wire::ResultCode;

use super::fixture::*;
use crate::Stripe;
use crate::copies::{Accepted, Rule, Version, Written};
use crate::namespace::Turn;

/// A record as it travels.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Copy {
    meta: RecordMeta,
    set_name: Vec<u8>,
    bytes: Vec<u8>,
}

fn copy_out(fixture: &Fixture, key: u32) -> Option<Copy> {
    let mut bytes = Vec::new();
    let copy_out = |fetched: &_| fixture.namespace.copy_out(&digest(key), fetched, &mut bytes);
    let (meta, set) = storage::blocking(copy_out).unwrap()?;
    let set_name = set.map_or(Vec::new(), |set| set.name.to_vec());
    Some(Copy { meta, set_name, bytes })
}

/// Runs something that may have to read first; says also what others would have to hear of.
fn take<T>(
    fixture: &Fixture,
    mut what: impl FnMut(&mut Turn<'_>) -> Result<T, storage::Fetch>,
) -> (T, Written) {
    let (mut pledges, mut scratch) = (Pledges::default(), Vec::new());
    storage::blocking(|fetched| {
        let mut turn = Turn {
            now: fixture.now,
            stripe: Stripe::SHARED,
            scratch: &mut scratch,
            fetched,
            pledges: &mut pledges,
            written: Written::Nothing,
        };
        let done = what(&mut turn)?;
        Ok::<_, storage::Fetch>((done, turn.written))
    })
}

fn accept(fixture: &Fixture, key: u32, copy: &Copy, rule: Rule) -> Result<Accepted, ResultCode> {
    let body = Body::checked(&copy.bytes).unwrap();
    let Copy { meta, set_name, bytes } = copy;
    let version = Version { meta: *meta, set_name, body, bytes };
    take(fixture, |turn| fixture.namespace.accept(&digest(key), &version, rule, turn)).0
}

fn remove(fixture: &Fixture, key: u32, at: LastUpdateTime) -> Accepted {
    take(fixture, |turn| fixture.namespace.accept_removal(&digest(key), at, turn)).0.unwrap()
}

fn on_each_engine(scenario: impl Fn(Fixture, Fixture)) {
    scenario(Fixture::new(), Fixture::new());
    let on_device = || {
        Fixture::on(std::sync::Arc::new(RamDevice::new("ram", 128 << 20, true)), |config| {
            config.nsup_period_seconds = 120
        })
    };
    scenario(on_device(), on_device());
}

#[test]
fn a_record_is_the_same_on_another_node() {
    on_each_engine(|mut here, mut there| {
        there.create(99);
        there.do_ok(98, put("a", "1").set("other"));
        here.do_ok(1, put("a", "1").set("s").record_ttl(100));
        here.pass_ms(5);
        here.do_ok(1, put("b", "2").set("s"));
        let copy = copy_out(&here, 1).unwrap();
        assert_eq!(accept(&there, 1, &copy, Rule::LastUpdateTime), Ok(Accepted::Stored));
        assert_eq!(there.do_ok(1, get()), here.do_ok(1, get()));
        assert_eq!(copy_out(&there, 1).unwrap().bytes, copy.bytes);
        assert_eq!(accept(&there, 1, &copy, Rule::LastUpdateTime), Ok(Accepted::Older));
        here.do_ok(1, durable_delete());
        let tombstone = copy_out(&here, 1).unwrap();
        assert_eq!(accept(&there, 1, &tombstone, Rule::Generation), Ok(Accepted::Stored));
        assert!(!there.is_there(1) && there.namespace.tombstone_count() == 1);
        assert_eq!(copy_out(&there, 7), None);
    });
}

#[test]
fn which_version_counts_is_by_rule() {
    let mut here = Fixture::new();
    let mut there = Fixture::new();
    here.create(1);
    here.do_ok(1, put("a", "2"));
    there.pass_ms(10);
    there.create(1);
    let (often, late) = (copy_out(&here, 1).unwrap(), copy_out(&there, 1).unwrap());
    assert_eq!(accept(&there, 1, &often, Rule::LastUpdateTime), Ok(Accepted::Older));
    assert_eq!(accept(&here, 1, &late, Rule::Generation), Ok(Accepted::Older));
    assert_eq!(accept(&there, 1, &often, Rule::Generation), Ok(Accepted::Stored));
    assert_eq!(accept(&here, 1, &late, Rule::LastUpdateTime), Ok(Accepted::Stored));
    let wrapped = |from: u16, to: u16| {
        let meta = |generation| RecordMeta {
            generation: record::Generation(generation),
            ..RecordMeta::default()
        };
        Rule::Generation.compare(&meta(to), &meta(from)).is_gt()
    };
    assert!(wrapped(65_535, 1) && wrapped(60_000, 20) && !wrapped(1, 65_535));
}

/// Whoever makes a record anew after its time begins with the first generation.
#[test]
fn what_is_made_anew_counts_more_than_what_is_dead() {
    on_each_engine(|mut here, mut there| {
        for _ in 0..3 {
            here.do_ok(1, put("a", "1").set("s").record_ttl(10));
        }
        there.pass_seconds(9);
        there.do_ok(1, put("a", "2").set("s"));
        let new = copy_out(&there, 1).unwrap();
        let wants = |here: &Fixture| here.namespace.wants(&digest(1), &new.meta, here.now);
        here.pass_seconds(9);
        assert_eq!(accept(&here, 1, &new, Rule::Generation), Ok(Accepted::Older), "it lives");
        assert!(!wants(&here));
        let old = copy_out(&here, 1).unwrap();
        here.pass_seconds(2);
        assert!(wants(&here));
        assert_eq!(accept(&here, 1, &new, Rule::Generation), Ok(Accepted::Stored));
        assert_eq!(here.do_ok(1, get()).text("a").as_deref(), Some("2"));
        there.pass_seconds(2);
        assert_eq!(accept(&there, 1, &old, Rule::Generation), Ok(Accepted::Older), "it is dead");
        here.check_statistics();
        // What was written before it is older in any case.
        let meta = RecordMeta {
            last_update_time: LastUpdateTime(old.meta.last_update_time.0 - 1),
            ..new.meta
        };
        let before = Copy { meta, ..new.clone() };
        let mut third = Fixture::new();
        assert_eq!(accept(&third, 1, &old, Rule::Generation), Ok(Accepted::Stored));
        third.pass_seconds(11);
        assert_eq!(accept(&third, 1, &before, Rule::Generation), Ok(Accepted::Older));
        // The same holds for what a truncation took.
        let mut fourth = Fixture::new();
        let meta = RecordMeta { void_time: record::VoidTime::NEVER, ..old.meta };
        let lasting = Copy { meta, ..old.clone() };
        assert_eq!(accept(&fourth, 1, &lasting, Rule::Generation), Ok(Accepted::Stored));
        assert_eq!(accept(&fourth, 1, &new, Rule::Generation), Ok(Accepted::Older));
        fourth.pass_seconds(1);
        let until = Some(LastUpdateTime(old.meta.last_update_time.0 + 1));
        fourth.namespace.apply_truncation(Some(b"s"), until).unwrap();
        assert_eq!(accept(&fourth, 1, &new, Rule::Generation), Ok(Accepted::Stored));
        assert!(fourth.is_there(1));
    });
}

#[test]
fn what_was_removed_does_not_come_back_from_the_road() {
    on_each_engine(|mut here, mut there| {
        there.namespace.drops.set_on(true);
        here.namespace.drops.set_on(true);
        here.create(1);
        let old = copy_out(&here, 1).unwrap();
        assert_eq!(accept(&there, 1, &old, Rule::LastUpdateTime), Ok(Accepted::Stored));
        here.do_ok(1, delete());
        let at = here.now;
        assert_eq!(remove(&there, 1, at), Accepted::Stored);
        assert_eq!(accept(&there, 1, &old, Rule::LastUpdateTime), Ok(Accepted::Older));
        assert!(!there.is_there(1));
        // Made anew within the same millisecond, it is the later one all the same.
        here.do_ok(1, put("a", "3"));
        let new = copy_out(&here, 1).unwrap();
        assert!(new.meta.last_update_time > at);
        assert_eq!(accept(&there, 1, &new, Rule::LastUpdateTime), Ok(Accepted::Stored));
        assert_eq!(remove(&there, 1, at), Accepted::Older);
        assert!(there.is_there(1));
    });
}

#[test]
fn a_removal_counts_by_the_clock_of_whoever_removed() {
    on_each_engine(|mut here, mut there| {
        for fixture in [&here, &there] {
            fixture.namespace.drops.set_on(true);
        }
        here.create(1);
        let old = copy_out(&here, 1).unwrap();
        assert_eq!(accept(&there, 1, &old, Rule::LastUpdateTime), Ok(Accepted::Stored));
        there.pass_ms(1000);
        here.do_ok(1, delete());
        assert_eq!(remove(&there, 1, here.now), Accepted::Stored);
        here.pass_ms(1);
        here.do_ok(1, put("a", "3"));
        let new = copy_out(&here, 1).unwrap();
        assert_eq!(accept(&there, 1, &new, Rule::LastUpdateTime), Ok(Accepted::Stored));
    });
}

#[test]
fn others_hear_of_what_a_request_does() {
    let mut here = Fixture::new();
    let written = |here: &Fixture, request: wire::client::RequestBuilder| {
        let body = request.into_body();
        let request = wire::Request::parse(&body).unwrap();
        let mut out = Vec::new();
        let is_delete = request.header.info2.contains(wire::Info2::DELETE);
        take(here, |turn| {
            let reply = wire::reply::ReplyWriter::new(&mut out);
            match is_delete {
                true => here.namespace.delete(&request, &digest(1), turn, reply),
                false => here.namespace.write(&request, &digest(1), turn, reply),
            }
        })
        .1
    };
    let Written::Stored(meta) = written(&here, put("a", "1")) else { panic!("it was written") };
    assert_eq!(Some(meta), here.meta(1));
    here.pass_ms(7);
    assert_eq!(
        written(&here, put("a", "1").info2(wire::Info2::WRITE | wire::Info2::CREATE_ONLY)),
        Written::Nothing
    );
    assert_eq!(written(&here, drop_bin("a")), Written::Removed(here.now));
    assert_eq!(written(&here, delete()), Written::Nothing);
}

#[test]
fn what_is_no_body_is_refused() {
    let mut here = Fixture::new();
    here.do_ok(1, put("a", "a value").set("s"));
    let bytes = copy_out(&here, 1).unwrap().bytes;
    assert!(Body::checked(&bytes).is_some());
    let mut random = fastrand::Rng::with_seed(1);
    for end in 0..bytes.len() {
        assert!(Body::checked(&bytes[..end]).is_none());
    }
    for _ in 0..2_000 {
        let mut damaged = bytes.clone();
        damaged[random.usize(..8)] = random.u8(..);
        if let Some(body) = Body::checked(&damaged) {
            assert_eq!(body.bins().count(), usize::from(body.bin_count()));
        }
    }
}
