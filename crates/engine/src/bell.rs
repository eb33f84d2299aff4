//! Wakes a thread that sleeps until something is due.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Rung to wake the thread that waits; a ring without a waiter is kept for the next one.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    wake: Condvar,
}

impl Bell {
    /// Wakes the waiter.
    pub fn ring(&self) {
        *self.rung.lock() = true;
        self.wake.notify_one();
    }

    /// Waits until the bell rings or the time is over.
    pub fn wait(&self, at_most: Duration) {
        let mut rung = self.rung.lock();
        if !*rung {
            self.wake.wait_for(&mut rung, at_most);
        }
        *rung = false;
    }

    /// Whether it was rung since somebody last waited or asked: for hosts that have no thread to wait.
    pub fn was_rung(&self) -> bool {
        std::mem::take(&mut *self.rung.lock())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_ring_is_not_lost() {
        let bell = Bell::default();
        bell.ring();
        let start = Instant::now();
        bell.wait(Duration::from_secs(60));
        assert!(start.elapsed() < Duration::from_secs(30));
        bell.wait(Duration::from_millis(1));
        assert!(!bell.was_rung());
        bell.ring();
        assert!(bell.was_rung() && !bell.was_rung());
    }
}
