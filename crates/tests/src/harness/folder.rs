//! A temporary folder that goes away with its owner.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

/// A fresh, empty folder. It stays behind when a test panics, or when `BOLIDE_KEEP` is set, for the person
/// who looks into it.
pub struct Folder(PathBuf);

impl Folder {
    /// # Errors
    /// When the folder cannot be made.
    pub fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bolide-tests-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("BOLIDE_KEEP").is_some() {
            crate::announce(format_args!("kept for inspection: {}", self.0.display()));
        } else {
            // Left-overs in the system's temporary folder harm nobody.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
