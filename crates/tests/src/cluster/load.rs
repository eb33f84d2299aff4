//! Load on a cluster, and the account of what was acknowledged.
//!
//! Every write adds 1 to bin `n` of a record and sets bin `v` to the number of the attempt. What was
//! acknowledged must be there; what failed may or may not have been done.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::client::Atlas;
use super::{Client, Failure, until};
use crate::raw::digest;

/// How often clients ask for maps.
const TEND_PERIOD: Duration = Duration::from_secs(1);
/// Threads that send requests.
const WORKERS: usize = 2;
/// Pause after each request: the machine is to have time for what is tested.
const PAUSE: Duration = Duration::from_micros(500);
/// Pause after one that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(20);

/// What is known of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    /// Writes that were acknowledged.
    acknowledged: i64,
    /// Writes that failed: they may have been done.
    unsure: i64,
    /// The number of the last attempt that was acknowledged.
    last_acknowledged: i64,
    attempts: i64,
}

/// What records must hold.
#[derive(Clone, Debug, Default)]
pub struct Ledger(BTreeMap<[u8; 20], Known>);

/// How requests ended.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Those that failed, by reason.
    pub failed: BTreeMap<Failure, u64>,
    /// The longest time between two successes.
    pub longest_gap: Duration,
    /// Reads that gave what could not be at that moment.
    pub wrong: Vec<String>,
}

/// A running load.
pub struct Load {
    shared: Arc<Shared>,
    tender: JoinHandle<()>,
    workers: Vec<JoinHandle<(Ledger, Tally)>>,
}

struct Shared {
    stop: AtomicBool,
    atlas: Mutex<Arc<Atlas>>,
    /// Whether somebody has reason to doubt the map.
    doubt: Mutex<bool>,
    bell: Condvar,
    done: Mutex<Tally>,
}

impl Load {
    /// Begins on so many records; their names begin with a label.
    pub fn start(seeds: &[SocketAddr], label: &str, records: usize) -> Self {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            atlas: Mutex::new(Arc::new(Atlas::of(seeds))),
            doubt: Mutex::new(false),
            bell: Condvar::new(),
            done: Mutex::default(),
        });
        let workers = (0..WORKERS).map(|worker| {
            let mine = (worker..records).step_by(WORKERS);
            let mine: Vec<_> = mine.map(|record| digest(&format!("{label}{record}"))).collect();
            let shared = Arc::clone(&shared);
            thread::spawn(move || work(&shared, &mine))
        });
        let workers = workers.collect();
        let of_tender = Arc::clone(&shared);
        Self { shared, tender: thread::spawn(move || of_tender.tend()), workers }
    }

    /// How requests have ended so far.
    pub fn tally(&self) -> Tally {
        lock(&self.shared.done).clone()
    }

    /// Waits until so many more requests have succeeded.
    ///
    /// # Errors
    /// When patience ends.
    pub fn await_successes(&self, count: u64) -> Result<()> {
        let goal = self.tally().succeeded + count;
        until("load goes on", || {
            let tally = self.tally();
            ensure!(tally.succeeded >= goal, "{goal} are expected of {tally:?}");
            Ok(())
        })
    }

    /// Ends it. Returns what records must hold and how requests ended.
    ///
    /// # Errors
    /// When a read gave what cannot be.
    pub fn stop(self) -> Result<(Ledger, Tally)> {
        let (ledger, tally) = self.stop_with_stale_reads();
        let wrong = &tally.wrong;
        ensure!(wrong.is_empty(), "{} reads were wrong: {:#?}", wrong.len(), wrong.first());
        Ok((ledger, tally))
    }

    /// The same where a node may have served that did not know yet that others serve in its place.
    pub fn stop_with_stale_reads(self) -> (Ledger, Tally) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.bell.notify_all();
        self.tender.join().expect("the tender does not panic");
        let (mut ledger, mut tally) = (Ledger::default(), Tally::default());
        for worker in self.workers {
            let (its, ended) = worker.join().expect("workers do not panic");
            ledger.0.extend(its.0);
            tally.add(&ended);
        }
        (ledger, tally)
    }
}

