//! Whether nodes found on their disks what they had left there.

use super::{Finding, report};
use crate::world::World;

impl World {
    /// Looks for damage: nothing rots here, and what the end of a process leaves of its last write is no damage.
    pub fn check_starts(&self, findings: &mut Vec<Finding>) {
        let Some(disks) = self.setup.storage.disks() else { return };
        if !(disks.is_synchronous || disks.commits) {
            // A block may have got its end before the rest of it when the power went.
            return;
        }
        let mut already = 0;
        for (machine, found) in &self.starts {
            if found.damaged + found.homeless > 0 {
                let text = format_args!("node {machine} found damage on its disks: {found:?}");
                report(findings, &mut already, text);
            }
        }
    }
}
