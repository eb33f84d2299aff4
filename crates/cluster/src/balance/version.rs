//! What a node has of a partition, said so that others can tell whether they have the same.

use std::fmt;

/// The version of a partition on a node (`reference`: cluster.md, 5.3).
///
/// Nodes that were balanced together under a cluster key and are of one family hold the same, or
/// *subsets* of it. A cluster key of 0 stands for no data. As text `CCCCCCCCCCCC.F.mse`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct PartitionVersion {
    /// The key of the view in which it came to be, 48 bits.
    pub cluster_key: u64,
    /// Which of the versions of that view.
    pub family: Family,
    /// Whether the node was the one that served.
    pub is_master: bool,
    /// Whether it is a part of what a full version of the family is.
    pub is_subset: bool,
    /// Whether it began empty, and is the last choice to serve from.
    pub is_evade: bool,
}

/// Which of the versions of a view.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Family(pub u8);

impl Family {
    /// That of what is to be.
    pub const FINAL: Self = Self(0);
    /// None: a version that is like no other.
    pub const UNIQUE: Self = Self(15);
}

impl PartitionVersion {
    /// No data.
    pub const NONE: Self = Self {
        cluster_key: 0,
        family: Family(0),
        is_master: false,
        is_subset: false,
        is_evade: false,
    };

    /// What a replica has once nothing is left to migrate.
    pub fn complete(cluster_key: u64, is_master: bool) -> Self {
        Self { cluster_key, is_master, ..Self::NONE }
    }

    /// Whether there is data.
    pub fn has_data(&self) -> bool {
        self.cluster_key != 0
    }

    /// Whether it is all of something.
    pub fn is_full(&self) -> bool {
        self.has_data() && !self.is_subset
    }

    /// Whether both are of one family.
    pub fn is_relative_of(&self, other: &Self) -> bool {
        (self.cluster_key, self.family) == (other.cluster_key, other.family)
            && self.has_data()
            && self.family != Family::UNIQUE
    }

    /// What a node has that begins to receive what is to be, or that has given it all it had: a part of
    /// that.
    #[must_use]
    pub fn into_part(self, cluster_key: u64) -> Self {
        Self { cluster_key, family: Family::FINAL, is_master: false, is_subset: true, ..self }
    }

    /// What a node has that was away: it may have missed something.
    #[must_use]
    pub fn isolated(self) -> Self {
        if !self.has_data() {
            return Self::NONE;
        }
        Self { is_master: false, is_subset: true, ..self }
    }
}

impl fmt::Display for PartitionVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}.", self.cluster_key)?;
        match self.family {
            Family::UNIQUE => f.write_str("U")?,
            Family(number) => write!(f, "{number:X}")?,
        }
        let flag = |is: bool, yes: char, no: char| if is { yes } else { no };
        let master = flag(self.is_master, 'm', '-');
        let (part, evade) = (flag(self.is_subset, 's', 'p'), flag(self.is_evade, 'e', '-'));
        write!(f, ".{master}{part}{evade}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_a_text() {
        let version = PartitionVersion::complete(0xabc, true);
        assert_eq!(version.to_string(), "000000000abc.0.mp-");
        let unique =
            PartitionVersion { family: Family::UNIQUE, is_evade: true, ..version }.isolated();
        assert_eq!(unique.to_string(), "000000000abc.U.-se");
        assert_eq!(PartitionVersion::NONE.to_string(), "000000000000.0.-p-");
        assert!(!unique.is_relative_of(&unique), "it is like no other");
        assert!(!PartitionVersion::NONE.is_relative_of(&PartitionVersion::NONE));
    }
}
