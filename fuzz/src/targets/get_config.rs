//! What `get-config` is asked.

use std::path::Path;

use config::{Config, get_config};

use super::{Entry, Outcome, Target};

pub const ENTRY: Entry = Entry {
    name: "get_config",
    what: "parameters of get-config",
    seeds: |corpus| {
        let mut seeds = super::arguments(corpus, b"get-config");
        seeds.extend(super::arguments(corpus, b"config-get"));
        seeds.push(b"context=namespace;namespace=test".to_vec());
        seeds.push(b"context=xdr;dc=dc1;namespace=test".to_vec());
        seeds
    },
    make: |_| Box::new(Asked(Config::default_single_node(Path::new("/nowhere")))),
};

struct Asked(Config);

impl Target for Asked {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        let answer = get_config(&self.0, &String::from_utf8_lossy(input));
        assert!(!answer.contains('\n'), "an answer of several lines");
        Outcome::of((answer.get(..20).unwrap_or(&answer), answer.len()))
    }
}
