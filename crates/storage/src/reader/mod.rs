//! Reads from devices that block no thread.
//!
//! Each event loop has a [`Reader`]. It hands reads over and collects their outcomes when its
//! [`Signal`] says that there are some.
//!
//! | way | used |
//! |---|---|
//! | `ring` (`ring.rs`) | the kernel reads (`io_uring`); 7 times less CPU per read at depth 32 |
//! | `pool` (`pool.rs`) | threads read: where the kernel offers no ring, and for devices without a descriptor |
//! | inline | the caller reads, and waits |
//! | desk (`desk.rs`) | the host reads, when it likes: simulations |

mod desk;
mod pool;
mod ring;
mod signal;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;

pub use desk::Desk;
pub use signal::Signal;

use self::pool::PoolReads;
use self::ring::Ring;
use crate::fetch::{Fetch, FetchDone};

/// A number by which whoever waits for something finds what came of it.
pub type Ticket = u64;

/// Reads for one thread.
///
/// Dropping it waits for the reads that are under way.
#[derive(Debug)]
pub struct Reader {
    way: Way,
    /// A ring serves the thread that made it only.
    not_send: PhantomData<*const ()>,
}

#[derive(Debug)]
enum Way {
    Inline(Vec<(Ticket, FetchDone)>),
    /// With a pool for what the ring cannot read.
    Ring(Box<Ring>, PoolReads),
    Pool(PoolReads),
    Desk(Desk),
}

impl Reader {
    /// The best reader that the system offers. It raises the signal when reads are over.
    ///
    /// Whoever waits for the signal lowers it before calling [`Self::reap`], never behind it.
    pub fn new(signal: Signal) -> Self {
        match Ring::new(&signal) {
            Ok(ring) => Self::of(Way::Ring(Box::new(ring), PoolReads::new(signal))),
            Err(_) => Self::on_pool(signal),
        }
    }

    /// A reader that has its reads done by threads.
    pub fn on_pool(signal: Signal) -> Self {
        Self::of(Way::Pool(PoolReads::new(signal)))
    }

    /// A reader that reads at once, in the calling thread: for tests, and for tools that may wait.
    pub fn inline() -> Self {
        Self::of(Way::Inline(Vec::new()))
    }

    /// A reader that leaves its reads on a desk, where the host finds them.
    pub fn on_desk(desk: Desk) -> Self {
        Self::of(Way::Desk(desk))
    }

    fn of(way: Way) -> Self {
        Self { way, not_send: PhantomData }
    }

    /// How it reads, in a word for the log.
    pub fn kind(&self) -> &'static str {
        match &self.way {
            Way::Inline(_) => "inline",
            Way::Ring(..) => "io_uring",
            Way::Pool(_) => "threads",
            Way::Desk(_) => "host",
        }
    }

    /// Begins a read. It may wait for [`Self::flush`].
    pub fn submit(&mut self, fetch: &Fetch, ticket: Ticket) {
        match &mut self.way {
            Way::Inline(done) => done.push((ticket, fetch.read_now())),
            Way::Pool(pool) => pool.submit(fetch, ticket),
            Way::Desk(desk) => desk.submit(fetch, ticket),
            Way::Ring(ring, pool) => match fetch.device.read_fd() {
                Some(fd) => ring.submit(fetch, fd, ticket),
                None => pool.submit(fetch, ticket),
            },
        }
    }

    /// Sees to it that all reads submitted so far are under way.
    pub fn flush(&mut self) {
        match &mut self.way {
            Way::Inline(_) | Way::Desk(_) => {}
            Way::Ring(ring, pool) => {
                ring.flush();
                pool.flush();
            }
            Way::Pool(pool) => pool.flush(),
        }
    }

    /// Collects the outcomes of reads that are over.
    pub fn reap(&mut self, mut collect: impl FnMut(Ticket, FetchDone)) {
        match &mut self.way {
            Way::Inline(done) => done.drain(..).for_each(|(ticket, done)| collect(ticket, done)),
            Way::Ring(ring, pool) => {
                ring.reap(&mut collect);
                pool.reap(&mut collect);
            }
            Way::Pool(pool) => pool.reap(&mut collect),
            Way::Desk(desk) => desk.reap(collect),
        }
    }
}
