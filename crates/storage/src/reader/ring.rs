//! Reads by the kernel, through an `io_uring` of one thread.
//!
//! A read in the kernel's hands needs its buffer and its descriptor: both belong to a [`Flight`],
//! which stays in the table until the kernel has answered.

#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{Ordering::SeqCst, fence};
use std::thread;
use std::time::Duration;

use io_uring::{Builder, IoUring, Probe, opcode, squeue, types};
use rustix::io::Errno;
use slab::Slab;

use super::{Signal, Ticket};
use crate::aligned::AlignedBuf;
use crate::fetch::{Fetch, FetchDone};

/// Reads that are handed over with one call, at most.
const SUBMISSIONS: u32 = 256;

/// Reads that are under way at once, at most: there is room for so many answers. More wait here.
const UNDER_WAY_MAX: u32 = 4096;

/// How often a reader that is dropped asks a kernel that does not answer.
const DROP_TRIES: usize = 10_000;

/// Turns that bring no answer, after which the kernel is believed to have put nothing off. A turn works
/// off a few dozen entries, and hardly ever one without an answer.
const TURNS_IN_VAIN: usize = 3;

/// Whether a bit that the kernel sets is seen set before what it reads behind: in other processors
/// the kernel does not see to that.
const SIGNAL_CAN_BE_OFF: bool = cfg!(target_arch = "x86_64");

/// A read that is not over.
struct Flight {
    ticket: Ticket,
    fetch: Fetch,
    /// A descriptor of the fetch's device.
    fd: RawFd,
    buffer: AlignedBuf,
    /// Bytes of the buffer that are read.
    size_read: usize,
}

/// The reads of one thread.
pub(super) struct Ring {
    ring: IoUring,
    flights: Slab<Flight>,
    /// Keys of flights that are to be handed over.
    waiting: VecDeque<usize>,
    /// Flights in the kernel's hands or in the submission queue.
    under_way: usize,
    signal: Signal,
}

impl Ring {
    /// A ring that raises the signal when there are answers.
    ///
    /// # Errors
    /// When the kernel offers none, or one that cannot do what is needed.
    pub(super) fn new(signal: &Signal) -> io::Result<Self> {
        // With these, answers do not interrupt this thread, but are completed when it asks for
        // them. Kernels before 6.1 do not know all of them.
        let ring = builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_coop_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .build(SUBMISSIONS)
            .or_else(|_| builder().build(SUBMISSIONS))?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::Read::CODE) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        ring.submitter().register_eventfd(signal.as_fd().as_raw_fd())?;
        Ok(Self {
            ring,
            flights: Slab::new(),
            waiting: VecDeque::new(),
            under_way: 0,
            signal: signal.clone(),
        })
    }

    /// Begins a read from a descriptor of the fetch's device.
    pub(super) fn submit(&mut self, fetch: &Fetch, fd: BorrowedFd<'_>, ticket: Ticket) {
        let key = self.flights.insert(Flight {
            ticket,
            fetch: fetch.clone(),
            fd: fd.as_raw_fd(),
            buffer: AlignedBuf::used(fetch.span.size_bytes),
            size_read: 0,
        });
        self.waiting.push_back(key);
        if self.waiting.len() >= SUBMISSIONS as usize {
            self.flush();
        }
    }

    /// Hands over whatever waits, as far as there is room.
    pub(super) fn flush(&mut self) {
        while self.fill() {
            match self.ring.submit() {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    // Memory is short. The signal brings this thread back for another try.
                    self.signal.raise();
                    return;
                }
            }
        }
    }

    /// Collects the answers that are there, and hands over what waited for room.
    pub(super) fn reap(&mut self, mut collect: impl FnMut(Ticket, FetchDone)) {
        if self.flights.is_empty() {
            return;
        }
        self.complete();
        self.collect_answers(&mut collect);
        self.flush();
    }

    /// Has the kernel complete the answers that it has put off until now.
    fn complete(&mut self) {
        if !catch_up(&mut self.ring) {
            // Interrupted, or short of memory. The signal brings this thread back.
            self.signal.raise();
        }
    }

    /// Moves what waits into the submission queue. Says whether there is something in it.
    fn fill(&mut self) -> bool {
        let mut queue = self.ring.submission();
        while self.under_way < UNDER_WAY_MAX as usize
            && let Some(&key) = self.waiting.front()
        {
            if let Some(flight) = self.flights.get_mut(key) {
                let entry = flight.entry().user_data(key as u64);
                // SAFETY: what the entry points to belongs to the flight, which stays in the table
                // until the kernel has answered. The table may move it, but not the buffer's memory.
                if unsafe { queue.push(&entry) }.is_err() {
                    break;
                }
                self.under_way += 1;
            }
            self.waiting.pop_front();
        }
        !queue.is_empty()
    }

    fn collect_answers(&mut self, collect: &mut impl FnMut(Ticket, FetchDone)) {
        for answer in self.ring.completion() {
            let key = answer.user_data() as usize;
            self.under_way -= 1;
            let Some(flight) = self.flights.get_mut(key) else { continue };
            let outcome = match flight.take(answer.result()) {
                // The rest of it is a read of its own.
                Ok(false) => {
                    self.waiting.push_back(key);
                    continue;
                }
                Ok(true) => Ok(()),
                Err(error) => Err(error),
            };
            let Flight { ticket, fetch, buffer, .. } = self.flights.remove(key);
            collect(ticket, fetch.done(outcome.map(|()| buffer)));
        }
    }
}

