//! The threads that carry out what may take long: functions, and queries that change records.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use node::Node;

/// Most threads: jobs shall not crowd out requests.
const THREADS_MAX: usize = 4;

/// The threads; they end when this is dropped.
pub struct JobThreads {
    node: Arc<Node>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl JobThreads {
    /// Starts to work on a node's jobs, on this many cores.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(node: &Arc<Node>, cores: usize) -> io::Result<Self> {
        let mut threads =
            Self { node: Arc::clone(node), stop: Arc::default(), threads: Vec::new() };
        for _ in 0..cores.clamp(1, THREADS_MAX) {
            let (node, stop) = (Arc::clone(node), Arc::clone(&threads.stop));
            let thread =
                thread::Builder::new().name("query".into()).spawn(move || work(&node, &stop))?;
            threads.threads.push(thread);
        }
        Ok(threads)
    }
}

fn work(node: &Node, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match catch_unwind(AssertUnwindSafe(|| node.work_on_jobs())) {
            Ok(Some(time)) => node.wait_for_jobs(time),
            Ok(None) => {}
            // Whoever waits for that job learns that it has failed.
            Err(_) => tracing::error!(target: "query", "a job panicked"),
        }
    }
}

impl Drop for JobThreads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // Another one may have taken the ring.
            while !thread.is_finished() {
                self.node.wake_for_jobs();
                thread::sleep(Duration::from_millis(1));
            }
            // A thread that panicked was logged when it did.
            let _ = thread.join();
        }
    }
}
