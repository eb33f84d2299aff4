//! Clients: what they send, what they are answered, and what they remember of it.
//!
//! Each has one request under way at a time, as the threads of a real one have. Some follow the partition
//! map, as real clients do; some are *stubborn* and ask any node, so that nodes have to carry requests out for
//! each other. Nobody repeats a write whose outcome is unknown.

pub mod history;
mod map;
mod request;

use std::collections::BTreeMap;
use std::time::Duration;

use wire::Digest;

pub use history::{Deed, History, Outcome};
pub use map::Map;
pub use request::{Seen, Verdict, info_frame, read, request_of};

/// A call of a client, among all of a world.
pub type CallId = u64;

/// What kind of record a key is, which says what clients do with it and what must hold in the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Family {
    /// Written with values that are all different.
    Register,
    /// Counted up by one.
    Counter,
    /// Gets different words appended.
    Set,
    /// Read, and written with the next number if nobody else did meanwhile.
    Modified,
    /// As a register, and deleted with a tombstone.
    Durable,
    /// As a register, and deleted without a trace.
    Expunged,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Register, Self::Counter, Self::Set, Self::Modified, Self::Durable, Self::Expunged];
}

/// A key: its number among all.
pub type KeyNumber = usize;

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

/// The keys of a world.
#[derive(Clone, Debug)]
pub struct Keys {
    digests: Vec<Digest>,
    per_family: usize,
}

/// The set that all records are in.
pub const SET: &str = "set";

impl Keys {
    /// So many of each family.
    pub fn new(per_family: usize) -> Self {
        let digest = |number: usize| {
            let name = format!("key-{number}");
            Digest::of_key(SET.as_bytes(), wire::ParticleType::STRING, name.as_bytes())
        };
        Self { digests: (0..per_family * Family::ALL.len()).map(digest).collect(), per_family }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.digests.len()
    }

    /// The digest of a key.
    pub fn digest(&self, key: KeyNumber) -> Digest {
        self.digests[key]
    }

    /// What kind of record it is.
    pub fn family(&self, key: KeyNumber) -> Family {
        Family::ALL[key / self.per_family]
    }
}

/// A client.
#[derive(Debug, Default)]
pub struct Client {
    /// Whether it asks any node.
    pub is_stubborn: bool,
    /// What it has read of a record that it is going to modify: key, value, generation.
    pub read: Option<(KeyNumber, i64, Option<u32>)>,
    /// The call that it waits for.
    pub waits: Option<CallId>,
}

/// A call that is not answered.
#[derive(Debug)]
pub struct Pending {
    /// Whose it is; `None`: it asks for the partition map, or audits.
    pub client: Option<usize>,
    /// What it does, by its place in the history.
    pub deed: Option<usize>,
    /// To which machine it goes.
    pub machine: usize,
    /// The process and the loop that have it, once it has arrived.
    pub arrived: Option<(u32, usize)>,
    /// Its body until then.
    pub body: Vec<u8>,
    /// The key that an audit reads.
    pub audited: Option<KeyNumber>,
}

/// All clients.
#[derive(Debug)]
pub struct Clients {
    /// Each of them.
    pub clients: Vec<Client>,
    /// The keys.
    pub keys: Keys,
    /// What they have done.
    pub history: History,
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
    /// So many clients, a third of them stubborn, for so many keys of each family.
    pub fn new(count: usize, per_family: usize, machines: usize, rest: Duration) -> Self {
        let clients =
            (0..count).map(|number| Client { is_stubborn: number % 3 == 2, ..Client::default() });
        Self {
            clients: clients.collect(),
            keys: Keys::new(per_family),
            history: History::default(),
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

    /// What a client does next, and with which key.
    pub fn choose(&mut self, client: usize, random: &mut fastrand::Rng) -> (KeyNumber, Action) {
        if let Some((key, value, generation)) = self.clients[client].read.take() {
            return (key, Action::Modify { value: value + 1, generation });
        }
        let key = random.usize(..self.keys.count());
        let reads = random.u32(..100) < 25;
        let read = Action::Read { all: random.u32(..4) == 0 };
        let action = match self.keys.family(key) {
            // It writes the record when it has read it.
            Family::Modified => Action::Read { all: random.bool() },
            _ if reads => read,
            Family::Register => Action::Write,
            Family::Counter => Action::Add,
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
