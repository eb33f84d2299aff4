//! What breaks, and when.

use std::time::Duration;

use crate::disk::Trouble;
use crate::network::{FAIR, Weather};
use crate::profile::{Fault, Profile, Promise};
use crate::world::{Crash, Event, World};

/// How often it is looked whether a quiesced node is empty.
const DRAIN_PERIOD: Duration = Duration::from_millis(200);

/// A step of a fault.
#[derive(Debug)]
pub enum FaultEvent {
    /// Something breaks.
    Strike,
    /// A machine starts again.
    Restart(usize),
    /// These directions are open again.
    Mend(Vec<(usize, usize)>),
    /// Frames between two machines are as fast as others again.
    Unclog(usize, usize),
    /// The network is as it is mostly.
    Clear,
    /// A quiesced node ends if nothing is left on it. Starts again after that time, if any.
    EndWhenEmpty(usize, Option<Duration>),
    /// The disks of a machine work again, if it has not come up anew meanwhile (its life).
    MendDisks(usize, u32),
}

/// Who breaks things.
#[derive(Debug)]
pub struct Nemesis {
    /// What may break.
    pub profile: Profile,
    /// Whether anything does.
    pub is_active: bool,
    /// How many machines are on their way out, or away for a while.
    pub(crate) away: usize,
    /// Faults so far.
    pub strikes: u64,
}

impl Nemesis {
    /// One that follows a profile, and rests so far.
    pub fn new(profile: Profile) -> Self {
        Self { profile, is_active: false, away: 0, strikes: 0 }
    }

    fn choose(&self, random: &mut fastrand::Rng) -> Option<Fault> {
        let total = self.profile.faults.iter().map(|(_, weight)| weight).sum::<u32>();
        if total == 0 {
            return None;
        }
        let mut drawn = random.u32(..total);
        for (fault, weight) in self.profile.faults {
            match drawn.checked_sub(*weight) {
                Some(rest) => drawn = rest,
                None => return Some(*fault),
            }
        }
        None
    }
}

impl World {
    /// Has things break from now on.
    pub fn begin_faults(&mut self) {
        self.nemesis.is_active = true;
        self.plan_strike();
    }

    fn plan_strike(&mut self) {
        let (shortest, longest) = self.nemesis.profile.period_ms;
        let pause = Duration::from_millis(self.random.u64(shortest..=longest));
        self.after(pause, Event::Fault(FaultEvent::Strike));
    }

