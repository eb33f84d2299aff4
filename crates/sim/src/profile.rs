//! Kinds of trouble, and what must hold in spite of each.

use crate::devices::{Disks, Storage};
use crate::machine::Setup;

/// What must hold of what was acknowledged, beside that all nodes agree in the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Promise {
    /// Nothing is lost, and no read is older than what was acknowledged before it began.
    Fresh,
    /// Nothing is lost.
    Kept,
    /// Nothing is lost of records that nobody wrote while nodes were of different views: each side of a split
    /// serves, and of what both wrote one version survives.
    KeptUndivided,
    /// Nothing: memory is lost with the last process that had it.
    Nothing,
}

/// What may break.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A connection.
    Break,
    /// All connections between two machines.
    BreakBetween,
    /// Frames between two machines take up to 0.7 s longer for a while.
    Clog,
    /// One direction between two machines stands still for less than a second.
    Stall,
    /// Many frames take long, and loops find links full.
    Storm,
    /// A process is stopped for less than a second.
    ShortPause,
    /// A process is stopped for longer than it takes to count as gone.
    LongPause,
    /// The process of one machine ends when nothing moves and all others run; it starts again.
    SafeKill,
    /// Any process ends; it starts again.
    Kill,
    /// A node is quiesced, ends once nothing is left on it, and starts again.
    Roll,
    /// A machine that did not run starts.
    Join,
    /// A node is quiesced, ends once nothing is left on it, and stays away.
    Leave,
    /// The view is formed anew.
    Recluster,
    /// The machines fall apart into two sides for a while.
    Split,
    /// One direction between two machines stands still for seconds.
    Cut,
    /// A wall clock jumps.
    ClockJump,
    /// As [`Self::SafeKill`], but the machine goes down, without power.
    SafePower,
    /// A machine goes down without power.
    Power,
    /// As [`Self::SafeKill`], but the machine goes down, and comes back with empty disks.
    SafeLoss,
    /// A machine goes down, and comes back with empty disks.
    Loss,
    /// All processes end, if disks have all that was acknowledged; they start again.
    KillAll,
    /// All machines go down without power, if disks have all that was acknowledged.
    PowerAll,
    /// The disks of a machine take a hundred times as long for a while.
    SlowDisks,
    /// The disks of a machine do not give what is on them for a while.
    FailingReads,
    /// The disks of a machine take nothing for a while. A node that came to notice is started again after: it has
    /// given such a disk up.
    FailingWrites,
}

/// Where worlds of a profile keep records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeping {
    /// Some of them on disks.
    Mixed,
    /// All of them on disks.
    Disks,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// By which it is asked for.
    pub name: &'static str,
    /// Fewest and most machines.
    pub machines: (usize, usize),
    /// Clients.
    pub clients: usize,
    /// Keys of each family.
    pub keys: usize,
    /// How far wall clocks are off at most, in ms.
    pub skew_ms: i64,
    /// How long clients work, in seconds.
    pub seconds: u64,
    /// Shortest and longest time between two strikes, in ms.
    pub period_ms: (u64, u64),
    /// What strikes, each as often as its number says.
    pub faults: &'static [(Fault, u32)],
    /// What must hold.
    pub promise: Promise,
    /// Whether some machines do not run at first.
    pub joins: bool,
    /// Where records are.
    pub keeping: Keeping,
}

const BASE: Profile = Profile {
    name: "calm",
    machines: (1, 5),
    clients: 6,
    keys: 6,
    skew_ms: 20,
    seconds: 20,
    period_ms: (300, 3000),
    faults: &[],
    promise: Promise::Fresh,
    joins: false,
    keeping: Keeping::Mixed,
};

