//! Loading live records into a running node, through the protocol of clients.
//!
//! One thread walks the devices and makes requests, several send them, each over a connection of its
//! own with some requests in flight. A request replaces the record, so sending one twice does no harm:
//! what a broken connection leaves open is sent again.

mod request;
mod tally;
mod worker;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::content::{self, Hidden, Room};
use crate::device::Device;
use crate::seen::{Seen, Visitor};
use crate::survey::{Fate, Survey};
use request::{Skipped, request};
use tally::Tally;
use worker::Worker;

pub use tally::Outcome;

/// Requests that go out before the first answer is waited for.
const IN_FLIGHT: usize = 64;
/// Bytes of them at which no more are added.
const IN_FLIGHT_BYTES: usize = 1 << 20;
/// Batches that wait for each connection.
const QUEUED: usize = 4;

/// What goes out over one connection in one go: whole frames.
type Batch = Vec<Vec<u8>>;

/// Where records go to.
pub struct Target<'t> {
    /// The node.
    pub address: SocketAddr,
    /// The namespace there.
    pub namespace: &'t str,
    /// Connections.
    pub threads: usize,
    /// The time in seconds since 2010.
    pub clock: fn() -> u32,
    /// Takes a line a second.
    pub progress: fn(&str),
}

/// Writes every live record into the node.
///
/// # Errors
/// If the node cannot be reached, or stays away once it was. Records that it refuses are counted.
pub fn load(devices: &[Device], survey: &Survey, target: &Target<'_>) -> anyhow::Result<Outcome> {
    let tally = Tally::new(survey.totals.live);
    thread::scope(|scope| {
        let mut senders = Vec::new();
        let mut workers = Vec::new();
        for _ in 0..target.threads.max(1) {
            let worker = Worker::connect(target.address, &tally)
                .with_context(|| format!("cannot reach {}", target.address))?;
            let (sender, batches) = sync_channel::<Batch>(QUEUED);
            senders.push(sender);
            workers.push(scope.spawn(move || worker.run(&batches)));
        }
        // Dropped at the end of this block, which ends the progress.
        let (_loading, ended) = channel::<()>();
        scope.spawn(|| tell(&tally, ended, target.progress));
        let mut feed = Feed::new(survey, target, &tally, senders);
        let fed = feed.all(devices);
        drop(feed);
        for worker in workers {
            match worker.join() {
                Ok(done) => done.with_context(|| format!("lost {}", target.address))?,
                Err(_) => bail!("a connection's thread failed"),
            }
        }
        fed?;
        Ok(tally.outcome())
    })
}

fn tell(tally: &Tally, ended: Receiver<()>, progress: fn(&str)) {
    let mut before = 0;
    while ended.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
        progress(&tally.line(&mut before));
    }
}

/// The thread that makes requests.
struct Feed<'l> {
    survey: &'l Survey,
    target: &'l Target<'l>,
    tally: &'l Tally,
    senders: Vec<SyncSender<Batch>>,
    next: usize,
    batch: Batch,
    batch_bytes: usize,
    room: Room,
}

impl<'l> Feed<'l> {
    fn new(
        survey: &'l Survey,
        target: &'l Target<'l>,
        tally: &'l Tally,
        senders: Vec<SyncSender<Batch>>,
    ) -> Self {
        Self {
            survey,
            target,
            tally,
            senders,
            next: 0,
            batch: Vec::new(),
            batch_bytes: 0,
            room: Room::default(),
        }
    }

    fn all(&mut self, devices: &[Device]) -> anyhow::Result<()> {
        for (number, device) in devices.iter().enumerate() {
            device.walk(number as u16, self)?;
        }
        self.send()
    }

    fn send(&mut self) -> anyhow::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let sender = self.senders.get(self.next % self.senders.len()).context("no connection")?;
        self.next += 1;
        self.batch_bytes = 0;
        sender.send(std::mem::take(&mut self.batch)).context("a connection ended")
    }
}

impl Visitor for Feed<'_> {
    fn record(&mut self, seen: &Seen<'_>) -> anyhow::Result<()> {
        if self.survey.fate(seen) != Some(Fate::Live) {
            return Ok(());
        }
        let frame = match content::read(&seen.raw, &mut self.room) {
            Ok(content) => request(seen, &content, self.target.namespace, (self.target.clock)()),
            Err(Hidden::Encrypted) => Err(Skipped::Encrypted),
            Err(Hidden::Malformed(_)) => Err(Skipped::Unreadable),
        };
        match frame {
            Ok(frame) => {
                self.batch_bytes += frame.len();
                self.batch.push(frame);
            }
            Err(skipped) => self.tally.skip(skipped),
        }
        if self.batch.len() >= IN_FLIGHT || self.batch_bytes >= IN_FLIGHT_BYTES {
            self.send()?;
        }
        Ok(())
    }
}
