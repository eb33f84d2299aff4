//! What latency histograms counted between the last two steps of the ticker.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use engine::latency::Counts;

/// Shares that a slice shows: of values of at least 1, 2, 4 … 65,536 units.
const COLUMNS: usize = 17;

/// The last slice of each histogram, as `latencies` shows it after the name.
#[derive(Debug, Default)]
pub(crate) struct Slices(HashMap<String, String>);

impl Slices {
    /// The slice of a histogram; empty if it has none yet.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Drops the slice of a histogram that starts afresh.
    pub fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(super) fn forget_all(&mut self) {
        self.0.clear();
    }

    pub(super) fn set(&mut self, name: &str, unit: &str, elapsed: Duration, slice: &Counts) {
        let seconds = elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { slice.total() as f64 / seconds } else { 0.0 };
        let mut text = format!("{unit},{rate:.1}");
        for exponent in 0..COLUMNS {
            // Writing to a string cannot fail.
            let _ = write!(text, ",{:.2}", slice.percent_at_least(exponent));
        }
        self.0.insert(name.to_owned(), text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slice_has_a_rate_and_seventeen_shares() {
        let mut counts = Counts::default();
        counts.0[..4].copy_from_slice(&[90, 5, 3, 2]);
        let mut slices = Slices::default();
        slices.set("{test}-read", "msec", Duration::from_secs(8), &counts);
        let zeros = ",0.00".repeat(COLUMNS - 3);
        assert_eq!(slices.get("{test}-read"), format!("msec,12.5,10.00,5.00,2.00{zeros}"));
        assert_eq!(slices.get("{test}-write"), "");
        slices.set("idle", "usec", Duration::ZERO, &Counts::default());
        assert_eq!(slices.get("idle"), format!("usec,0.0{}", ",0.00".repeat(COLUMNS)));
        slices.forget("idle");
        assert_eq!(slices.get("idle"), "");
    }
}
