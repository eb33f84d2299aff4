//! What the nodes of a row do for a partition while what they have of it moves to where it is to be
//! (`reference`: cluster.md, 5.4).
//!
//! A view puts nodes together whose versions differ: some were apart, some are new, some were away.
//! [`Roles`] says who serves meanwhile, whose versions have to be merged, and who has to receive the
//! result. It also says what each node's version is from now on, so that the next view, which may come
//! before anything has moved, can tell again.

use super::version::{Family, PartitionVersion};

/// The roles of a row's nodes, by their places in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roles {
    /// Who serves; the first, if nobody has data.
    pub working_master: usize,
    /// Whether nobody has data.
    pub is_fresh: bool,
    /// Who has something that the working master may not have.
    pub duplicates: Vec<usize>,
    /// Replicas that have to receive something.
    pub immigrators: Vec<usize>,
    /// Whether records may lie on duplicates in versions that the working master has never compared
    /// with its own. If not, those were compared whose last update is old enough.
    pub restarts_comparison: bool,
    replicas: usize,
    families: Vec<PartitionVersion>,
}

impl Roles {
    /// The roles in a row of nodes that have these versions; the first `replicas` are to have the
    /// partition.
    pub fn of(row: &[PartitionVersion], replicas: usize) -> Self {
        let found = working_master(row);
        let is_fresh = found.is_none();
        let working_master = found.unwrap_or(0);
        let duplicates = duplicates(row, working_master);
        let needs = |place: &usize| {
            !duplicates.is_empty() || *place != working_master && !row[*place].is_full()
        };
        let immigrators =
            (0..replicas.min(row.len())).filter(|_| !is_fresh).filter(needs).collect();
        let mut keys = row.iter().map(|of| of.cluster_key).filter(|key| *key != 0);
        let first = keys.next();
        let has_met = keys.all(|key| Some(key) == first);
        let is_new_master = !row.get(working_master).is_some_and(|of| of.is_master);
        let families = families(row, replicas, working_master, &duplicates);
        Self {
            working_master,
            is_fresh,
            restarts_comparison: !is_fresh && (!has_met || is_new_master),
            duplicates,
            immigrators,
            replicas,
            families,
        }
    }

    /// The version of the node at a place from now on; `row` is that of [`Self::of`]. A node that is
    /// neither replica nor needed gives up what it has, unless it `lingers`, as quiesced ones do.
    pub fn version_at(
        &self,
        place: usize,
        row: &[PartitionVersion],
        cluster_key: u64,
        lingers: bool,
    ) -> PartitionVersion {
        let own = row[place];
        let is_replica = place < self.replicas;
        if self.immigrators.is_empty() {
            return match is_replica {
                true => PartitionVersion::complete(cluster_key, place == 0),
                false if lingers && own.has_data() => own.into_part(cluster_key),
                false => PartitionVersion::NONE,
            };
        }
        let is_contested = !self.duplicates.is_empty();
        let of_final =
            PartitionVersion { cluster_key, family: Family::FINAL, is_master: false, ..own };
        if place == self.working_master {
            let family = if place == 0 || !is_contested { Family::FINAL } else { Family(1) };
            return PartitionVersion { family, ..PartitionVersion::complete(cluster_key, true) };
        }
        if place == 0 {
            // Where several are merged it becomes what none of them is.
            let is_evade = own.is_evade || !own.has_data();
            return PartitionVersion { is_subset: !is_contested, is_evade, ..of_final };
        }
        if !own.has_data() {
            return match is_replica {
                true => PartitionVersion { is_subset: true, is_evade: true, ..of_final },
                false => PartitionVersion::NONE,
            };
        }
        let own = PartitionVersion { is_master: false, ..own };
        match (is_replica, self.family_of(&own)) {
            (true, family) => {
                let is_part = is_contested && family == Family::FINAL;
                PartitionVersion { cluster_key, family, is_subset: own.is_subset || is_part, ..own }
            }
            (false, Family::UNIQUE) => own,
            (false, family) => PartitionVersion { cluster_key, family, is_subset: true, ..own },
        }
    }

    /// The family of the new view that a version belongs to.
    fn family_of(&self, version: &PartitionVersion) -> Family {
        let relative = self.families.iter().zip(0..).find(|(of, _)| of.is_relative_of(version));
        // Parts of something that nobody has whole need not be the same.
        relative.filter(|(of, _)| of.is_full()).map_or(Family::UNIQUE, |(_, number)| Family(number))
    }
}

/// Who serves: the one that did, otherwise the one that has most, the first of several. `None` if nobody
/// has data.
fn working_master(row: &[PartitionVersion]) -> Option<usize> {
    let score =
        |version: &PartitionVersion| 2 * u8::from(!version.is_evade) + u8::from(!version.is_subset);
    if let Some(master) = row.iter().position(|version| version.is_master && version.has_data()) {
        // One that is as good, and is to serve later, might as well serve now.
        let is_as_good = |of: &PartitionVersion| of.is_full() && of.is_relative_of(&row[master]);
        let earlier = row[..master].iter().position(is_as_good);
        return earlier.filter(|_| row[master].is_full()).or(Some(master));
    }
    let with_data = (0..row.len()).filter(|place| row[*place].has_data());
    with_data.rev().max_by_key(|place| score(&row[*place]))
}

/// A node for each version that the working master may not have all of.
fn duplicates(row: &[PartitionVersion], working_master: usize) -> Vec<usize> {
    let mut variants: Vec<usize> = Vec::new();
    let is_covered = |variants: &[usize], version: &PartitionVersion| {
        variants.iter().any(|of| row[*of].is_full() && row[*of].is_relative_of(version))
    };
    let (full, parts): (Vec<usize>, Vec<usize>) = (0..row.len())
        .filter(|place| row[*place].has_data())
        .partition(|place| row[*place].is_full());
    let master_first = full.iter().filter(|place| **place == working_master);
    let others = full.iter().filter(|place| **place != working_master);
    for &place in master_first.chain(others).chain(&parts) {
        if !is_covered(&variants, &row[place]) {
            variants.push(place);
        }
    }
    variants.retain(|place| *place != working_master);
    variants
}

/// Versions by the number that their family has in the new view.
fn families(
    row: &[PartitionVersion],
    replicas: usize,
    working_master: usize,
    duplicates: &[usize],
) -> Vec<PartitionVersion> {
    let mut families = match (working_master, duplicates.is_empty()) {
        (0, _) => vec![row[0]],
        (_, true) => vec![row[working_master]],
        // What is to be is like nothing that is there.
        (_, false) => vec![PartitionVersion::NONE, row[working_master]],
    };
    let replicas = 1..replicas.min(row.len());
    let is_whole_elsewhere = |place: usize| {
        let is_parent = |of: &PartitionVersion| of.is_full() && of.is_relative_of(&row[place]);
        replicas.clone().any(|other| other != place && is_parent(&row[other]))
    };
    for place in replicas.clone().filter(|place| *place != working_master) {
        let is_lone_part =
            row[place].has_data() && row[place].is_subset && !is_whole_elsewhere(place);
        if duplicates.contains(&place) || is_lone_part {
            families.push(row[place]);
        }
    }
    families.truncate(usize::from(Family::UNIQUE.0));
    families
}
