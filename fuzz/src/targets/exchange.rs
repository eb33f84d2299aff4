//! Messages by which the nodes of a view tell each other what they have.

use std::time::Duration;

use cluster::NodeId;
use cluster::exchange::{Exchange, Offer, Output};

use super::{Entry, Outcome, Target};

/// Messages to an exchange before it begins anew.
const STEPS: u64 = 500;

pub const ENTRY: Entry = Entry {
    name: "exchange",
    what: "messages between the nodes of a view about what they have",
    seeds: |_| vec![message(NodeId(2)), message(NodeId(3)), Vec::new()],
    make: |_| Box::new(Three { target: begun(NodeId(1)).0, steps: 0 }),
};

/// An exchange among three nodes that this one has begun, and what it sent.
fn begun(me: NodeId) -> (Exchange, Vec<Output>) {
    let (mut exchange, mut out) = (Exchange::new(me, Duration::from_millis(150)), Vec::new());
    let members = [NodeId(3), NodeId(2), NodeId(1)];
    exchange.begin(Duration::ZERO, 7, &members, Offer::default(), &mut out);
    (exchange, out)
}

fn message(from: NodeId) -> Vec<u8> {
    let messages = begun(from).1.into_iter().filter_map(|output| match output {
        Output::Send { message, .. } => Some(message),
        Output::Complete(_) => None,
    });
    messages.fold(None, |_, message| Some(message)).unwrap_or_default()
}

struct Three {
    target: Exchange,
    steps: u64,
}

impl Target for Three {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        self.steps += 1;
        if self.steps == STEPS {
            *self = Self { target: begun(NodeId(1)).0, steps: 0 };
        }
        let mut out = Vec::new();
        self.target.receive(NodeId(3), input, &mut out);
        assert!(out.len() <= 4, "a message leads to few others");
        let completes = out.iter().any(|output| matches!(output, Output::Complete(_)));
        Outcome::of((out.len(), completes, self.target.missing().len()))
    }
}
