//! Versions of what nodes say to each other.
//!
//! | version | what is new in it |
//! |---|---|
//! | 1 | all there was at first |
//! | 2 | frames end with a checksum ([`fabric`](crate::fabric)) |
//!
//! A release speaks several, and two nodes speak the highest that both know. So a cluster is upgraded node by node
//! while it serves, and goes back in the same way.

/// A version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Protocol(pub u16);

impl Protocol {
    /// The first of all, which whoever is not known yet understands.
    pub const FIRST: Self = Self(1);
    /// Frames end with a checksum.
    pub const CHECKED: Self = Self(2);
}

/// Those that a node speaks, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Protocols {
    /// The lowest.
    pub low: Protocol,
    /// The highest.
    pub high: Protocol,
}

impl Protocols {
    /// Those of this release.
    pub const ALL: Self = Self { low: Protocol::FIRST, high: Protocol::CHECKED };

    /// Those up to this one; the lowest at least.
    pub fn up_to(self, highest: Protocol) -> Self {
        Self { low: self.low, high: self.high.min(highest).max(self.low) }
    }

    /// The one in which two sides speak: the highest that both know.
    pub fn common(self, other: Self) -> Option<Protocol> {
        let high = self.high.min(other.high);
        (high >= self.low && high >= other.low).then_some(high)
    }

    pub(crate) fn packed(self) -> u32 {
        u32::from(self.low.0) << 16 | u32::from(self.high.0)
    }

    pub(crate) fn from_packed(packed: u32) -> Self {
        Self { low: Protocol((packed >> 16) as u16), high: Protocol((packed & 0xffff) as u16) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(low: u16, high: u16) -> Protocols {
        Protocols { low: Protocol(low), high: Protocol(high) }
    }

    #[test]
    fn the_highest_common_version_is_spoken() {
        assert_eq!(range(1, 3).common(range(2, 5)), Some(Protocol(3)));
        assert_eq!(range(1, 1).common(range(2, 5)), None);
        assert_eq!(range(4, 5).common(range(2, 3)), None);
        assert_eq!(Protocols::from_packed(range(4, 5).packed()), range(4, 5));
    }

    #[test]
    fn a_node_can_be_held_to_an_older_one() {
        assert_eq!(range(2, 5).up_to(Protocol(3)), range(2, 3));
        assert_eq!(range(2, 5).up_to(Protocol(9)), range(2, 5));
        assert_eq!(range(2, 5).up_to(Protocol(1)), range(2, 2), "it speaks something");
    }
}
