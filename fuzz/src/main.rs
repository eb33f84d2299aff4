//! Fuzz targets: `cargo xtask fuzz TARGET [--seconds N]`.
//!
//! A target feeds bytes to one decoder and checks what must hold whatever the bytes are; a broken
//! promise is a panic. Inputs are mutations of a corpus, mostly recorded traffic, and an input with
//! an outcome not seen before joins the corpus. Everything follows from the seed: the same seed on
//! the same tree goes through the same inputs.

mod corpus;
mod mutator;
mod run;
#[cfg(test)]
mod smoke;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use corpus::Corpus;
use run::Run;
use targets::TARGETS;

/// Memory that a run may map. A decoder that trusts an announced length is found by this.
const ADDRESS_SPACE_BYTES: u64 = 8 << 30;

/// Feeds mutated bytes to a decoder.
#[derive(Parser)]
struct Arguments {
    /// The target; without one, all are listed.
    target: Option<String>,
    /// How long to go on.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// Where to begin; another seed goes through other inputs.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Feed this one file instead.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let Some(name) = &arguments.target else {
        TARGETS.iter().for_each(|target| println!("{:16} {}", target.name, target.what));
        return Ok(ExitCode::SUCCESS);
    };
    let Some(entry) = TARGETS.iter().find(|target| target.name == name) else {
        bail!("no target {name:?}; without a target, all are listed");
    };
    setrlimit(
        Resource::As,
        Rlimit { current: Some(ADDRESS_SPACE_BYTES), ..getrlimit(Resource::As) },
    )?;
    let corpus = Corpus::load()?;
    if let Some(file) = &arguments.input {
        let input = std::fs::read(file).with_context(|| file.display().to_string())?;
        (entry.make)(&corpus).feed(&input);
        println!("{name}: nothing wrong with {}", file.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut run = Run::new(entry, &corpus, arguments.seed);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(arguments.seconds) {
        if let Err(failure) = run.cases(1000) {
            println!("{failure}");
            return Ok(ExitCode::FAILURE);
        }
    }
    println!("{run}");
    Ok(ExitCode::SUCCESS)
}
