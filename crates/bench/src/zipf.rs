//! Zipfian ranks: a few keys are asked for often, most seldom.
//!
//! Rejection-inversion sampling (Hörmann and Derflinger, 1996): no table and no set-up over the
//! number of keys, any exponent above zero, about one candidate a sample.

/// Draws ranks `0..count`, rank `r` with probability proportional to `1 / (r + 1)^theta`.
#[derive(Clone, Debug)]
pub struct Zipf {
    theta: f64,
    /// Antiderivative of the density at the left edge of the first rank and at the right edge of the
    /// last one: a uniform number between them picks a candidate.
    area_first: f64,
    area_last: f64,
    /// Distance within which a candidate is accepted without evaluating the density.
    shortcut: f64,
    count: f64,
}

impl Zipf {
    /// Over `count` ranks (at least one counts as one) with exponent `theta`, which is positive and
    /// finite; load generators customarily take 0.99.
    pub fn new(count: u64, theta: f64) -> Self {
        let count = count.max(1) as f64;
        let area_first = area(1.5, theta) - 1.0;
        let area_last = area(count + 0.5, theta);
        let shortcut = 2.0 - inverse_area(area(2.5, theta) - density(2.0, theta), theta);
        Self { theta, area_first, area_last, shortcut, count }
    }

    /// The next rank; 0 is the most frequent one.
    pub fn sample(&self, random: &mut fastrand::Rng) -> u64 {
        loop {
            let at = self.area_last + random.f64() * (self.area_first - self.area_last);
            let x = inverse_area(at, self.theta);
            let rank = x.round().clamp(1.0, self.count);
            let accept = rank - x <= self.shortcut
                || at >= area(rank + 0.5, self.theta) - density(rank, self.theta);
            if accept {
                return rank as u64 - 1;
            }
        }
    }
}

/// `x^-theta`.
fn density(x: f64, theta: f64) -> f64 {
    (-theta * x.ln()).exp()
}

/// `(x^(1-theta) - 1) / (1-theta)`, and its limit `ln x` where theta is 1.
fn area(x: f64, theta: f64) -> f64 {
    let log = x.ln();
    exp_m1_over((1.0 - theta) * log) * log
}

/// The inverse of [`area`].
fn inverse_area(area: f64, theta: f64) -> f64 {
    let t = (area * (1.0 - theta)).max(-1.0);
    (ln_1p_over(t) * area).exp()
}

/// `(e^x - 1) / x`, steady around zero.
fn exp_m1_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x / 2.0 }
}

/// `ln(1 + x) / x`, steady around zero.
fn ln_1p_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: u32 = 400_000;

    /// Share of the samples that fell on each rank.
    fn shares(count: u64, theta: f64) -> Vec<f64> {
        let mut random = fastrand::Rng::with_seed(7);
        let zipf = Zipf::new(count, theta);
        let mut shares = vec![0.0; count as usize];
        for _ in 0..SAMPLES {
            shares[zipf.sample(&mut random) as usize] += 1.0 / f64::from(SAMPLES);
        }
        shares
    }

    #[test]
    fn every_rank_comes_as_often_as_its_density_says() {
        for theta in [0.5, 0.99, 1.0, 1.3] {
            let count = 50;
            let norm: f64 = (1..=count).map(|rank| density(rank as f64, theta)).sum();
            for (rank, share) in shares(count, theta).into_iter().enumerate() {
                let expected = density(rank as f64 + 1.0, theta) / norm;
                let sigma = (expected / f64::from(SAMPLES)).sqrt();
                assert!(
                    (share - expected).abs() < 5.0 * sigma,
                    "theta {theta} rank {rank}: {share} instead of {expected}"
                );
            }
        }
    }

    #[test]
    fn ranks_stay_in_range_however_many_there_are() {
        let mut random = fastrand::Rng::with_seed(1);
        for count in [0, 1, 2, 3, 1_000, u64::from(u32::MAX) * 1_000] {
            let zipf = Zipf::new(count, 0.99);
            for _ in 0..1_000 {
                assert!(zipf.sample(&mut random) < count.max(1));
            }
        }
    }
}