/// All profiles.
pub const PROFILES: &[Profile] = &[
    BASE,
    Profile {
        name: "links",
        machines: (2, 5),
        period_ms: (50, 1500),
        faults: &[
            (Fault::Break, 6),
            (Fault::BreakBetween, 2),
            (Fault::Clog, 2),
            (Fault::Stall, 2),
            (Fault::Storm, 1),
            (Fault::ShortPause, 1),
        ],
        promise: Promise::Kept,
        ..BASE
    },
    Profile {
        name: "restarts",
        machines: (2, 5),
        seconds: 40,
        period_ms: (100, 1500),
        faults: &[(Fault::SafeKill, 4), (Fault::Roll, 2), (Fault::Recluster, 1), (Fault::Break, 2)],
        promise: Promise::Kept,
        ..BASE
    },
    Profile {
        name: "membership",
        machines: (3, 6),
        seconds: 40,
        period_ms: (300, 4000),
        faults: &[
            (Fault::Join, 4),
            (Fault::Leave, 3),
            (Fault::Recluster, 2),
            (Fault::Break, 2),
            (Fault::Clog, 1),
        ],
        promise: Promise::Kept,
        joins: true,
        ..BASE
    },
    Profile {
        name: "pauses",
        machines: (2, 5),
        seconds: 40,
        period_ms: (500, 5000),
        faults: &[(Fault::LongPause, 3), (Fault::ShortPause, 2)],
        promise: Promise::KeptUndivided,
        ..BASE
    },
    Profile {
        name: "splits",
        machines: (2, 6),
        seconds: 40,
        period_ms: (500, 6000),
        faults: &[(Fault::Split, 3), (Fault::Cut, 2), (Fault::Break, 2), (Fault::Clog, 1)],
        promise: Promise::KeptUndivided,
        ..BASE
    },
    Profile {
        name: "disks",
        machines: (1, 5),
        seconds: 40,
        period_ms: (100, 2000),
        faults: &[
            (Fault::SafeKill, 5),
            (Fault::KillAll, 1),
            (Fault::Roll, 1),
            (Fault::SlowDisks, 2),
            (Fault::FailingReads, 2),
            (Fault::FailingWrites, 2),
            (Fault::Break, 2),
        ],
        promise: Promise::Kept,
        keeping: Keeping::Disks,
        ..BASE
    },
    Profile {
        name: "power",
        machines: (1, 5),
        seconds: 40,
        period_ms: (100, 2000),
        faults: &[
            (Fault::SafePower, 5),
            (Fault::PowerAll, 1),
            (Fault::SafeKill, 1),
            (Fault::SlowDisks, 1),
        ],
        promise: Promise::Kept,
        keeping: Keeping::Disks,
        ..BASE
    },
    Profile {
        name: "diskloss",
        machines: (2, 5),
        seconds: 40,
        period_ms: (100, 2000),
        faults: &[
            (Fault::SafeLoss, 4),
            (Fault::SafePower, 1),
            (Fault::SafeKill, 1),
            (Fault::Break, 1),
        ],
        promise: Promise::Kept,
        keeping: Keeping::Disks,
        ..BASE
    },
    Profile {
        name: "chaos",
        machines: (2, 6),
        seconds: 40,
        skew_ms: 2000,
        period_ms: (100, 3000),
        faults: &[
            (Fault::Break, 4),
            (Fault::BreakBetween, 2),
            (Fault::Clog, 2),
            (Fault::Stall, 2),
            (Fault::Storm, 1),
            (Fault::ShortPause, 2),
            (Fault::LongPause, 1),
            (Fault::Kill, 2),
            (Fault::Roll, 1),
            (Fault::Recluster, 1),
            (Fault::Split, 2),
            (Fault::Cut, 2),
            (Fault::ClockJump, 1),
            (Fault::Power, 2),
            (Fault::Loss, 1),
            (Fault::SlowDisks, 1),
            (Fault::FailingReads, 1),
            (Fault::FailingWrites, 1),
        ],
        promise: Promise::Nothing,
        ..BASE
    },
];

impl Profile {
    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        PROFILES.iter().find(|profile| profile.name == name).copied()
    }

    /// How nodes are configured in a world of it.
    pub fn setup(&self, random: &mut fastrand::Rng) -> Setup {
        let (fewest, most) = self.machines;
        let machines = random.usize(fewest..=most);
        let needs_copies = self.promise != Promise::Nothing && self.promise != Promise::Fresh;
        let least = if needs_copies && machines > 1 { 2 } else { 1 };
        let mut setup = Setup {
            machines,
            replication_factor: random.u32(least..=(machines as u32).clamp(least, 3)),
            loops: random.usize(1..=2),
            by_generation: random.bool(),
            migrate_threads: random.u32(1..=4),
            min_cluster_size: 1,
            storage: self.storage(random),
            // Every other world, whatever else is drawn.
            is_upgraded: random.clone().bool(),
            nsup_period_seconds: 0,
        };
        if random.bool() {
            setup.nsup_period_seconds = random.u32(1..=4);
        }
        if setup.storage.commits() && self.may_strike_all() {
            // Whoever comes up first must not serve what only others have.
            setup.min_cluster_size = machines as u32 - setup.replication_factor + 1;
        }
        setup
    }

    fn may_strike_all(&self) -> bool {
        self.faults.iter().any(|(fault, _)| matches!(fault, Fault::KillAll | Fault::PowerAll))
    }

    /// Where records are. Draws from a generator of its own, so that worlds in memory take the same course
    /// whatever there is to know of disks.
    fn storage(&self, random: &fastrand::Rng) -> Storage {
        let mut random = random.clone();
        match self.keeping {
            Keeping::Mixed if random.u32(..3) > 0 => Storage::Memory,
            Keeping::Mixed | Keeping::Disks => Storage::Disks(Disks::draw(&mut random)),
        }
    }

    /// How many of so many machines run at first.
    pub fn running(&self, random: &mut fastrand::Rng, machines: usize) -> usize {
        if self.joins { random.usize(2..=machines) } else { machines }
    }
}
