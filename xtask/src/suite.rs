//! `cargo xtask test`: everything that must hold before a change is merged.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::process::Step;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Packages whose tests start real servers and show tables: they run last, one test at a time.
const WITH_SERVERS: &str = "bolide-tests";

/// Runs every step, also after a failure, so that one run shows all that is wrong.
///
/// The last line is `N passed, N failed`: tests of all kinds, plus one for each other step.
pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    let mut suite = Suite { workspace, tally: Tally::default(), broken: Vec::new() };
    suite.check("format", &Step::cargo(["fmt", "--all", "--check"]))?;
    suite.check(
        "lints",
        &Step::cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    )?;
    suite.tests(
        "unit tests, and the rules of this workspace",
        &Step::cargo(["test", "--workspace", "--exclude", WITH_SERVERS, "--no-fail-fast"]),
    )?;
    if workspace.package(WITH_SERVERS)?.is_some() {
        suite.tests(
            "golden replay and official clients, against a real server",
            &Step::cargo([
                "test",
                "--package",
                WITH_SERVERS,
                "--no-fail-fast",
                "--",
                "--test-threads=1",
            ]),
        )?;
    }
    Ok(suite.close())
}

struct Suite<'a> {
    workspace: &'a Workspace,
    tally: Tally,
    broken: Vec<String>,
}

impl Suite<'_> {
    /// A step that passes or fails as a whole.
    fn check(&mut self, title: &str, step: &Step) -> Result<()> {
        let begun = announce(title, step);
        let passed = step.run(self.workspace)?;
        self.tally.count(passed);
        self.end(title, begun, passed);
        Ok(())
    }

    /// A step made of tests that are counted one by one.
    fn tests(&mut self, title: &str, step: &Step) -> Result<()> {
        let begun = announce(title, step);
        let failed_before = self.tally.failed;
        let passed = step.run_counted(self.workspace, &mut self.tally)?;
        // What does not compile, or dies, has no summary to count.
        if !passed && self.tally.failed == failed_before {
            self.tally.count(false);
        }
        self.end(title, begun, passed);
        Ok(())
    }

    fn end(&mut self, title: &str, begun: Instant, passed: bool) {
        let verdict = if passed { "ok" } else { "FAILED" };
        println!("==> {title}: {verdict} after {} s", begun.elapsed().as_secs());
        if !passed {
            self.broken.push(title.to_owned());
        }
    }

    fn close(self) -> ExitCode {
        println!();
        for title in &self.broken {
            println!("FAILED: {title}");
        }
        println!("{}", self.tally);
        if self.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn announce(title: &str, step: &Step) -> Instant {
    println!("\n==> {title}: {step}");
    Instant::now()
}
