//! Clients: what they send, what they are answered, and what they remember of it.
//!
//! Each has one request under way at a time, as the threads of a real one have. Some follow the partition
//! map, as real clients do; some are *stubborn* and ask any node, so that nodes have to carry requests out for
//! each other. Nobody repeats a write whose outcome is unknown.
//!
//! | what they send | file |
//! |---|---|
//! | requests about a record, calls of functions too | `request.rs` |
//! | batches of them | `batch.rs` |
//! | queries | `query.rs` |
//! | functions over queries | `aggregation.rs` |
//! | jobs that change records | `job.rs` |
//! | changes of metadata | `change.rs` |

pub mod aggregation;
pub mod batch;
pub mod change;
pub mod history;
pub mod job;
mod keys;
mod map;
pub mod query;
mod request;

use std::collections::BTreeMap;
use std::time::Duration;

use aggregation::Aggregation;
use change::Change;
pub use history::{Deed, History, Outcome};
use job::Job;
pub use keys::{
    BRIEF_SET, Family, KeyNumber, Keys, LIFE_DEFAULT_SECONDS, MORTAL_SET, SET, SETS, TALLIED_SET,
};
pub use map::Map;
use query::Query;
pub use request::{FUNCTIONS, MODULE, Seen, Verdict, info_frame, read, request_of};

/// A call of a client, among all of a world.
pub type CallId = u64;

/// What a client does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Writes its own number.
    Write,
    /// Reads; `all`: the last of all versions.
    Read {
        /// Whether all versions are to be looked at.
        all: bool,
    },
    /// Adds one.
    Add,
    /// Calls a function that adds one.
    Call,
    /// Appends its own number as a word.
    Append,
    /// Deletes.
    Delete,
    /// Writes the next number if the record is as it was: of this generation, or not there.
    Modify {
        /// What is written.
        value: i64,
        /// The generation of what was read.
        generation: Option<u32>,
    },
}

impl Action {
    /// Whether it may change the record.
    pub fn writes(self) -> bool {
        !matches!(self, Self::Read { .. })
    }
}

/// Most rows of a batch.
const ROWS_MAX: usize = 8;

/// A client.
#[derive(Debug, Default)]
pub struct Client {
    /// Whether it asks any node.
    pub is_stubborn: bool,
    /// What it has read of a record that it is going to modify: key, value, generation.
    pub read: Option<(KeyNumber, i64, Option<u32>)>,
    /// Whether it waits for a request, a query or a job.
    pub waits: bool,
}

/// What a call is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A client does this, by its place in the history.
    Deed {
        /// Whose it is.
        client: usize,
        /// What it is.
        deed: usize,
    },
    /// A client does all this at once.
    Batch {
        /// Whose it is.
        client: usize,
        /// What it is; the index of a row is its place here.
        deeds: Vec<usize>,
    },
    /// Part of a query, by its place among all.
    Query(usize),
    /// Part of an aggregation, by its place among all.
    Aggregation(usize),
    /// Has a node begin a job, by its place among all.
    Job(usize),
    /// How far a job is.
    JobStatus(usize),
    /// A change of metadata, by its place among all.
    Change(usize),
    /// The partition map.
    Map,
    /// An audit of a key.
    Audit(KeyNumber),
}

impl Purpose {
    /// Whether it is an info request.
    pub fn is_info(&self) -> bool {
        matches!(self, Self::Map | Self::Change(_) | Self::JobStatus(_))
    }
}

/// A call that is not answered.
#[derive(Debug)]
pub struct Pending {
    /// What it is for.
    pub purpose: Purpose,
    /// To which machine it goes.
    pub machine: usize,
    /// The process and the loop that have it, once it has arrived.
    pub arrived: Option<(u32, usize)>,
    /// Its body until then.
    pub body: Vec<u8>,
}

