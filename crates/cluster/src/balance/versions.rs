//! What a node has of each partition.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use wire::{PARTITIONS, PartitionId};

use super::PartitionVersion;

/// The versions of all partitions of a namespace on a node.
///
/// In a large cluster a node has nothing of most partitions, and every node keeps what all others have: 256
/// nodes with 32 namespaces tell of 33 million partitions. So equal versions are kept once, and partitions
/// in a row that have the same as a run.
#[derive(Clone, PartialEq, Eq)]
pub struct Versions {
    /// In the order in which they come first.
    distinct: Box<[PartitionVersion]>,
    /// Ascending; the last ends with the last partition.
    runs: Box<[Run]>,
}

/// Partitions in a row.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Run {
    /// The partition behind.
    end: u16,
    /// Which of the distinct versions they have.
    number: u16,
}

impl Versions {
    /// These of the partitions.
    pub fn of(version_of: impl Fn(PartitionId) -> PartitionVersion) -> Self {
        let (mut distinct, mut runs) = (Vec::new(), Vec::<Run>::new());
        let mut numbers = HashMap::new();
        for partition in PartitionId::all() {
            let version = version_of(partition);
            let number = *numbers.entry(version).or_insert_with(|| {
                distinct.push(version);
                distinct.len() as u16 - 1
            });
            let end = partition.index() as u16 + 1;
            match runs.last_mut().filter(|run| run.number == number) {
                Some(run) => run.end = end,
                None => runs.push(Run { end, number }),
            }
        }
        Self { distinct: distinct.into(), runs: runs.into() }
    }

    /// Versions, and runs of partitions as (number of their version, how many they are). `None` if those are
    /// not all partitions, or have versions that there are not.
    pub(crate) fn from_runs(
        distinct: Vec<PartitionVersion>,
        counted: impl ExactSizeIterator<Item = (u32, u32)>,
    ) -> Option<Self> {
        let (mut end, mut runs) = (0u16, Vec::with_capacity(counted.len().min(PARTITIONS)));
        for (number, count) in counted {
            end = end.checked_add(u16::try_from(count).ok()?)?;
            let number = u16::try_from(number).ok()?;
            distinct.get(usize::from(number))?;
            // One without partitions would be found by nobody.
            if count > 0 {
                runs.push(Run { end, number });
            }
        }
        let is_whole = usize::from(end) == PARTITIONS;
        is_whole.then(|| Self { distinct: distinct.into(), runs: runs.into() })
    }

    /// The version of a partition.
    pub fn get(&self, partition: PartitionId) -> PartitionVersion {
        let place = self.runs.partition_point(|run| usize::from(run.end) <= partition.index());
        // Runs cover all partitions.
        self.runs.get(place).map_or_else(Default::default, |run| self.version(run.number.into()))
    }

    /// Partitions in a row that have the same version, by their numbers.
    pub fn ranges(&self) -> impl Iterator<Item = (Range<usize>, PartitionVersion)> {
        let mut end = 0;
        self.runs().map(move |(number, count)| {
            let begin = end;
            end += count as usize;
            (begin..end, self.version(number))
        })
    }

    fn version(&self, number: u32) -> PartitionVersion {
        // Runs have versions that there are.
        self.distinct.get(number as usize).copied().unwrap_or_default()
    }

    /// All versions that partitions have, once each.
    pub(crate) fn distinct(&self) -> &[PartitionVersion] {
        &self.distinct
    }

    /// Runs of partitions: the number of their version, and how many they are.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u32, u32)> {
        let ends = self.runs.iter().map(|run| u32::from(run.end));
        let starts = std::iter::once(0).chain(ends);
        let runs = self.runs.iter().zip(starts);
        runs.map(|(run, start)| (u32::from(run.number), u32::from(run.end) - start))
    }
}

impl Default for Versions {
    /// Nothing of any.
    fn default() -> Self {
        Self::of(|_| PartitionVersion::NONE)
    }
}

impl fmt::Debug for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.ranges()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(number: u16) -> PartitionVersion {
        PartitionVersion::complete(number.into(), number.is_multiple_of(2))
    }

    #[test]
    fn each_partition_has_its_version() {
        let mut random = fastrand::Rng::with_seed(1);
        for distinct in [1, 2, 50, 5000] {
            let mut all: Vec<u16> = (0..PARTITIONS).map(|_| random.u16(..distinct)).collect();
            all[17..900].fill(0);
            let versions = Versions::of(|partition| numbered(all[partition.index()]));
            for partition in PartitionId::all() {
                assert_eq!(versions.get(partition), numbered(all[partition.index()]));
            }
            let again = Versions::from_runs(
                versions.distinct().to_vec(),
                versions.runs().collect::<Vec<_>>().into_iter(),
            );
            assert_eq!(again, Some(versions));
        }
        assert_eq!(Versions::default().runs().count(), 1);
    }

    #[test]
    fn runs_that_are_not_all_partitions_are_none() {
        let of = |runs: &[(u32, u32)]| {
            Versions::from_runs(vec![numbered(1), numbered(2)], runs.iter().copied())
        };
        let all = PARTITIONS as u32;
        let whole = of(&[(1, 1), (0, 0), (0, all - 1)]).unwrap();
        assert_eq!(whole.runs().collect::<Vec<_>>(), [(1, 1), (0, all - 1)]);
        for runs in [
            &[][..],
            &[(0, all - 1)],
            &[(0, all + 1)],
            &[(0, all), (1, 1)],
            &[(2, all)],
            &[(0, u32::MAX)],
            &[(0, 65_535), (0, 1 + all)],
            &[(65_536, all)],
        ] {
            assert_eq!(of(runs), None, "{runs:?}");
        }
    }
}
