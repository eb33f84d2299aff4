//! The partition map as clients make it of what nodes answer to `replicas`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use wire::PartitionId;

use crate::machine::NAMESPACE;

/// See the module.
#[derive(Debug)]
pub struct Map {
    /// For each machine the bits of its columns.
    columns: Vec<Vec<Vec<u8>>>,
}

impl Map {
    /// Nothing is known of so many machines.
    pub fn new(machines: usize) -> Self {
        Self { columns: vec![Vec::new(); machines] }
    }

    /// How many there are.
    pub fn machines(&self) -> usize {
        self.columns.len()
    }

    /// Takes in what a machine answered: the value behind the tab.
    pub fn learn(&mut self, machine: usize, answer: &str) {
        let of_namespace = answer.trim_end().split(';').find_map(|part| {
            let (name, maps) = part.split_once(':')?;
            (name == NAMESPACE).then_some(maps)
        });
        let maps = of_namespace.into_iter().flat_map(|maps| maps.split(',').skip(2));
        self.columns[machine] = maps.filter_map(|map| BASE64.decode(map).ok()).collect();
    }

    /// Forgets a machine that does not answer.
    pub fn forget(&mut self, machine: usize) {
        self.columns[machine].clear();
    }

    /// The machine that says that it has the partition in a column.
    pub fn find(&self, partition: PartitionId, column: usize) -> Option<usize> {
        let index = partition.index();
        let has = |columns: &Vec<Vec<u8>>| {
            let byte = columns.get(column).and_then(|bits| bits.get(index / 8));
            byte.is_some_and(|byte| byte & 0x80 >> (index % 8) != 0)
        };
        self.columns.iter().position(has)
    }
}
