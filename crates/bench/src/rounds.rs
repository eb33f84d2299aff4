//! Several servers under the same load, in turns.
//!
//! A machine is not equally fast at all times, so servers to be compared run in short rounds close to
//! each other, in an order drawn anew each time, and what counts is the ratio within a round.

use std::sync::atomic::Ordering;

use crate::engine::{self, Job};
use crate::measure::{Measurement, Second};

/// Runs every job once a round; returns the measurements by job, then by round: fewer of them if a
/// job was interrupted.
///
/// `observer` hears of every second with the index of the job that it belongs to.
///
/// # Errors
/// If a run fails.
pub fn alternate(
    jobs: &[Job],
    rounds: usize,
    random: &mut fastrand::Rng,
    observer: &mut dyn FnMut(usize, &Second),
) -> anyhow::Result<Vec<Vec<Measurement>>> {
    let mut measurements: Vec<Vec<Measurement>> = vec![Vec::new(); jobs.len()];
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    for _ in 0..rounds {
        random.shuffle(&mut order);
        for &index in &order {
            let job = &jobs[index];
            if job.interrupt.load(Ordering::Relaxed) {
                return Ok(measurements);
            }
            let measurement = engine::run(job, &mut |second| observer(index, second))?;
            measurements[index].push(measurement);
        }
    }
    Ok(measurements)
}
