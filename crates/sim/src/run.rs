//! One run, from a seed to a verdict.

use std::fmt;
use std::time::Duration;

use crate::check::Finding;
use crate::client::Outcome;
use crate::profile::Profile;
use crate::world::{Tally, World};

/// How long nodes have to find each other in the beginning.
const FORMING: Duration = Duration::from_secs(60);
/// How long it takes until all nodes have what every world has.
const FURNISHING: Duration = Duration::from_secs(1);
/// How long a world has to come to rest in the end.
const HEALING: Duration = Duration::from_secs(180);
/// How long requests under way may take to end.
const DRAINING: Duration = Duration::from_secs(6);

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The profile.
    pub profile: Profile,
    /// What should not be.
    pub findings: Vec<Finding>,
    /// The same for the same course of events.
    pub hash: u64,
    /// Events.
    pub events: u64,
    /// Virtual time.
    pub time: Duration,
    /// Requests by how they ended: done, absent, refused, in doubt.
    pub outcomes: [usize; 4],
    /// Faults.
    pub strikes: u64,
    /// How often some things have happened.
    pub tally: Tally,
    /// The last lines of the trace.
    pub lines: Vec<String>,
}

/// Runs a world of a profile under a seed.
///
/// # Errors
/// When a node cannot be started.
pub fn run(seed: u64, profile: &Profile, is_shown: bool) -> anyhow::Result<Report> {
    let mut world = World::new(seed, profile, is_shown)?;
    let mut findings = Vec::new();
    if let Err(error) = live(&mut world, &mut findings) {
        findings.push(Finding(format!("a node does not start: {error:#}")));
    }
    Ok(report(seed, profile, &world, findings))
}

/// A world from its first to its last moment.
fn live(world: &mut World, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
    if !world.run_while(FORMING, |world| world.unsettled().is_some())? {
        let why = world.unsettled().unwrap_or_default();
        findings.push(Finding(format!("the nodes do not find each other: {why}")));
    }
    world.furnish();
    world.run_until(world.now + FURNISHING)?;
    world.begin_clients();
    world.begin_changes();
    world.begin_faults();
    world.run_until(world.now + Duration::from_secs(world.nemesis.profile.seconds))?;
    world.heal()?;
    // Clients go on for a while, so that a world that has healed is seen to work.
    world.run_until(world.now + Duration::from_secs(5))?;
    world.clients.are_active = false;
    world.run_until(world.now + DRAINING)?;
    // Nodes that were quiesced take part again once the view is formed anew.
    if world.run_while(HEALING, |world| world.unsettled().is_some())? {
        world.recluster();
        world.run_until(world.now + DRAINING)?;
    }
    if world.run_while(HEALING, |world| world.unsettled().is_some())? {
        // What still is under way between nodes comes to its end.
        world.run_until(world.now + DRAINING)?;
        if let Some(why) = world.unsettled() {
            findings.push(Finding(format!("the nodes do not stay at rest: {why}")));
        }
        world.audit();
        world.run_until(world.now + DRAINING)?;
        world.check_replicas(findings);
        world.check_history(findings);
        world.check_metadata(findings);
        world.check_truncations(findings);
        world.check_expiry(findings);
        world.check_indexes(findings);
        world.check_queries(findings);
        world.check_starts(findings);
    } else {
        let why = world.unsettled().unwrap_or_default();
        findings.push(Finding(format!("the nodes do not come to rest: {why}")));
    }
    Ok(())
}

fn report(seed: u64, profile: &Profile, world: &World, findings: Vec<Finding>) -> Report {
    let count = |outcome: Outcome| {
        world.clients.history.deeds.iter().filter(|deed| deed.outcome == outcome).count()
    };
    let outcomes = [Outcome::Done, Outcome::Absent, Outcome::Refused, Outcome::Doubt].map(count);
    Report {
        seed,
        profile: *profile,
        findings,
        hash: world.trace.hash(),
        events: world.trace.events(),
        time: world.now,
        outcomes,
        strikes: world.nemesis.strikes,
        tally: world.tally(),
        lines: world.trace.last(60).map(str::to_owned).collect(),
    }
}

impl Report {
    /// Whether all was as it should be.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    /// All there is to know of a failure, and how to see it again.
    pub fn failure(&self) -> String {
        let Self { seed, profile: Profile { name, .. }, .. } = self;
        let mut text = format!("seed {seed} of profile {name} fails\n");
        text.push_str("last lines of its trace:\n");
        self.lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        text.push_str("what should not be:\n");
        self.findings.iter().for_each(|finding| text.push_str(&format!("  {finding}\n")));
        text.push_str(&format!(
            "see it again: cargo xtask sim --profile {name} --seed {seed} --trace\n"
        ));
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [done, absent, refused, doubt] = self.outcomes;
        write!(
            f,
            "{:<10} seed {:>6}  {}  {:>6.1} s  {:>8} events  {:>3} faults  {}  {done} done, {absent} absent, \
             {refused} refused, {doubt} in doubt  {:016x}",
            self.profile.name,
            self.seed,
            if self.is_good() { "ok  " } else { "FAIL" },
            self.time.as_secs_f64(),
            self.events,
            self.strikes,
            self.tally,
            self.hash,
        )
    }
}
