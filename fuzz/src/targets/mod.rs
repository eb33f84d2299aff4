//! The targets, a file each, and what they have in common.

mod admin;
mod batch;
mod bits;
mod body;
mod collection;
mod conf;
mod context;
mod device_block;
mod device_header;
mod exchange;
mod expression;
mod frame;
mod geo;
mod get_config;
mod hll;
mod inflate;
mod info_text;
mod membership;
mod metadata;
mod msgpack;
mod node_compressed;
mod node_info;
mod node_line;
mod node_message;
mod node_peer;
mod original;
mod reply;
mod request;
mod scalar;
mod set_config;
mod udf_arguments;
mod udf_bin;
mod unpack;
mod value;
mod where_clause;
mod yaml;

mod operations;
mod world;

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::corpus::Corpus;

/// What happened to an input, in as few words as tell kinds of inputs apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Outcome(u64);

impl Outcome {
    /// Tells inputs apart by this.
    pub fn of(what: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// A decoder with the promises that it keeps for any bytes.
pub trait Target {
    /// Feeds one input. Panics when a promise is broken.
    fn feed(&mut self, input: &[u8]) -> Outcome;
}

impl<F: FnMut(&[u8]) -> Outcome> Target for F {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        self(input)
    }
}

/// A target as the command line knows it.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it feeds.
    pub what: &'static str,
    /// What its mutations start from.
    pub seeds: fn(&Corpus) -> Vec<Vec<u8>>,
    /// Prepares it.
    pub make: fn(&Corpus) -> Box<dyn Target>,
}

/// All targets, ascending by name.
pub const TARGETS: &[Entry] = &[
    admin::ENTRY,
    batch::ENTRY,
    bits::ENTRY,
    body::ENTRY,
    collection::ENTRY,
    conf::ENTRY,
    context::ENTRY,
    device_block::ENTRY,
    device_header::ENTRY,
    exchange::ENTRY,
    expression::ENTRY,
    frame::ENTRY,
    geo::ENTRY,
    get_config::ENTRY,
    hll::ENTRY,
    inflate::ENTRY,
    info_text::ENTRY,
    membership::ENTRY,
    metadata::ENTRY,
    msgpack::ENTRY,
    node_compressed::ENTRY,
    node_info::ENTRY,
    node_line::ENTRY,
    node_message::ENTRY,
    node_peer::ENTRY,
    original::ENTRY,
    reply::ENTRY,
    request::ENTRY,
    scalar::ENTRY,
    set_config::ENTRY,
    udf_arguments::ENTRY,
    udf_bin::ENTRY,
    unpack::ENTRY,
    value::ENTRY,
    where_clause::ENTRY,
    yaml::ENTRY,
];

/// The values that recorded requests write: particle type, then the bytes.
fn values(corpus: &Corpus) -> Vec<Vec<u8>> {
    let requests = corpus.requests.iter().filter_map(|body| wire::Request::parse(body).ok());
    let ops = requests.flat_map(|request| request.ops().collect::<Vec<_>>());
    let mut values: Vec<_> = ops
        .map(|op| [&[op.particle_type.0], op.value].concat())
        .filter(|v| v.len() < 2000)
        .collect();
    values.sort();
    values.dedup();
    values
}

/// The arguments of the recorded info commands with this name.
fn arguments(corpus: &Corpus, name: &[u8]) -> Vec<Vec<u8>> {
    let commands = corpus.info.iter().flat_map(|body| wire::info::commands(body));
    commands.filter(|command| command.name == name).map(|one| one.arguments.to_vec()).collect()
}
