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

/// Tells values apart by how they begin. Numbers do not count: they are different all the time.
pub fn kind_of(value: &[u8]) -> Outcome {
    let letters = value.iter().take(24).filter(|byte| byte.is_ascii_alphabetic());
    Outcome::of(letters.copied().collect::<Vec<u8>>())
}

struct Info(World);

impl Target for Info {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        let [answer] = &self.0.ask(ProtoType::Info, input)[..] else { panic!("several frames") };
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
            // To the original a command ends at a zero byte.
            let command = input[..end].split(|byte| *byte == 0).next().unwrap_or_default();
            let value = answer.body.strip_prefix(command).expect("the command is echoed");
            let value = value.strip_prefix(b"\t").expect("a tab follows it");
            return kind_of(value);
        }
        Outcome::of(input.is_empty())
    }
}
