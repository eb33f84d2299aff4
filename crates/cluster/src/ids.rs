//! By what nodes and racks are known (`reference`: cluster.md, section 1).

use std::fmt;

/// A node: shown as hexadecimal digits in upper case, without leading zeros. Clients use that as its
/// name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl NodeId {
    /// Reads an id as it is shown, in either case; `None` if it is none: 0 stands for no node.
    pub fn parse(text: &str) -> Option<Self> {
        let has_digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = u64::from_str_radix(text, 16).ok().filter(|id| *id != 0)?;
        has_digits.then_some(Self(id))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A rack, from 0 to 1,000,000; 0 for nodes that were given none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RackId(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_shown() {
        let id = NodeId(0x0BB9_0200_11AC_4202);
        assert_eq!(
            (id.to_string().as_str(), NodeId::parse("bb9020011ac4202")),
            ("BB9020011AC4202", Some(id))
        );
        for wrong in ["", "0", "00", "+1", "-1", "g", "11112222333344445", " 1"] {
            assert_eq!(NodeId::parse(wrong), None, "{wrong:?}");
        }
    }
}
