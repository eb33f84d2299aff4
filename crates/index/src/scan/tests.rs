//! Scans that resume, visits that break, sweeps that go on beside writers.

use record::SetId;

use super::*;
use crate::testing::{digest_in, entry};

const PARTITION: u16 = 0x321;

fn filled(count: u64) -> (PrimaryIndex, PartitionId, Vec<Digest>) {
    let partition = PartitionId::new(PARTITION).unwrap();
    let index = PrimaryIndex::new();
    let mut random = fastrand::Rng::with_seed(31);
    let mut digests: Vec<Digest> = (0..count).map(|_| digest_in(partition, &mut random)).collect();
    for (digest, number) in digests.iter().zip(0..) {
        index.write(digest).insert(entry(number, SetId(1))).unwrap();
    }
    digests.sort_unstable_by(|a, b| b.cmp(a));
    (index, partition, digests)
}

#[test]
fn scan_resumes_below_the_last_digest() {
    let (index, partition, digests) = filled(10_000);
    for limit in [1, 7, 100, 4_999, 10_000, 20_000] {
        let mut delivered: Vec<Digest> = Vec::new();
        let mut items = Vec::new();
        loop {
            items.clear();
            let below = delivered.last().copied();
            let progress = index.scan_desc(partition, below.as_ref(), limit, &mut items);
            assert!(items.len() <= limit);
            delivered.extend(items.iter().map(|item| item.digest));
            if progress == ScanProgress::Done || delivered.len() > 2_000 && limit < 7 {
                break;
            }
        }
        assert_eq!(delivered, digests[..delivered.len()]);
        assert!(limit < 7 || delivered.len() == digests.len());
    }
}

#[test]
fn digests_of_another_partition_have_nothing_below() {
    let (index, partition, _) = filled(10);
    let mut items = Vec::new();
    let elsewhere = Digest([0xFF; 20]);
    let progress = index.scan_desc(partition, Some(&elsewhere), 5, &mut items);
    assert_eq!((progress, items.len()), (ScanProgress::Done, 0));
}

#[test]
fn limit_of_zero_delivers_nothing() {
    let (index, partition, _) = filled(10);
    let mut items = Vec::new();
    assert_eq!(index.scan_desc(partition, None, 0, &mut items), ScanProgress::More);
    assert!(items.is_empty());
}

#[test]
fn visits_stop_when_told() {
    let (index, partition, digests) = filled(1_000);
    let mut visited = Vec::new();
    let flow = index.visit_desc(partition, Some(&digests[99]), |digest, _| {
        visited.push(*digest);
        if visited.len() == 300 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(flow.is_break());
    assert_eq!(visited, digests[100..400]);
}

#[test]
fn sweep_removes_what_is_condemned() {
    let (index, partition, digests) = filled(20_000);
    let condemned = |digest: &Digest| digest.0[10] < 200;
    let swept = index.sweep(partition, |digest, entry| {
        assert!(entry.location.0 < 20_000);
        if condemned(digest) { Verdict::Remove } else { Verdict::Keep }
    });
    let expected: Vec<Digest> = digests.iter().filter(|d| !condemned(d)).copied().collect();
    assert_eq!(swept.visited, 20_000);
    assert_eq!(swept.removed, 20_000 - expected.len() as u64);
    let mut items = Vec::new();
    let _ = index.scan_desc(partition, None, usize::MAX, &mut items);
    assert!(items.iter().map(|item| item.digest).eq(expected.iter().copied()));
    assert_eq!(index.counts(partition).entries, expected.len() as u64);
}

#[test]
fn entries_that_stay_are_visited_once_beside_writers() {
    let (index, partition, digests) = filled(30_000);
    let (staying, going) = digests.split_at(15_000);
    std::thread::scope(|scope| {
        let remover = scope.spawn(|| going.iter().for_each(|d| _ = index.write(d).remove()));
        for _ in 0..3 {
            let mut seen = Vec::new();
            index.for_each(partition, |digest, _| seen.push(*digest));
            assert!(seen.is_sorted_by(|a, b| a < b));
            let boundary = staying[staying.len() - 1];
            let kept = seen.iter().rev().take_while(|&&digest| digest >= boundary);
            assert!(kept.eq(staying.iter()));
        }
        remover.join().unwrap();
    });
    assert_eq!(index.len(), 15_000);
}
