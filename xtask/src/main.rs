//! The one way to run things in this workspace: `cargo xtask COMMAND`.

mod process;
mod suite;
mod tally;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};
use process::Step;
use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test                       everything: format, lints, rules, unit tests, golden replay, clients
  ci                         the same; what the build machine runs
  tidy                       only the rules of this workspace (floors, sizes, ledger, ...)
  bench [SCENARIO...]        the suite: this server and a bare echo server in turns, optimized
  bench run ...|echo ...     the load generator, for any server (package bolide-bench)
  bench values               what operations on lists and maps, and filters, cost as they grow
  fuzz TARGET [--seconds N]  one fuzz target, optimized (package bolide-fuzz)
  sim [--seed N] [--seeds N] [--profile NAME] [--nodes N] [--trace] ...
                             clusters under a seed, with faults and checks (package bolide-sim)";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = arguments.split_first() else { bail!("{USAGE}") };
    let workspace = Workspace::of_this_build();
    match command.as_str() {
        "test" | "ci" => suite::run(&workspace),
        "tidy" => tidy::run(&workspace),
        "bench" => bench(&workspace, rest),
        "fuzz" => forward(&workspace, "bolide-fuzz", "release", rest),
        "sim" => forward(&workspace, "bolide-sim", "sim", &sim_arguments(rest)),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        unknown => bail!("unknown command {unknown:?}\n\n{USAGE}"),
    }
}

/// Runs the suite of benchmarks against the server as it is now, or what else the load generator can.
fn bench(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let own_command = ["run", "echo", "suite", "help", "--help", "--version"];
    if arguments.first().is_some_and(|first| own_command.contains(&first.as_str())) {
        return forward(workspace, "bolide-bench", "release", arguments);
    }
    if arguments.first().is_some_and(|first| first == "values") {
        let example = |package, name| {
            Step::cargo(["run", "--quiet", "--release", "--package", package, "--example", name])
                .run(workspace)
        };
        let good = example("bolide-value", "collections")? && example("bolide-expr", "filter")?;
        return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let build = Step::cargo(["build", "--release", "--bin", "bolide"]);
    if !build.run(workspace)? {
        return Ok(ExitCode::FAILURE);
    }
    let suite = std::iter::once("suite".to_owned()).chain(arguments.iter().cloned());
    forward(workspace, "bolide-bench", "release", &suite.collect::<Vec<_>>())
}

/// What the simulator runs if nothing is said: some seeds of each profile, about a minute.
fn sim_arguments(arguments: &[String]) -> Vec<String> {
    match arguments {
        [] => ["--seed", "1", "--seeds", "4", "--keep-going"].map(str::to_owned).to_vec(),
        arguments => arguments.to_vec(),
    }
}

/// Runs a package's own program, built with a profile, with the rest of the command line.
fn forward(
    workspace: &Workspace,
    package: &str,
    profile: &str,
    arguments: &[String],
) -> Result<ExitCode> {
    if workspace.package(package)?.is_none() {
        bail!("this tree has no package {package}");
    }
    let step = Step::cargo(["run", "--quiet", "--profile", profile, "--package", package, "--"])
        .arguments(arguments);
    Ok(if step.run(workspace)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
