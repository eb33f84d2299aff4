//! The official clients: the programs in `clients/`, what they need, and how they are run.
//!
//! Packages are fetched from their registries into the build folder, and programs built there, once for
//! all tests. Where a toolchain is missing, that is said loudly, and the test passes.

mod install;
mod languages;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

pub use languages::{GO, JAVA, LANGUAGES, NODE, PYTHON, RUST};

use crate::announce;

/// A language that has an official client, with two programs that use it: one that checks every kind of
/// command, one that puts load on a cluster.
pub struct Language {
    /// Also the name of its folder.
    pub name: &'static str,
    /// Tools that must be there, with arguments that they succeed with.
    needs: &'static [(&'static str, &'static [&'static str])],
    /// Whether another list of packages, or any other source, makes it necessary to install again.
    changes_with: Sources,
    install: fn(&Places) -> Result<()>,
    checks: fn(&Places) -> Result<Command>,
    load: fn(&Places) -> Result<Command>,
}

/// What an installation was made of.
enum Sources {
    /// This file.
    List(&'static str),
    /// All files.
    All,
    /// What cargo knows.
    Cargo,
}

/// Where things are.
pub(crate) struct Places {
    source: PathBuf,
    /// Where packages and build results go.
    folder: PathBuf,
}

/// The programs of a language, ready to run.
pub struct Programs {
    language: &'static Language,
    places: Places,
}

impl Language {
    /// Makes the programs ready, in a folder for what tests build. `None` where a tool is missing; says so.
    ///
    /// # Errors
    /// When packages cannot be had, or a program does not build.
    pub fn prepare(&'static self, builds: &str) -> Result<Option<Programs>> {
        for (tool, arguments) in self.needs {
            let found = Command::new(tool).args(*arguments).output();
            if !found.is_ok_and(|output| output.status.success()) {
                let name = self.name;
                announce(format_args!("SKIPPED: tests of the {name} client, no {tool} here"));
                return Ok(None);
            }
        }
        let places = Places {
            source: sources().join(self.name),
            folder: Path::new(builds).join("clients").join(self.name),
        };
        install::once(self, &places).with_context(|| format!("preparing {} client", self.name))?;
        Ok(Some(Programs { language: self, places }))
    }
}

impl Programs {
    /// The program that checks every kind of command. Arguments: `HOST PORT LUA`.
    ///
    /// # Errors
    /// When it does not build.
    pub fn checks(&self) -> Result<Command> {
        (self.language.checks)(&self.places)
    }

    /// The program that puts load on a cluster until its standard input ends. Arguments: `HOST PORT`.
    ///
    /// # Errors
    /// When it does not build.
    pub fn load(&self) -> Result<Command> {
        (self.language.load)(&self.places)
    }
}

/// The folder of all programs.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}
