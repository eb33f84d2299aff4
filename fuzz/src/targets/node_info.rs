//! Info requests, through a whole node.

use wire::proto::ProtoType;

use super::world::World;
use super::{Entry, Outcome, Target};

pub const ENTRY: Entry = Entry {
    name: "node_info",
    what: "bodies of info requests, answered by a node",
    seeds: |corpus| {
        let mut seeds = corpus.info.clone();
        for name in String::from_utf8_lossy(&World::new().ask_line(b"help")).split(';') {
            seeds.push(format!("{}\n", name.trim_end()).into());
        }
        seeds
    },
    make: |_| Box::new(Info(World::new())),
};

struct Info(World);

impl Target for Info {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        let answer = self.0.ask(ProtoType::Info, input);
        assert_eq!(answer.kind, ProtoType::Info);
        let commands = input.iter().filter(|byte| **byte == b'\n').count();
        let lines = answer.body.iter().filter(|byte| **byte == b'\n').count();
        if input.is_empty() {
            assert!(lines > 10, "the summary");
        } else {
            assert!(lines >= commands, "{lines} lines answer {commands} commands");
            assert_eq!(answer.body.is_empty(), commands == 0);
        }
        if let Some(end) = input.iter().position(|byte| *byte == b'\n') {
            assert!(answer.body.starts_with(&input[..end]), "the command is echoed");
            assert_eq!(answer.body.get(end), Some(&b'\t'));
            let value = &answer.body[end + 1..];
            return Outcome::of((&input[..end.min(12)], &value[..value.len().min(12)]));
        }
        Outcome::of(input.is_empty())
    }
}
