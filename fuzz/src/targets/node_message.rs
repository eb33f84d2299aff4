//! Record requests, through a whole node.

use wire::proto::ProtoType;
use wire::{Info1, Request};

use super::world::World;
use super::{Entry, Outcome, Target};

pub const ENTRY: Entry = Entry {
    name: "node_message",
    what: "bodies of record requests, answered by a node",
    seeds: |corpus| corpus.requests.iter().filter(|body| body.len() < 8000).cloned().collect(),
    make: |_| Box::new(Messages(World::new())),
};

struct Messages(World);

impl Target for Messages {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        let answer = self.0.ask(ProtoType::Message, input);
        let asked = Request::parse(input)
            .is_ok_and(|request| request.header.info1.contains(Info1::COMPRESS_RESPONSE));
        assert!(asked || answer.kind == ProtoType::Message, "compressed without being asked");
        let flags = input.get(1..4).map(|flags| (flags[0], flags[1] & 0x7f, flags[2]));
        Outcome::of((flags, answer.result().0))
    }
}