/// A kernel that may put answers off until it is told to work.
trait Backlog {
    /// Whether the kernel says that it has put something off. It may say so in vain: the bit is set
    /// behind the entry in its list, so it can come when the entry has been worked off already, and
    /// only the next one clears it.
    fn is_told(&mut self) -> bool;
    /// Answers that can be collected.
    fn answers(&mut self) -> usize;
    /// Lets the kernel work some of it off, `quietly` without its signal. Says whether it did.
    fn work(&mut self, quietly: bool) -> bool;
}

/// Has the kernel complete all that it has put off until now. Says whether it could.
///
/// It would tell of each answer by the signal once more, which wakes this thread up in vain: hence it
/// works quietly. What it puts off meanwhile is told by the bit only, which it sets before it looks
/// whether the signal is on. So the last turn, and any that may be in vain, is not quiet: what comes
/// after that is signalled.
fn catch_up(kernel: &mut impl Backlog) -> bool {
    let mut in_vain = 0;
    while in_vain < TURNS_IN_VAIN && kernel.is_told() {
        let answers = kernel.answers();
        if !kernel.work(in_vain == 0) {
            return false;
        }
        in_vain = if kernel.answers() > answers { 0 } else { in_vain + 1 };
    }
    true
}

impl Backlog for IoUring {
    fn is_told(&mut self) -> bool {
        self.submission().taskrun()
    }

    fn answers(&mut self) -> usize {
        self.completion().len()
    }

    fn work(&mut self, quietly: bool) -> bool {
        let quietly = quietly && SIGNAL_CAN_BE_OFF;
        if quietly {
            self.completion().disable_eventfd();
        }
        let outcome = self.submit();
        if quietly {
            self.completion().enable_eventfd();
            fence(SeqCst);
        }
        outcome.is_ok()
    }
}

impl Flight {
    /// What the kernel is asked for: the bytes that are still missing.
    fn entry(&mut self) -> squeue::Entry {
        let rest = self.buffer.get_mut(self.size_read..).unwrap_or_default();
        let size = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        opcode::Read::new(types::Fd(self.fd), rest.as_mut_ptr(), size)
            .offset(self.fetch.span.offset_bytes + self.size_read as u64)
            .build()
    }

    /// Takes note of the kernel's answer, a size or a negative error. Says whether all is read.
    fn take(&mut self, answer: i32) -> io::Result<bool> {
        match usize::try_from(answer) {
            // The medium is smaller than it should be.
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(size) => {
                self.size_read += size;
                Ok(self.size_read >= self.buffer.len())
            }
            Err(_) => match Errno::from_raw_os_error(-answer) {
                Errno::AGAIN | Errno::INTR => Ok(false),
                errno => Err(errno.into()),
            },
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // What the kernel has not heard of needs no answer.
        self.waiting.clear();
        let mut tries = 0;
        while self.under_way > 0 {
            // This hands over what is in the queue as well: it cannot be taken out again.
            match self.ring.submit_and_wait(1) {
                Ok(_) => tries = 0,
                Err(_) if tries == DROP_TRIES => break,
                Err(_) => {
                    tries += 1;
                    thread::sleep(Duration::from_millis(1));
                }
            }
            self.collect_answers(&mut |_, _| {});
            self.waiting.clear();
        }
        if self.under_way > 0 {
            // The kernel may still write into the buffers, so they must never be freed.
            mem::forget(mem::take(&mut self.flights));
        }
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("waiting", &self.waiting.len())
            .field("under_way", &self.under_way)
            .finish_non_exhaustive()
    }
}

fn builder() -> Builder {
    let mut builder = IoUring::builder();
    builder.setup_cqsize(UNDER_WAY_MAX).dontfork();
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel that works off 20 entries in a turn.
    #[derive(Default)]
    struct Fake {
        put_off: usize,
        /// Comes during the first quiet turn.
        late: usize,
        told_in_vain: bool,
        answers: usize,
        turns: usize,
        signals: usize,
    }

    impl Backlog for Fake {
        fn is_told(&mut self) -> bool {
            self.put_off > 0 || self.told_in_vain
        }

        fn answers(&mut self) -> usize {
            self.answers
        }

        fn work(&mut self, quietly: bool) -> bool {
            self.turns += 1;
            let done = self.put_off.min(20);
            self.answers += done;
            self.put_off -= done;
            self.signals += usize::from(!quietly && done > 0);
            if quietly {
                self.put_off += mem::take(&mut self.late);
            }
            true
        }
    }

    #[test]
    fn all_that_was_put_off_is_worked_off_quietly() {
        let mut kernel = Fake { put_off: 130, ..Fake::default() };
        assert!(catch_up(&mut kernel));
        assert_eq!((kernel.answers, kernel.turns, kernel.signals), (130, 7, 0));
    }

    #[test]
    fn what_came_while_the_signal_was_off_is_found() {
        let mut kernel = Fake { put_off: 1, late: 1, ..Fake::default() };
        assert!(catch_up(&mut kernel));
        assert_eq!(kernel.answers, 2);
        let mut kernel = Fake { told_in_vain: true, late: 1, ..Fake::default() };
        assert!(catch_up(&mut kernel));
        assert_eq!(kernel.answers, 1);
    }

    /// The kernel keeps telling of an entry that it has worked off, and this thread does not ask for
    /// ever.
    #[test]
    fn a_kernel_that_tells_in_vain_is_not_believed() {
        let mut kernel = Fake { put_off: 1, told_in_vain: true, ..Fake::default() };
        assert!(catch_up(&mut kernel));
        assert_eq!((kernel.answers, kernel.turns), (1, 1 + TURNS_IN_VAIN));
    }
}
