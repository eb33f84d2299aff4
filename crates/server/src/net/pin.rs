//! Gives each event loop a core of its own.

use rustix::io;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores for `loops` loops, one each; `None` when the process may not use that many.
pub(super) fn cores_for(loops: usize) -> Option<Vec<usize>> {
    let allowed = sched_getaffinity(None).ok()?;
    let cores: Vec<usize> =
        (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).take(loops).collect();
    (cores.len() == loops).then_some(cores)
}

/// Keeps the calling thread on one core, and whatever threads it starts.
pub(super) fn pin_to(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pinning_when_cores_are_short() {
        assert_eq!(cores_for(CpuSet::MAX_CPU + 1), None);
    }

    #[test]
    fn a_pinned_thread_has_one_core() {
        let core = cores_for(1).unwrap()[0];
        std::thread::spawn(move || {
            pin_to(core).unwrap();
            assert_eq!(sched_getaffinity(None).unwrap().count(), 1);
            assert_eq!(cores_for(1), Some(vec![core]));
        })
        .join()
        .unwrap();
    }
}
