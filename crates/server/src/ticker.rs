//! The thread that writes the ticker's lines into the log.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use engine::bell::Bell;
use node::Node;
use node::ticker::{Line, Ticker};
use parking_lot::Mutex;

/// The ticker; it ends when this is dropped.
pub struct TickerThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    bell: Bell,
    stop: Mutex<bool>,
}

impl TickerThread {
    /// Starts to tick.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(node: &Arc<Node>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (node, of_thread) = (Arc::clone(node), Arc::clone(&shared));
        let thread =
            thread::Builder::new().name("ticker".into()).spawn(move || tick(&node, &of_thread))?;
        Ok(Self { shared, thread: Some(thread) })
    }
}

impl Drop for TickerThread {
    fn drop(&mut self) {
        *self.shared.stop.lock() = true;
        self.shared.bell.ring();
        if let Some(thread) = self.thread.take() {
            // A ticker that panicked was logged when it did.
            let _ = thread.join();
        }
    }
}

fn log(line: &Line) {
    // A target has to be known when this is compiled.
    match line.context {
        "drv-mem" => tracing::info!(target: "drv-mem", "{}", line.text),
        "drv_pmem" => tracing::info!(target: "drv_pmem", "{}", line.text),
        "drv_ssd" => tracing::info!(target: "drv_ssd", "{}", line.text),
        _ => tracing::info!(target: "info", "{}", line.text),
    }
}

/// Interval while `ticker-interval` is 0, which turns the lines off: the setting is looked at again.
const IDLE_SECONDS: u32 = 60;

fn tick(node: &Node, shared: &Shared) {
    let mut ticker = Ticker::default();
    while !*shared.stop.lock() {
        let interval = node.config().service.ticker_interval_seconds;
        let seconds = if interval == 0 { IDLE_SECONDS } else { interval };
        shared.bell.wait(Duration::from_secs(u64::from(seconds)));
        if interval != 0 && !*shared.stop.lock() {
            for line in ticker.step(node) {
                log(&line);
            }
        }
    }
}
