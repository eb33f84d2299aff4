//! Partition maps as nodes tell them, and the one that a client makes of them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Partitions of a namespace.
const PARTITIONS: usize = 4096;

/// What one node says it has of a namespace: a row of partitions for each replica column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns(Vec<Vec<bool>>);

/// Who has which partition: nodes by their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    /// For each replica column the node of each partition.
    columns: Vec<Vec<Option<usize>>>,
    /// Places that two nodes say they have.
    disputed: usize,
}

impl Columns {
    /// From the answer to `replicas`: `ns:<regime>,<columns>,<bits>,…;…`.
    ///
    /// # Errors
    /// When it is none, or does not tell of the namespace.
    pub fn read(answer: &str, namespace: &str) -> Result<Self> {
        let of = |entry: &str| {
            let rest = entry.strip_prefix(namespace)?.strip_prefix(':')?;
            Some(rest.to_owned())
        };
        let entry = answer.split(';').find_map(of);
        let entry = entry.with_context(|| format!("no {namespace} in the map {answer:.60}"))?;
        let mut parts = entry.split(',');
        let (regime, count) = (parts.next(), parts.next().and_then(|count| count.parse().ok()));
        ensure!(regime == Some("0"), "a regime in {entry:.60}");
        let columns = parts.map(bits).collect::<Result<Vec<_>>>()?;
        ensure!(count == Some(columns.len()), "{} columns in {entry:.60}", columns.len());
        Ok(Self(columns))
    }
}

fn bits(text: &str) -> Result<Vec<bool>> {
    let bytes = BASE64.decode(text)?;
    ensure!(bytes.len() * 8 == PARTITIONS, "a map of {} bytes", bytes.len());
    Ok((0..PARTITIONS).map(|index| bytes[index / 8] & (0x80 >> (index % 8)) != 0).collect())
}

impl Map {
    /// Merges what nodes say.
    pub fn of<'c>(told: impl IntoIterator<Item = (usize, &'c Columns)>) -> Self {
        let mut map = Self::default();
        told.into_iter().for_each(|(node, columns)| map.learn(node, columns));
        map
    }

    /// Takes in what a node says it has. Where no other says so, what it had before remains: nodes do not
    /// all tell at the same moment.
    pub fn learn(&mut self, node: usize, Columns(columns): &Columns) {
        let count = self.columns.len().max(columns.len());
        self.columns.resize(count, vec![None; PARTITIONS]);
        for (mine, its) in self.columns.iter_mut().zip(columns) {
            for (place, _) in mine.iter_mut().zip(its).filter(|(_, has)| **has) {
                self.disputed += usize::from(place.is_some());
                *place = Some(node);
            }
        }
    }

    /// The node of a partition in a column.
    pub fn node(&self, column: usize, partition: usize) -> Option<usize> {
        *self.columns.get(column)?.get(partition)?
    }

    /// Demands a node in each of so many columns of each partition, never one twice, and no more columns.
    ///
    /// # Errors
    /// When it is not so.
    pub fn check_complete(&self, columns: usize) -> Result<()> {
        ensure!(self.columns.len() == columns, "{} columns", self.columns.len());
        ensure!(self.disputed == 0, "{} places are disputed", self.disputed);
        for partition in 0..PARTITIONS {
            let row: Vec<_> = (0..columns).map(|column| self.node(column, partition)).collect();
            let mut different: Vec<_> = row.iter().flatten().collect();
            different.sort_unstable();
            different.dedup();
            if different.len() != columns {
                bail!("partition {partition} is at {row:?}");
            }
        }
        Ok(())
    }

    /// Demands a master of each partition.
    ///
    /// # Errors
    /// When one has none, or two.
    pub fn check_masters(&self) -> Result<()> {
        let masters: usize = self.counts(0).values().sum();
        ensure!(masters == PARTITIONS, "{masters} partitions have a master");
        Ok(())
    }

    /// How many partitions each node has in a column.
    pub fn counts(&self, column: usize) -> BTreeMap<usize, usize> {
        let mut counts = BTreeMap::new();
        for node in self.columns.get(column).into_iter().flatten().flatten() {
            *counts.entry(*node).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_merged() {
        let bits = |first: u8, rest: u8| {
            let mut bytes = vec![rest; PARTITIONS / 8];
            bytes[0] = first;
            BASE64.encode(bytes)
        };
        let read = |first, rest| {
            let told = format!("a:0,1,{};test:0,1,{}", bits(0, 0), bits(first, rest));
            Columns::read(&told, "test").unwrap()
        };
        let (one, other) = (read(0x80, 0), read(0x7F, 0xFF));
        let map = Map::of([(0, &one), (1, &other)]);
        map.check_complete(1).unwrap();
        assert_eq!((map.node(0, 0), map.node(0, 1)), (Some(0), Some(1)));
        assert_eq!(map.counts(0), BTreeMap::from([(0, 1), (1, 4095)]));
        assert!(Map::of([(0, &one)]).check_complete(1).is_err());
        assert!(Map::of([(0, &one), (1, &other), (2, &one)]).check_complete(1).is_err());
        assert!(Columns::read("test:0,2,AA==", "test").is_err());
    }
}
