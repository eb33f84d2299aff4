//! What cargo knows about this workspace: its packages and the edges between them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The tree that this program was built from.
pub struct Workspace {
    pub root: PathBuf,
}

/// One package of the workspace, as `cargo metadata` describes it.
#[derive(Deserialize)]
pub struct Package {
    pub name: String,
    pub dependencies: Vec<Dependency>,
}

/// One edge out of a package.
#[derive(Deserialize)]
pub struct Dependency {
    pub name: String,
    /// Present for a dependency inside the workspace.
    pub path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

impl Workspace {
    /// The tree in which this program was compiled: `xtask` lies directly below its root.
    pub fn of_this_build() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().expect("xtask is a folder of the workspace");
        Self { root: root.to_owned() }
    }

    /// All packages, in cargo's order.
    pub fn packages(&self) -> Result<Vec<Package>> {
        let output = Command::new(cargo())
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .current_dir(&self.root)
            .output()
            .context("cannot run cargo metadata")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo metadata failed: {errors}");
        let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
        Ok(metadata.packages)
    }

    pub fn package(&self, name: &str) -> Result<Option<Package>> {
        Ok(self.packages()?.into_iter().find(|package| package.name == name))
    }
}

/// The cargo that runs us, so that a chosen toolchain stays chosen.
pub fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}
