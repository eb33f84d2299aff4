//! What a node's further threads do, as events: metadata, jobs and functions, the supervisor of its namespace.

use std::time::Duration;

use engine::supervisor::{self, Event, Supervisor};
use node::Node;

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Thread {
    /// Brings metadata to other nodes.
    Metadata,
    /// Carries out functions, and jobs that change records.
    Jobs,
    /// Expiry, truncation, filling of secondary indexes.
    Supervisor,
}

impl Thread {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Metadata, Self::Jobs, Self::Supervisor];
}

/// The shortest time between two turns of one.
const TURN_MIN: Duration = Duration::from_micros(100);

/// The threads of a process.
#[derive(Debug)]
pub struct Threads {
    supervisor: Supervisor,
    due: [Option<Duration>; Thread::ALL.len()],
    /// Records that the supervisor has removed because their time was over.
    pub expired: u64,
}

impl Threads {
    /// Those of a node that starts.
    pub fn new(node: &Node) -> Self {
        let supervisor = Supervisor::resume(&node.namespaces[0], node.host.now());
        Self { supervisor, due: Default::default(), expired: 0 }
    }

    /// When a thread has its next turn.
    pub fn due(&mut self, thread: Thread) -> &mut Option<Duration> {
        &mut self.due[thread as usize]
    }

    /// Does a thread's turn. Returns how long it waits before the next, if nobody calls it.
    pub fn turn(&mut self, node: &Node, thread: Thread) -> Duration {
        let wait = match thread {
            Thread::Metadata => node.spread_metadata(),
            Thread::Jobs => node.work_on_jobs().unwrap_or_default(),
            Thread::Supervisor => self.supervise(node),
        };
        wait.max(TURN_MIN)
    }

    fn supervise(&mut self, node: &Node) -> Duration {
        let clock = || node.host.now();
        let (now, mut events) = (clock(), Vec::new());
        let world = supervisor::World { now, memory_used_pct: 0 };
        let next_ms = self.supervisor.step(&node.namespaces[0], world, clock, &mut events);
        for event in events {
            if let Event::CycleDone { removal, .. } = event {
                self.expired += removal.expired;
            }
            node.host.log().message(&format!("nsup: {event}"));
        }
        Duration::from_millis(next_ms.saturating_sub(now.0))
    }
}

/// Whether somebody has called a thread since it was last asked.
pub fn was_called(node: &Node, thread: Thread) -> bool {
    match thread {
        Thread::Metadata => node.has_called_for_metadata(),
        Thread::Jobs => node.has_called_for_jobs(),
        Thread::Supervisor => node.namespaces[0].bell.was_rung(),
    }
}
