//! One step of a command: a child process, shown as it runs.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::tally::Tally;
use crate::workspace::{Workspace, cargo};

/// A process to run at the root of the workspace.
pub struct Step {
    program: OsString,
    arguments: Vec<OsString>,
}

impl Step {
    pub fn cargo<const N: usize>(arguments: [&str; N]) -> Self {
        Self { program: cargo().into(), arguments: arguments.map(OsString::from).to_vec() }
    }

    pub fn arguments(mut self, more: &[String]) -> Self {
        self.arguments.extend(more.iter().map(OsString::from));
        self
    }

    /// Runs to the end; true when it succeeded.
    pub fn run(&self, workspace: &Workspace) -> Result<bool> {
        let status = self.command(workspace).status().with_context(|| self.to_string())?;
        Ok(status.success())
    }

    /// Runs to the end and adds what its test summaries say to the tally; true when it succeeded.
    pub fn run_counted(&self, workspace: &Workspace, tally: &mut Tally) -> Result<bool> {
        let mut child = self
            .command(workspace)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| self.to_string())?;
        let output = child.stdout.take().expect("standard output is piped");
        let mut shown = std::io::stdout().lock();
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            tally.read_summary(&String::from_utf8_lossy(&line));
            shown.write_all(&line)?;
            shown.write_all(b"\n")?;
        }
        Ok(child.wait()?.success())
    }

    fn command(&self, workspace: &Workspace) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&workspace.root);
        command
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cargo")?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", argument.display()))
    }
}
