//! Configuration files in YAML.

use config::Notation;

use super::{Entry, conf};

pub const ENTRY: Entry = Entry {
    name: "yaml",
    what: "configuration files in YAML",
    seeds: |corpus| {
        let whole = corpus.yaml.clone();
        // Parts of it too: mutations of a long file rarely reach what they change.
        let parts = whole.iter().flat_map(|file| file.split_inclusive(|byte| *byte == b'\n'));
        let lines: Vec<&[u8]> = parts.collect();
        let parts = lines.chunks(12).map(<[&[u8]]>::concat);
        whole.iter().cloned().chain(parts).collect()
    },
    make: |_| Box::new(|input: &[u8]| conf::feed(input, Notation::Yaml)),
};
