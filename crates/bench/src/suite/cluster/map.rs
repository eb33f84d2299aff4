//! Who is the master of which partition, as the nodes tell it.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use wire::{Digest, PartitionId};

use super::super::NAMESPACE;
use crate::info::ask;

/// The master of each partition: nodes by their places.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Map(Vec<Option<usize>>);

impl Map {
    /// One without masters.
    pub fn new() -> Self {
        Self(PartitionId::all().map(|_| None).collect())
    }

    /// Asks nodes what they have. Those that do not answer have nothing.
    pub fn fetch(nodes: &[SocketAddr]) -> Self {
        let mut map = Self::new();
        for (node, address) in nodes.iter().enumerate() {
            // A node that is not there, or not yet, is no failure: the map says so.
            let _ = ask(*address, "replicas").and_then(|answer| map.learn(node, &answer));
        }
        map
    }

    /// Takes in a node's answer to `replicas`: `ns:<regime>,<columns>,<bits>,…;…`.
    fn learn(&mut self, node: usize, answer: &str) -> anyhow::Result<()> {
        let mut entries = answer.split(';').filter_map(|entry| entry.split_once(':'));
        let entry = entries.find(|(namespace, _)| *namespace == NAMESPACE);
        let (_, columns) = entry.with_context(|| format!("no {NAMESPACE} in the map"))?;
        let bits = columns.split(',').nth(2).context("a map without columns")?;
        let bytes = BASE64.decode(bits)?;
        ensure!(bytes.len() * 8 == self.0.len(), "a map of {} bytes", bytes.len());
        for (index, place) in self.0.iter_mut().enumerate() {
            if bytes[index / 8] & (0x80 >> (index % 8)) != 0 {
                *place = Some(node);
            }
        }
        Ok(())
    }

    /// The master of a record.
    pub fn node(&self, digest: &Digest) -> Option<usize> {
        self.0[digest.partition().index()]
    }

    /// Demands a master of every partition.
    ///
    /// # Errors
    /// If one has none.
    pub fn check_complete(&self) -> anyhow::Result<()> {
        let missing = self.0.iter().filter(|place| place.is_none()).count();
        ensure!(missing == 0, "{missing} partitions have no master");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_make_a_map() {
        let answer = |first: u8, rest: u8| {
            let mut bytes = vec![rest; PartitionId::all().count() / 8];
            bytes[0] = first;
            format!("other:0,1,AA==;test:0,1,{}", BASE64.encode(bytes))
        };
        let mut map = Map::new();
        map.learn(0, &answer(0x80, 0)).unwrap();
        assert!(map.check_complete().is_err());
        map.learn(1, &answer(0x7F, 0xFF)).unwrap();
        map.check_complete().unwrap();
        assert_eq!((map.node(&Digest([0; 20])), map.node(&Digest([1; 20]))), (Some(0), Some(1)));
        assert!(map.learn(0, "test:0,1,AA==").is_err());
        assert!(map.learn(0, "other:0,1,AA==").is_err());
    }
}
