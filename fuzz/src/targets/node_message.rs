//! Record requests, through a whole node.

use wire::proto::ProtoType;
use wire::{Info1, Request};

<<<<<<< HEAD
use super::world::{Frame, World};
=======
use super::world::{World, result_of};
>>>>>>> proc
use super::{Entry, Outcome, Target};

pub const ENTRY: Entry = Entry {
    name: "node_message",
    what: "bodies of record requests and batches, answered by a node",
    seeds: |corpus| corpus.requests.iter().filter(|body| body.len() < 8000).cloned().collect(),
    make: |_| Box::new(Messages(World::new())),
};

struct Messages(World);

impl Target for Messages {
    fn feed(&mut self, input: &[u8]) -> Outcome {
<<<<<<< HEAD
        let frames = self.0.ask_many(ProtoType::Message, input);
        let request = Request::parse(input).ok();
        let has = |flag| request.is_some_and(|request| request.header.info1.contains(flag));
        let plain = frames.iter().all(|frame| frame.kind == ProtoType::Message);
        assert!(plain || has(Info1::COMPRESS_RESPONSE), "compressed without being asked");
        assert!(frames.len() == 1 || has(Info1::BATCH), "only batches have more than one frame");
        let results: Vec<_> = frames.iter().map(Frame::results).collect();
        assert_eq!(results.last().map(Vec::len), Some(1), "the last message is alone");
        let flags = input.get(1..4).map(|flags| (flags[0], flags[1] & 0x7f, flags[2]));
        Outcome::of((flags, results.concat().last().map(|result| result.0)))
=======
        let frames = self.0.ask(ProtoType::Message, input);
        let asked = Request::parse(input)
            .is_ok_and(|request| request.header.info1.contains(Info1::COMPRESS_RESPONSE));
        let plain = frames.iter().all(|frame| frame.kind == ProtoType::Message);
        assert!(asked || plain, "compressed without being asked");
        let flags = input.get(1..4).map(|flags| (flags[0], flags[1] & 0x7f, flags[2]));
        Outcome::of((flags, result_of(&frames).0))
>>>>>>> proc
    }
}
