//! Starting and stopping: threads, listeners, the grace time at the end.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Poll, Waker};
use thiserror::Error;

use super::Service;
use super::acceptor::{self, Acceptor, Listener, Warnings};
use super::endpoint::Endpoint;
use super::event_loop::{self, EventLoop, Surroundings};
use super::limits::Limits;
use super::mailbox::Mailbox;
use super::pin;
use super::stats::Stats;

/// How much longer than the grace time a shutdown waits for the threads, in case a worker is in the
/// middle of a request.
const JOIN_TIME: Duration = Duration::from_secs(1);

/// What to listen on, and with how many threads.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; at least one.
    pub endpoints: Vec<Endpoint>,
    /// How many event loops to run (setting `service-threads`); 0 for one per core.
    pub threads: usize,
    /// Whether to give each loop a core of its own, if there are enough.
    pub pin: bool,
}

/// Why a server could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The system refuses a poll, a waker or a thread.
    #[error("cannot set up the event loops")]
    Loop(#[from] io::Error),
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Connections that still had something to answer or to send when the grace time was over.
    pub cut_off: usize,
    /// Whether a worker did not return in time, so that its thread was left behind.
    pub stuck: bool,
}

/// A running service layer. Dropping it stops it without a grace time.
pub struct Server {
    endpoints: Vec<Endpoint>,
    stats: Arc<Stats>,
    stop: Arc<StopSign>,
    cut_off: Arc<AtomicUsize>,
    wakers: Vec<Arc<Waker>>,
    /// Disconnected when the last thread has ended.
    threads_done: Receiver<()>,
}

impl Server {
    /// Listens on all endpoints and starts the threads.
    ///
    /// # Errors
    /// [`StartError`]; then nothing is left running.
    pub fn start<S: Service>(
        service: S,
        options: &Options,
        limits: &Arc<Limits>,
    ) -> Result<Self, StartError> {
        let threads = match options.threads {
            0 => thread::available_parallelism()?.get(),
            count => count,
        };
        let (endpoints, listeners) = listen(&options.endpoints)?;
        let (done, threads_done) = mpsc::channel();
        // From here on, an error drops the server, which ends the threads started so far.
        let mut server = Self {
            endpoints,
            stats: Arc::new(Stats::new(threads)),
            stop: Arc::default(),
            cut_off: Arc::default(),
            wakers: Vec::new(),
            threads_done,
        };
        let service = Arc::new(service);
        let cores = options.pin.then(|| pin::cores_for(threads)).flatten().unwrap_or_default();
        let mut mailboxes = Vec::with_capacity(threads);
        for index in 0..threads {
            let seat = Seat { index, count: threads, core: cores.get(index).copied() };
            mailboxes.push(server.start_loop(&service, seat, limits, done.clone())?);
        }
        server.start_acceptor(listeners, mailboxes, limits, done)?;
        Ok(server)
    }

    /// Where the server listens, in the order of the options, with the ports that were free.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The counters; they outlive the server.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    /// Stops accepting and reading, answers the requests that have been read, sends the replies and
    /// closes. What is not done after `grace` is cut off.
    pub fn shutdown(self, grace: Duration) -> ShutdownReport {
        let stuck = !self.stop_threads(grace);
        ShutdownReport { cut_off: self.cut_off.load(Relaxed), stuck }
    }

    fn start_loop<S: Service>(
        &mut self,
        service: &Arc<S>,
        seat: Seat,
        limits: &Arc<Limits>,
        done: Sender<()>,
    ) -> io::Result<Arc<Mailbox>> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), event_loop::WAKER)?);
        limits.wake_on_change(&waker);
        let mailbox = Arc::new(Mailbox::new(Arc::clone(&waker)));
        let surroundings = Surroundings {
            mailbox: Arc::clone(&mailbox),
            limits: Arc::clone(limits),
            stats: Arc::clone(&self.stats),
            stop: Arc::clone(&self.stop),
            cut_off: Arc::clone(&self.cut_off),
            loop_index: seat.index,
            loop_count: seat.count,
        };
        let service = Arc::clone(service);
        self.wakers.push(waker);
        spawn(format!("service-{}", seat.index), done, move || {
            if let Some(core) = seat.core
                && let Err(error) = pin::pin_to(core)
            {
                tracing::warn!(%error, core, "cannot pin an event loop");
            }
            EventLoop::new(poll, service.worker(seat.index), surroundings).run();
        })?;
        Ok(mailbox)
    }

    fn start_acceptor(
        &mut self,
        listeners: Vec<Listener>,
        mailboxes: Vec<Arc<Mailbox>>,
        limits: &Arc<Limits>,
        done: Sender<()>,
    ) -> io::Result<()> {
        let poll = Poll::new()?;
        self.wakers.push(Arc::new(Waker::new(poll.registry(), acceptor::WAKER)?));
        let mut acceptor = Acceptor {
            poll,
            listeners,
            mailboxes,
            limits: Arc::clone(limits),
            stats: Arc::clone(&self.stats),
            stop: Arc::clone(&self.stop),
            warnings: Warnings::default(),
        };
        acceptor.register()?;
        spawn("acceptor".to_owned(), done, move || acceptor.run())
    }

    /// Tells all threads to stop and waits for them; `false` when one does not end in time.
    fn stop_threads(&self, grace: Duration) -> bool {
        self.stop.raise(Instant::now() + grace);
        for waker in &self.wakers {
            if let Err(error) = waker.wake() {
                tracing::error!(%error, "cannot wake a thread to stop it");
            }
        }
        let ended = self.threads_done.recv_timeout(grace.saturating_add(JOIN_TIME));
        ended == Err(mpsc::RecvTimeoutError::Disconnected)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.stop.deadline().is_none() {
            self.stop_threads(Duration::ZERO);
        }
    }
}

/// Which loop a thread runs.
struct Seat {
    index: usize,
    count: usize,
    core: Option<usize>,
}

/// Tells every thread that, and until when, the server stops.
#[derive(Default)]
pub(super) struct StopSign(OnceLock<Instant>);

impl StopSign {
    /// When the grace time is over; `None` while the server runs.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.get().copied()
    }

    fn raise(&self, deadline: Instant) {
        // A second call changes nothing: the first one's deadline holds.
        self.0.get_or_init(|| deadline);
    }
}

/// Starts a thread that holds on to `done` for as long as it runs.
fn spawn(name: String, done: Sender<()>, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name).spawn(move || {
        body();
        drop(done);
    })?;
    Ok(())
}

fn listen(endpoints: &[Endpoint]) -> Result<(Vec<Endpoint>, Vec<Listener>), StartError> {
    let mut bound = Vec::with_capacity(endpoints.len());
    let mut listeners = Vec::with_capacity(endpoints.len());
    for endpoint in endpoints {
        let failed = |source| StartError::Listen { address: endpoint.address, source };
        let socket = endpoint.listen().map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        bound.push(Endpoint { address, ..*endpoint });
        listeners.push(Listener::new(socket, endpoint.protocol));
    }
    Ok((bound, listeners))
}
