//! Which setting of which set an item is about.

use super::Item;

/// A setting of a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SetSetting<'i> {
    pub namespace: &'i str,
    pub set: &'i str,
    /// As the configuration has it.
    pub name: &'i str,
}

impl<'i> SetSetting<'i> {
    /// The key of its item: `namespace|set|name`. A set's name may have any characters, the others have
    /// no `|`.
    pub fn key(self) -> Vec<u8> {
        [self.namespace, self.set, self.name].join("|").into_bytes()
    }

    fn of_key(key: &'i [u8]) -> Option<Self> {
        let (namespace, rest) = std::str::from_utf8(key).ok()?.split_once('|')?;
        let (set, name) = rest.rsplit_once('|')?;
        Some(Self { namespace, set, name })
    }

    /// What an item is about, and the value that it gives; `None` if it is about no setting, or has no
    /// value.
    pub fn of_item(item: &'i Item) -> Option<(Self, &'i str)> {
        let value = std::str::from_utf8(item.value.as_deref()?).ok()?;
        Some((Self::of_key(&item.key)?, value))
    }
}