impl Shared {
    fn tend(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let before = Arc::clone(&lock(&self.atlas));
            *lock(&self.atlas) = Arc::new(before.renewed());
            let doubt = lock(&self.doubt);
            let waited = self.bell.wait_timeout_while(doubt, TEND_PERIOD, |doubt| {
                !*doubt && !self.stop.load(Ordering::Relaxed)
            });
            *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
        }
    }

    fn doubt_the_map(&self) {
        *lock(&self.doubt) = true;
        self.bell.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes and reads records in turn.
fn work(shared: &Shared, records: &[[u8; 20]]) -> (Ledger, Tally) {
    let mut client = Client::with(Arc::clone(&lock(&shared.atlas)));
    let mut ledger = Ledger::default();
    let mut tally = Tally::default();
    let mut last_success = Instant::now();
    for turn in 0_usize.. {
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        client.follow(Arc::clone(&lock(&shared.atlas)));
        let record = &records[turn / 2 % records.len()];
        let known = ledger.0.entry(*record).or_default();
        let mut step = Tally::default();
        let ended = match turn % 2 {
            0 => known.write(&mut client, record),
            _ => known.check(&mut client, record, &mut step.wrong),
        };
        match ended {
            Ok(()) => {
                step.succeeded = 1;
                step.longest_gap = last_success.elapsed();
                last_success = Instant::now();
            }
            Err(failure) => {
                step.failed.insert(failure, 1);
                shared.doubt_the_map();
                thread::sleep(PAUSE_AFTER_FAILURE);
            }
        }
        lock(&shared.done).add(&step);
        tally.add(&step);
        thread::sleep(PAUSE);
    }
    (ledger, tally)
}

impl Known {
    fn write(&mut self, client: &mut Client, record: &[u8; 20]) -> Result<(), Failure> {
        self.attempts += 1;
        let ended = client.write(record, self.attempts);
        match ended {
            Ok(()) => {
                self.acknowledged += 1;
                self.last_acknowledged = self.attempts;
            }
            Err(_) => self.unsure += 1,
        }
        ended
    }

    /// Reads, and notes what cannot be.
    fn check(
        &self,
        client: &mut Client,
        record: &[u8; 20],
        wrong: &mut Vec<String>,
    ) -> Result<(), Failure> {
        let found = client.read(record)?;
        wrong.extend(self.compare(record, found).err().map(|error| error.to_string()));
        Ok(())
    }

    fn compare(&self, record: &[u8; 20], (n, v): (i64, i64)) -> Result<()> {
        let hex: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
        let most = self.acknowledged + self.unsure;
        ensure!(
            (self.acknowledged..=most).contains(&n),
            "record {hex}: {n} writes are there (the last is {v}) of {self:?}"
        );
        ensure!(v >= self.last_acknowledged, "record {hex}: write {v} is the last of {self:?}");
        Ok(())
    }
}

impl Ledger {
    /// The digests of all records.
    pub fn records(&self) -> impl Iterator<Item = &[u8; 20]> {
        self.0.keys()
    }

    /// How many records were written for sure.
    pub fn len(&self) -> usize {
        self.0.values().filter(|known| known.acknowledged > 0).count()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes in what another holds of other records.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Reads everything by the map; nothing that was acknowledged may be missing.
    ///
    /// # Errors
    /// When something is, or a read fails.
    pub fn verify(&self, seeds: &[SocketAddr]) -> Result<()> {
        let mut client = Client::new(seeds);
        self.compare_all(|record| client.read(record))
    }

    /// The same by way of one node.
    ///
    /// # Errors
    /// When something is, or a read fails.
    pub fn verify_through(&self, address: SocketAddr) -> Result<()> {
        let mut client = Client::new(&[address]);
        self.compare_all(|record| client.read_through(address, record))
    }

    fn compare_all(
        &self,
        mut read: impl FnMut(&[u8; 20]) -> Result<(i64, i64), Failure>,
    ) -> Result<()> {
        let mut wrong = Vec::new();
        for (record, known) in &self.0 {
            match read(record) {
                Ok(found) => wrong.extend(known.compare(record, found).err()),
                Err(failure) => wrong.push(anyhow::anyhow!("reading {record:x?}: {failure}")),
            }
        }
        let shown: Vec<_> = wrong.iter().take(5).map(ToString::to_string).collect();
        let (bad, all) = (wrong.len(), self.0.len());
        ensure!(wrong.is_empty(), "{bad} of {all} records are wrong:\n{}", shown.join("\n"));
        Ok(())
    }
}

impl Tally {
    /// Demands that nothing failed.
    ///
    /// # Errors
    /// When something did.
    pub fn check_clean(&self) -> Result<()> {
        ensure!(self.failed.is_empty(), "requests failed: {self}");
        Ok(())
    }

    fn add(&mut self, other: &Self) {
        self.succeeded += other.succeeded;
        self.longest_gap = self.longest_gap.max(other.longest_gap);
        self.wrong.extend(other.wrong.iter().cloned());
        for (failure, count) in &other.failed {
            *self.failed.entry(*failure).or_default() += count;
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} succeeded, longest gap {:?}", self.succeeded, self.longest_gap)?;
        if !self.wrong.is_empty() {
            write!(f, ", {} reads of what cannot be", self.wrong.len())?;
        }
        self.failed.iter().try_for_each(|(failure, count)| write!(f, ", {count} × {failure}"))
    }
}
