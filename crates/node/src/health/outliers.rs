//! Which of several values is out of the ordinary, by their quartiles (statistics reference, health).
//!
//! Ordinary is what is not above the third quartile by more than three times the distance between the
//! first and the third. How sure one can be is the share of the value that is above the median.

/// How far above the third quartile a value may be, in distances between the quartiles.
const DISTANCES_MAX: f64 = 3.0;

/// How sure one has to be to say so, in percent.
const CONFIDENCE_PCT_MIN: u32 = 50;

/// Of two values none can be said to be the ordinary one.
const VALUES_MIN: usize = 3;

/// What is ordinary among some values.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Ordinary {
    median: f64,
    max: f64,
}

impl Ordinary {
    /// What is ordinary among these, which are ascending; `None` if they are too few to tell.
    pub fn among(ascending: &[f64]) -> Option<Self> {
        if ascending.len() < VALUES_MIN {
            return None;
        }
        // Of an even number the lower one stands for the middle, as in the original.
        let middle = |from: usize, to: usize| (from + to) / 2;
        let last = ascending.len() - 1;
        let second = middle(0, last);
        let [first, second, third] =
            [middle(0, second - 1), second, middle(second, last)].map(|place| ascending[place]);
        Some(Self { median: second, max: third + DISTANCES_MAX * (third - first) })
    }

    /// How sure it is, in percent, that a value is out of the ordinary; `None` if it is not. A value up to
    /// `threshold` never is.
    pub fn confidence_pct(&self, value: f64, threshold: f64) -> Option<u32> {
        if value <= self.max || value <= threshold {
            return None;
        }
        let confidence_pct = ((value - self.median) * 100.0 / value).round() as u32;
        (confidence_pct >= CONFIDENCE_PCT_MIN).then_some(confidence_pct)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The confidence in each of these values, 0 for those that are ordinary.
    fn confidences(threshold: f64, ascending: &[f64]) -> Vec<u32> {
        let ordinary = Ordinary::among(ascending);
        let confidence = |value: &f64| ordinary?.confidence_pct(*value, threshold);
        ascending.iter().map(|value| confidence(value).unwrap_or(0)).collect()
    }

    #[test]
    fn two_values_cannot_be_told_apart() {
        assert_eq!(Ordinary::among(&[]), None);
        assert_eq!(Ordinary::among(&[1.0, 1_000_000.0]), None);
    }

    #[test]
    fn a_value_far_above_the_others_is_found() {
        assert_eq!(confidences(0.0, &[100.0, 110.0, 1000.0]), [0, 0, 89]);
        // The quartiles are 90 and 120, so the bound is 210.
        let values = [90.0, 100.0, 110.0, 120.0, 800.0, 2000.0];
        assert_eq!(confidences(0.0, &values), [0, 0, 0, 0, 86, 95]);
        assert_eq!(confidences(0.0, &[0.0, 0.0, 0.0, 5.0]), [0, 0, 0, 100]);
    }

    #[test]
    fn the_bound_itself_is_ordinary() {
        // The quartiles are 10 and 20, so the bound is 50.
        let values = |highest| [10.0, 10.0, 15.0, 20.0, highest];
        assert_eq!(confidences(0.0, &values(50.0)), [0; 5]);
        assert_eq!(confidences(0.0, &values(51.0)), [0, 0, 0, 0, 71]);
    }

    #[test]
    fn half_of_it_has_to_be_above_the_median() {
        assert_eq!(confidences(0.0, &[100.0, 100.0, 100.0, 197.0]), [0; 4]);
        assert_eq!(confidences(0.0, &[100.0, 100.0, 100.0, 200.0]), [0, 0, 0, 50]);
        // 49.5 and more is 50.
        assert_eq!(confidences(0.0, &[100.0, 100.0, 100.0, 198.5]), [0, 0, 0, 50]);
    }

    #[test]
    fn up_to_the_threshold_nothing_is_said() {
        assert_eq!(confidences(5.0, &[0.0, 0.0, 0.0, 5.0]), [0; 4]);
        assert_eq!(confidences(5.0, &[0.0, 0.0, 0.0, 6.0]), [0, 0, 0, 100]);
        assert_eq!(confidences(0.0, &[0.0, 0.0, 0.0, 0.0]), [0; 4]);
    }
}
