//! Wakes a thread that waits for events of a descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};

/// A descriptor that becomes readable when somebody raises it. Clones are the same signal.
#[derive(Clone, Debug)]
pub struct Signal(Arc<OwnedFd>);

impl Signal {
    /// A signal that is not raised.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self(Arc::new(eventfd(0, flags)?)))
    }

    /// Raises it: whoever waits for the descriptor wakes up.
    pub fn raise(&self) {
        // The one possible failure is a count at its limit: the signal is raised then as it is.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }

    /// Lowers it; says whether it was raised.
    pub fn lower(&self) -> bool {
        rustix::io::read(&*self.0, &mut [0; 8]).is_ok()
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_raised_until_it_is_lowered() {
        let signal = Signal::new().unwrap();
        assert!(!signal.lower());
        signal.clone().raise();
        signal.raise();
        assert!(signal.lower());
        assert!(!signal.lower());
    }
}
