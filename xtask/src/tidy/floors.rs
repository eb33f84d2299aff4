//! The floors law: a crate depends on lower floors only.
//!
//! The table is the one in ARCHITECTURE.md. An edge within a floor is an exception that stands here
//! by name, so that a new one is visible in review.

use super::Finding;
use crate::workspace::Package;

/// Floor of each crate, from the bytes (1) to the hosts (6).
const FLOORS: &[(&str, u8)] = &[
    ("bolide-wire", 1),
    ("bolide-value", 1),
    ("bolide-config", 1),
    ("bolide-expr", 2),
    ("bolide-record", 2),
    ("bolide-index", 3),
    ("bolide-storage", 3),
    ("bolide-engine", 3),
    ("bolide-udf", 3),
    ("bolide-cluster", 4),
    ("bolide-security", 4),
    ("bolide-xdr", 4),
    ("bolide-node", 5),
    ("bolide-server", 6),
    ("bolide-sim", 6),
];

/// Edges within one floor: `(from, to)`.
const SAME_FLOOR: &[(&str, &str)] = &[
    // Values are particles, and particle types are wire numbers.
    ("bolide-value", "bolide-wire"),
    // A request's operations include expressions.
    ("bolide-record", "bolide-expr"),
    // Where a body lies is between the index and the engine that holds it.
    ("bolide-storage", "bolide-index"),
    // A namespace is its records, with the rules around them.
    ("bolide-engine", "bolide-storage"),
];

/// Programs beside the floors: they may use any crate, and no crate may use them but [`FUZZ`].
const BESIDE: &[&str] = &["bolide-bench", "bolide-fuzz", "bolide-inspect", "bolide-tests", "xtask"];

/// Feeds decoders wherever they are, also those of programs.
const FUZZ: &str = "bolide-fuzz";

/// Where a finding about an edge points to.
const LAW: &str = "xtask/src/tidy/floors.rs";

/// Compares every edge between our packages with the table.
pub fn check(packages: &[Package], findings: &mut Vec<Finding>) {
    for package in packages {
        let inside = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
        for to in inside.map(|dependency| dependency.name.as_str()) {
            if let Some(problem) = objection(&package.name, to) {
                findings.push(Finding::new(LAW, 0, problem));
            }
        }
        if !BESIDE.contains(&package.name.as_str()) && floor(&package.name).is_none() {
            findings.push(Finding::new(LAW, 0, format!("{} has no floor", package.name)));
        }
    }
}

fn objection(from: &str, to: &str) -> Option<String> {
    if BESIDE.contains(&to) && from != FUZZ {
        return Some(format!("{from} uses {to}, which is a program beside the floors"));
    }
    if BESIDE.contains(&from) || SAME_FLOOR.contains(&(from, to)) {
        return None;
    }
    // A package without a floor is reported once, by the caller.
    let (upper, lower) = (floor(from)?, floor(to)?);
    (upper <= lower).then(|| format!("{from} (floor {upper}) must not use {to} (floor {lower})"))
}

fn floor(package: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == package).map(|(_, floor)| *floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_point_down() {
        assert_eq!(objection("bolide-engine", "bolide-wire"), None);
        assert_eq!(objection("bolide-engine", "bolide-storage"), None);
        assert_eq!(objection("bolide-tests", "bolide-server"), None);
        assert!(objection("bolide-wire", "bolide-engine").is_some());
        assert!(objection("bolide-index", "bolide-storage").is_some());
        assert!(objection("bolide-engine", "bolide-index").is_some());
        assert!(objection("bolide-server", "bolide-bench").is_some());
        assert!(objection("bolide-storage", "bolide-inspect").is_some());
        assert_eq!(objection("bolide-fuzz", "bolide-inspect"), None);
    }

    #[test]
    fn same_floor_edges_lie_within_one_floor() {
        for (from, to) in SAME_FLOOR {
            assert!(floor(from).is_some(), "{from}");
            assert_eq!(floor(from), floor(to), "{from} to {to}");
        }
    }
}