    /// Heals everything, and has all machines run that have not left.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn heal(&mut self) -> anyhow::Result<()> {
        self.trace.line(self.now, format_args!("all is healed"));
        self.nemesis.is_active = false;
        self.network.mend_all(self.now, &mut self.random);
        for machine in 0..self.machines.len() {
            self.machines[machine].paused_until = self.machines[machine].paused_until.min(self.now);
            if self.cure_disks(machine) {
                self.kill(machine);
            }
            let is_away = self.machines[machine].process.is_none();
            if is_away && !self.nemesis.profile.joins {
                self.start(machine)?;
            }
        }
        let machines: Vec<_> = self.running().collect();
        machines.into_iter().for_each(|machine| self.command(machine, "quiesce-undo:"));
        Ok(())
    }

    /// Has the view be formed anew, as an operator would.
    pub fn recluster(&mut self) {
        let machines: Vec<_> = self.running().collect();
        machines.into_iter().for_each(|machine| self.command(machine, "recluster:"));
    }

    pub(crate) fn strike(&mut self, event: FaultEvent) -> anyhow::Result<()> {
        match event {
            FaultEvent::Strike => {
                if !self.nemesis.is_active {
                    return Ok(());
                }
                if let Some(fault) = self.nemesis.choose(&mut self.random) {
                    self.nemesis.strikes += 1;
                    self.strike_with(fault)?;
                }
                self.plan_strike();
            }
            FaultEvent::Restart(machine) => {
                self.nemesis.away = self.nemesis.away.saturating_sub(1);
                if self.machines[machine].process.is_none() {
                    self.start(machine)?;
                }
            }
            FaultEvent::Mend(directions) => {
                self.trace.line(self.now, format_args!("open again: {directions:?}"));
                for (from, to) in directions {
                    self.network.mend(self.now, &mut self.random, from, to);
                }
            }
            FaultEvent::Unclog(from, to) => self.network.clog(from, to, Duration::ZERO),
            FaultEvent::Clear => self.network.weather = FAIR,
            FaultEvent::EndWhenEmpty(machine, returns) => self.end_when_empty(machine, returns),
            FaultEvent::MendDisks(machine, life) => self.mend_disks(machine, life),
        }
        Ok(())
    }

    fn strike_with(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Break => {
                let broken = self.network.break_one(self.now, &mut self.random);
                self.trace.line(self.now, format_args!("breaks: {broken:?}"));
            }
            Fault::BreakBetween => {
                if let Some((one, other)) = self.two() {
                    self.trace.line(self.now, format_args!("all breaks between {one} and {other}"));
                    self.network.break_between(self.now, &mut self.random, one, other);
                }
            }
            Fault::Clog => {
                let Some((from, to)) = self.two() else { return Ok(()) };
                let by = Duration::from_millis(self.random.u64(50..700));
                let time = Duration::from_millis(self.random.u64(200..3000));
                self.trace.line(self.now, format_args!("clogged by {by:?}: {from} to {to}"));
                self.network.clog(from, to, by);
                self.after(time, Event::Fault(FaultEvent::Unclog(from, to)));
            }
            Fault::Stall => self.cut_for(50..900),
            Fault::Cut => self.cut_for(1500..15_000),
            Fault::Storm => {
                let time = Duration::from_millis(self.random.u64(200..3000));
                self.trace.line(self.now, format_args!("storm for {time:?}"));
                let jitter = Duration::from_millis(self.random.u64(1..30));
                self.network.weather = Weather { jitter, stragglers: 50, refusals: 100, ..FAIR };
                self.after(time, Event::Fault(FaultEvent::Clear));
            }
            Fault::ShortPause => self.pause_for(20..900),
            Fault::LongPause => self.pause_for(1500..12_000),
            Fault::Split => self.split(),
            Fault::ClockJump => {
                let machine = self.random.usize(..self.machines.len());
                let skew_ms = self.random.i64(-5000..5000);
                self.set_skew(machine, skew_ms);
            }
            Fault::Recluster => {
                // A node that was told so before it has found the others would begin without them.
                if self.nemesis.profile.promise == Promise::Nothing || self.unsettled().is_none() {
                    self.recluster();
                }
            }
            Fault::Join => {
                let away = self.machines.iter().position(|machine| machine.process.is_none());
                if let Some(machine) = away.filter(|_| self.nemesis.away == 0) {
                    self.start(machine)?;
                }
            }
            Fault::SafeKill => self.crash_for_a_while(Crash::Process, true),
            Fault::SafePower => self.crash_for_a_while(Crash::Power, true),
            Fault::SafeLoss => self.crash_for_a_while(Crash::Disks, true),
            Fault::Kill => self.crash_for_a_while(Crash::Process, false),
            Fault::Power => self.crash_for_a_while(Crash::Power, false),
            Fault::Loss => self.crash_for_a_while(Crash::Disks, false),
            Fault::KillAll => self.crash_all(Crash::Process),
            Fault::PowerAll => self.crash_all(Crash::Power),
            Fault::SlowDisks => self.slow_disks(),
            Fault::FailingReads => self.fail_disks(Trouble::Reads),
            Fault::FailingWrites => self.fail_disks(Trouble::Writes),
            Fault::Roll | Fault::Leave => self.quiesce(fault == Fault::Roll),
        }
        Ok(())
    }

    /// A machine that runs.
    pub(crate) fn one(&mut self) -> Option<usize> {
        let running: Vec<_> = self.running().collect();
        self.random.choice(&running).copied()
    }

    /// Two machines.
    fn two(&mut self) -> Option<(usize, usize)> {
        let (one, other) = (self.one()?, self.one()?);
        (one != other).then_some((one, other))
    }

    fn cut_for(&mut self, millis: std::ops::Range<u64>) {
        let Some((from, to)) = self.two() else { return };
        let time = Duration::from_millis(self.random.u64(millis));
        let mut directions = vec![(from, to)];
        if self.random.bool() {
            directions.push((to, from));
        }
        self.trace.line(self.now, format_args!("cut for {time:?}: {directions:?}"));
        directions.iter().for_each(|(from, to)| self.network.cut(*from, *to));
        self.after(time, Event::Fault(FaultEvent::Mend(directions)));
    }

    fn split(&mut self) {
        let count = self.machines.len();
        let side: Vec<_> = (0..count).map(|_| self.random.bool()).collect();
        let time = Duration::from_millis(self.random.u64(1500..15_000));
        let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
        let directions: Vec<_> = pairs.filter(|(from, to)| side[*from] != side[*to]).collect();
        self.trace.line(self.now, format_args!("split for {time:?}: {side:?}"));
        directions.iter().for_each(|(from, to)| self.network.cut(*from, *to));
        self.after(time, Event::Fault(FaultEvent::Mend(directions)));
    }

    fn pause_for(&mut self, millis: std::ops::Range<u64>) {
        let time = Duration::from_millis(self.random.u64(millis));
        if let Some(machine) = self.one()
            && self.machines[machine].paused_until <= self.now
        {
            self.pause(machine, time);
        }
    }

    /// Whether one process may go without anything being lost, if its disks come back with it.
    pub(crate) fn may_lose_one(&self) -> bool {
        self.is_ready() && (self.has_copies() || self.setup.storage.commits())
    }

    /// Whether no machine is away, and nothing moves.
    fn is_ready(&self) -> bool {
        self.nemesis.away == 0 && self.unsettled().is_none()
    }

    /// Whether somebody else has all that a machine has.
    fn has_copies(&self) -> bool {
        self.setup.replication_factor > 1 && self.machines.len() > 1
    }

    fn crash_for_a_while(&mut self, crash: Crash, is_safe: bool) {
        let may_go = match crash {
            // Who is the only one to have something must bring it back with it.
            Crash::Process | Crash::Power => self.may_lose_one(),
            Crash::Disks => self.is_ready() && self.has_copies(),
        };
        if is_safe && !may_go || self.machines.len() < 2 && !is_safe {
            return;
        }
        let Some(machine) = self.one() else { return };
        let away = Duration::from_millis(self.random.u64(1..8000));
        self.nemesis.away += 1;
        self.crash(machine, crash);
        self.after(away, Event::Fault(FaultEvent::Restart(machine)));
    }

    /// All go down, and come up again within a short time of each other.
    fn crash_all(&mut self, crash: Crash) {
        if !self.setup.storage.commits() || self.nemesis.away > 0 {
            return;
        }
        let away = Duration::from_millis(self.random.u64(1..4000));
        for machine in self.running().collect::<Vec<_>>() {
            self.nemesis.away += 1;
            self.crash(machine, crash);
            let later = Duration::from_millis(self.random.u64(..300));
            self.after(away + later, Event::Fault(FaultEvent::Restart(machine)));
        }
    }

    fn slow_disks(&mut self) {
        let Some(machine) = self.one() else { return };
        let time = Duration::from_millis(self.random.u64(200..5000));
        self.trace.line(self.now, format_args!("disks of {machine} are slow for {time:?}"));
        self.machines[machine].slow_until = self.now + time;
    }

    fn quiesce(&mut self, returns: bool) {
        let enough = self.setup.replication_factor as usize;
        if !self.is_ready() || self.running().count() <= enough.max(1) {
            return;
        }
        let Some(machine) = self.one() else { return };
        self.nemesis.away += 1;
        self.command(machine, "quiesce:");
        self.recluster();
        let away = Duration::from_millis(self.random.u64(1..5000));
        let end = FaultEvent::EndWhenEmpty(machine, returns.then_some(away));
        self.after(Duration::from_secs(1), Event::Fault(end));
    }

    fn end_when_empty(&mut self, machine: usize, returns: Option<Duration>) {
        if !self.nemesis.is_active {
            return;
        }
        if !self.is_drained(machine) {
            let again = FaultEvent::EndWhenEmpty(machine, returns);
            return self.after(DRAIN_PERIOD, Event::Fault(again));
        }
        if self.setup.storage.disks().is_some() && self.random.bool() {
            self.stop_in_order(machine);
        }
        self.kill(machine);
        match returns {
            Some(away) => self.after(away, Event::Fault(FaultEvent::Restart(machine))),
            None => self.nemesis.away -= 1,
        }
    }
}
