//! What was counted or measured in the last half hour, minute by minute.

/// Minutes that a window holds: the one that is under way, and those before it.
pub(super) const MINUTES: usize = 30;

/// See the module. A minute that is pushed out by a new one is forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    minutes: [Minute; MINUTES],
    current: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    sum: u64,
    samples: u32,
}

impl Window {
    /// Adds an event, with what was measured of it; 1 if it is only counted.
    pub fn add(&mut self, value: u64) {
        let minute = &mut self.minutes[self.current];
        minute.sum = minute.sum.saturating_add(value);
        minute.samples = minute.samples.saturating_add(1);
    }

    /// Lets so many minutes begin, one after the other.
    pub fn advance(&mut self, minutes: usize) {
        for _ in 0..minutes.min(MINUTES) {
            self.current = (self.current + 1) % MINUTES;
            self.minutes[self.current] = Minute::default();
        }
    }

    /// Whether nothing has happened in all of its minutes.
    pub fn is_empty(&self) -> bool {
        self.samples() == 0
    }

    /// All values together.
    pub fn total(&self) -> f64 {
        self.minutes.iter().map(|minute| minute.sum as f64).sum()
    }

    /// The mean of all values, whichever minute they are of; 0 without any.
    pub fn mean(&self) -> f64 {
        match self.samples() {
            0 => 0.0,
            samples => self.total() / samples as f64,
        }
    }

    fn samples(&self) -> u64 {
        self.minutes.iter().map(|minute| u64::from(minute.samples)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_over_values_and_not_over_minutes() {
        let mut window = Window::default();
        assert_eq!((window.total(), window.mean(), window.is_empty()), (0.0, 0.0, true));
        window.add(10);
        window.add(20);
        window.advance(1);
        window.add(60);
        assert_eq!((window.total(), window.mean(), window.is_empty()), (90.0, 30.0, false));
    }

    #[test]
    fn a_minute_counts_for_half_an_hour() {
        let mut window = Window::default();
        window.add(7);
        window.advance(MINUTES - 1);
        window.add(1);
        assert_eq!(window.total(), 8.0);
        window.advance(1);
        assert_eq!(window.total(), 1.0);
        window.advance(usize::MAX);
        assert!(window.is_empty());
    }

    #[test]
    fn values_of_any_size_are_added() {
        let mut window = Window::default();
        window.add(u64::MAX);
        window.add(u64::MAX);
        assert_eq!(window.total(), u64::MAX as f64);
    }
}
