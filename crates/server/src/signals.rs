//! Signals: stop, and rotate logs.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator;

/// The signals that the server heeds, from when they are installed.
pub struct Signals {
    arriving: iterator::Signals,
}

impl Signals {
    /// Takes SIGTERM, SIGINT and SIGHUP over from their default actions.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn install() -> std::io::Result<Self> {
        Ok(Self { arriving: iterator::Signals::new([SIGTERM, SIGINT, SIGHUP])? })
    }

    /// Returns when the process is told to stop; calls `rotate` at each SIGHUP before that.
    pub fn wait_for_stop(mut self, rotate: impl Fn()) {
        for signal in self.arriving.forever() {
            match signal {
                SIGHUP => rotate(),
                _ => return,
            }
        }
    }
}
