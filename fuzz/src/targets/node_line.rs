//! Lines of the plain-text port, through a whole node.

use super::node_info::kind_of;
use super::world::World;
use super::{Entry, Outcome, Target};

pub const ENTRY: Entry = Entry {
    name: "node_line",
    what: "lines of the text port, answered by a node",
    seeds: |corpus| {
        let lines = corpus.info.iter().flat_map(|body| body.split(|byte| *byte == b'\n'));
        lines.map(<[u8]>::to_vec).collect()
    },
    make: |_| Box::new(Lines(World::new())),
};

struct Lines(World);

impl Target for Lines {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        // The text port cuts at line breaks before anybody sees a line.
        let line = input.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        let answer = self.0.ask_line(line);
        assert!(answer.ends_with(b"\n"), "an answer is a line");
        kind_of(&answer)
    }
}
