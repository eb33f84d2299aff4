//! Times during which something was so.

use std::time::Duration;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    past: Vec<(Duration, Duration)>,
    since: Option<Duration>,
}

impl Spans {
    /// Notes whether it is so now.
    pub fn note(&mut self, is_so: bool, now: Duration) {
        match (is_so, self.since) {
            (true, None) => self.since = Some(now),
            (false, Some(since)) => {
                self.past.push((since, now));
                self.since = None;
            }
            _ => {}
        }
    }

    /// Whether it was so at any time between two moments.
    pub fn touch(&self, from: Duration, to: Duration) -> bool {
        self.spans().any(|(begin, end)| begin <= to && from <= end)
    }

    /// All of them: beginnings and ends.
    pub fn spans(&self) -> impl Iterator<Item = (Duration, Duration)> + '_ {
        let open = self.since.map(|since| (since, Duration::MAX));
        self.past.iter().copied().chain(open)
    }
}
