//! Counts what passed and what failed over all steps of a run.

/// How many checks and tests passed and failed so far.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
}

impl Tally {
    /// Counts one check that is not a test of its own, such as the format check.
    pub fn count(&mut self, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }

    /// Adds the numbers of a test binary's closing line; ignores every other line.
    pub fn read_summary(&mut self, line: &str) {
        let Some((_, summary)) = line.split_once("test result: ") else { return };
        self.passed += number_before(summary, " passed").unwrap_or(0);
        self.failed += number_before(summary, " failed").unwrap_or(0);
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

fn number_before(text: &str, word: &str) -> Option<u64> {
    let (before, _) = text.split_once(word)?;
    before.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_closing_line_of_a_test_binary() {
        let mut tally = Tally::default();
        tally.read_summary("running 12 tests");
        tally.read_summary("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured");
        tally.read_summary("test result: FAILED. 3 passed; 2 failed; 0 ignored");
        tally.count(true);
        assert_eq!(tally.to_string(), "16 passed, 2 failed");
    }
}