/// What a client is about to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Plan {
    /// One request.
    One(KeyNumber, Action),
    /// Several in a batch.
    Batch(Vec<(KeyNumber, Action)>),
    /// A query.
    Query,
    /// A function over a query.
    Aggregation,
    /// A job that changes records.
    Job,
}

/// All clients.
#[derive(Debug)]
pub struct Clients {
    /// Each of them.
    pub clients: Vec<Client>,
    /// The keys.
    pub keys: Keys,
    /// What they have done with records.
    pub history: History,
    /// Their queries.
    pub queries: Vec<Query>,
    /// Their aggregations.
    pub aggregations: Vec<Aggregation>,
    /// Their jobs.
    pub jobs: Vec<Job>,
    /// Changes of metadata.
    pub changes: Vec<Change>,
    /// The partition map that those share who follow it.
    pub map: Map,
    /// Calls under way.
    pub pending: BTreeMap<CallId, Pending>,
    /// Whether they do anything.
    pub are_active: bool,
    /// How long a client rests between two requests at most.
    pub rest: Duration,
    last_call: CallId,
}

impl Clients {
    /// So many clients, a third of them stubborn, for these keys.
    pub fn new(count: usize, keys: Keys, machines: usize, rest: Duration) -> Self {
        let clients =
            (0..count).map(|number| Client { is_stubborn: number % 3 == 2, ..Client::default() });
        Self {
            clients: clients.collect(),
            keys,
            history: History::default(),
            queries: Vec::new(),
            aggregations: Vec::new(),
            jobs: Vec::new(),
            changes: Vec::new(),
            map: Map::new(machines),
            pending: BTreeMap::new(),
            are_active: true,
            rest,
            last_call: 0,
        }
    }

    /// A number for a call.
    pub fn next_call(&mut self) -> CallId {
        self.last_call += 1;
        self.last_call
    }

    /// What a client does next.
    pub fn choose(&mut self, client: usize, random: &mut fastrand::Rng) -> Plan {
        if let Some((key, value, generation)) = self.clients[client].read.take() {
            return Plan::One(key, Action::Modify { value: value + 1, generation });
        }
        match random.u32(..400) {
            0..12 => Plan::Query,
            12 => Plan::Aggregation,
            13..15 => Plan::Job,
            15..60 => {
                let rows = random.usize(1..=ROWS_MAX);
                Plan::Batch((0..rows).map(|_| self.choose_one(random)).collect())
            }
            _ => {
                let (key, action) = self.choose_one(random);
                Plan::One(key, action)
            }
        }
    }

    fn choose_one(&self, random: &mut fastrand::Rng) -> (KeyNumber, Action) {
        let key = random.usize(..self.keys.count());
        let reads = random.u32(..100) < 25;
        let read = Action::Read { all: random.u32(..4) == 0 };
        let action = match self.keys.family(key) {
            // It writes the record when it has read it.
            Family::Modified => Action::Read { all: random.bool() },
            // Left alone mostly, so that it comes to its end.
            Family::Mortal if random.u32(..8) > 0 => read,
            _ if reads => read,
            Family::Register | Family::Brief | Family::Mortal => Action::Write,
            Family::Counter if random.u32(..4) == 0 => Action::Call,
            Family::Counter | Family::Tallied => Action::Add,
            Family::Set => Action::Append,
            Family::Durable | Family::Expunged => match random.u32(..3) {
                0 => Action::Delete,
                _ => Action::Write,
            },
        };
        (key, action)
    }

    /// The machine that a client asks about a key.
    pub fn machine_for(
        &self,
        client: usize,
        key: KeyNumber,
        action: Action,
        random: &mut fastrand::Rng,
    ) -> usize {
        let any = random.usize(..self.map.machines());
        if self.clients[client].is_stubborn {
            return any;
        }
        let partition = self.keys.digest(key).partition();
        let column = if !action.writes() && random.u32(..3) == 0 { 1 } else { 0 };
        self.map.find(partition, column).or(self.map.find(partition, 0)).unwrap_or(any)
    }
}
