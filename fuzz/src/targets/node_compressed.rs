//! Compressed requests, through a whole node.

use wire::proto::{ProtoType, frame};

use super::inflate::deflated;
use super::world::{World, result_of};
use super::{Entry, Outcome, Target};

pub const ENTRY: Entry = Entry {
    name: "node_compressed",
    what: "compressed requests, answered by a node",
    seeds: |corpus| {
        let requests = corpus.requests.iter().filter(|body| body.len() < 4000);
        requests.enumerate().map(|(place, body)| [&[place as u8 & 1], &body[..]].concat()).collect()
    },
    make: |_| Box::new(Compressed(World::new())),
};

struct Compressed(World);

impl Target for Compressed {
    /// With an odd first byte the rest is compressed as it should be, or mutations would never get
    /// behind the checksum. Otherwise the rest is sent as it is.
    fn feed(&mut self, input: &[u8]) -> Outcome {
        let (first, rest) = input.split_first().unwrap_or((&0, &[]));
        let body = if first & 1 == 1 {
            let mut whole = Vec::new();
            frame(&mut whole, ProtoType::Message, |out| out.extend_from_slice(rest));
            deflated(&whole)
        } else {
            rest.to_vec()
        };
<<<<<<< HEAD
        let frames = self.0.ask_many(ProtoType::Compressed, &body);
        let result = frames.last().expect("there is an answer").result();
        Outcome::of((first & 1, rest.get(1..3), result.0))
=======
        let frames = self.0.ask(ProtoType::Compressed, &body);
        Outcome::of((first & 1, rest.get(1..3), result_of(&frames).0))
>>>>>>> proc
    }
}
