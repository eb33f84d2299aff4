//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything may take that the tests wait for. A loaded machine is slow.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(20);

/// Waits until `condition` gives something and returns that. While it gives nothing, it tells why, as an
/// error: the last reason is what is shown when patience ends.
///
/// # Errors
/// When patience ends.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Result<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        let reason = match condition() {
            Ok(value) => return Ok(value),
            Err(reason) => reason,
        };
        if begun.elapsed() > PATIENCE {
            bail!("{what}: not after {PATIENCE:?}: {reason:#}");
        }
        std::thread::sleep(PERIOD);
    }
}
