//! `bolide-sim`: runs worlds by hand, any number of them.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Parser;
use sim::profile::{PROFILES, Profile};
use sim::run::run;

/// Whole clusters under a seed, with faults and checks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim")]
struct Arguments {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, from the first on.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The kind of trouble; all kinds if none is named.
    #[arg(long)]
    profile: Option<String>,
    /// How many machines, instead of as many as the seed says.
    #[arg(long)]
    nodes: Option<usize>,
    /// How long clients work, in virtual seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Shows all that happens.
    #[arg(long)]
    trace: bool,
    /// Runs each seed twice, and compares.
    #[arg(long)]
    twice: bool,
    /// Goes on after a failure.
    #[arg(long)]
    keep_going: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut profiles = match &arguments.profile {
        None => PROFILES.to_vec(),
        Some(name) => match Profile::named(name) {
            Some(profile) => vec![profile],
            None => {
                let names: Vec<_> = PROFILES.iter().map(|profile| profile.name).collect();
                bail!("there is no profile {name}; there are {}", names.join(", "));
            }
        },
    };
    for profile in &mut profiles {
        if let Some(nodes) = arguments.nodes {
            profile.machines = (nodes.clamp(1, 256), nodes.clamp(1, 256));
        }
        profile.seconds = arguments.seconds.unwrap_or(profile.seconds);
    }
    let (begun, mut virtual_time, mut runs, mut failures) = (Instant::now(), Duration::ZERO, 0, 0);
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.seeds) {
        for profile in &profiles {
            let report = run(seed, profile, arguments.trace)?;
            println!("{report}");
            virtual_time += report.time;
            runs += 1;
            let mut is_good = report.is_good();
            if !is_good {
                print!("{}", report.failure());
            }
            if arguments.twice && run(seed, profile, false)?.hash != report.hash {
                println!("seed {seed} of profile {} takes another course each time", profile.name);
                is_good = false;
            }
            if !is_good {
                failures += 1;
                if !arguments.keep_going {
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
    }
    let hours = virtual_time.as_secs_f64() / 3600.0;
    println!(
        "{runs} runs, {failures} failures, {hours:.2} h of their time in {:?}",
        begun.elapsed()
    );
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
