//! The threads that supervise namespaces.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use engine::Namespace;
use engine::supervisor::{Event, Supervisor, World};

use crate::host::now;
use crate::vitals::memory_used_pct;

/// One thread for each namespace; they end when this is dropped.
pub struct Supervisors {
    stop: Arc<AtomicBool>,
    threads: Vec<(Arc<Namespace>, JoinHandle<()>)>,
}

impl Supervisors {
    /// Starts to supervise.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(namespaces: &[Arc<Namespace>]) -> std::io::Result<Self> {
        let mut supervisors = Self { stop: Arc::default(), threads: Vec::new() };
        for namespace in namespaces {
            let (of_thread, stop) = (Arc::clone(namespace), Arc::clone(&supervisors.stop));
            let thread = thread::Builder::new()
                .name("nsup".into())
                .spawn(move || supervise(&of_thread, &stop))?;
            supervisors.threads.push((Arc::clone(namespace), thread));
        }
        Ok(supervisors)
    }
}

impl Drop for Supervisors {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for (namespace, _) in &self.threads {
            namespace.bell.ring();
        }
        for (_, thread) in self.threads.drain(..) {
            // A supervisor that panicked was logged when it did.
            let _ = thread.join();
        }
    }
}

fn supervise(namespace: &Namespace, stop: &AtomicBool) {
    let mut supervisor = Supervisor::resume(namespace, now());
    let mut events = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let world = World { now: now(), memory_used_pct: memory_used_pct() };
        let next = supervisor.step(namespace, world, now, &mut events);
        events.drain(..).for_each(|event| log(&namespace.name, event));
        namespace.bell.wait(Duration::from_millis(next.saturating_sub(now().0)));
    }
}

fn log(namespace: &str, event: Event) {
    match event {
        Event::CycleDone { .. } => tracing::info!(target: "nsup", "{{{namespace}}} {event}"),
        Event::StopWrites(_) | Event::NothingToEvict => {
            tracing::warn!(target: "nsup", "{{{namespace}}} {event}");
        }
        Event::WritesResumed | Event::TombstonesRemoved { .. } => {
            tracing::info!(target: "nsup", "{{{namespace}}} {event}");
        }
        Event::Truncated { .. } => tracing::info!(target: "truncate", "{{{namespace}}} {event}"),
    }
}
