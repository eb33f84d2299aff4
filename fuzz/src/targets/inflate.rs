//! Compressed bodies.

use wire::compress::{deflate, inflate};
use wire::proto::{ProtoHeader, ProtoType, frame};

use super::{Entry, Outcome, Target};

pub const ENTRY: Entry = Entry {
    name: "inflate",
    what: "compressed bodies",
    seeds: |corpus| {
        let frames = corpus.frames.iter().filter(|frame| frame.len() < 4000);
        frames.map(|frame| deflated(frame)).collect()
    },
    make: |_| Box::new(Inflated::default()),
};

/// The body of the compressed frame that holds `frame`.
pub fn deflated(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    deflate(frame, &mut out).expect("the writer is memory");
    out.split_off(ProtoHeader::SIZE)
}

/// Reuses its buffer, as a worker does.
#[derive(Default)]
struct Inflated {
    buffer: Vec<u8>,
}

impl Target for Inflated {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        let announced = input.first_chunk().map_or(0, |size| u64::from_be_bytes(*size));
        let inflated = inflate(input, &mut self.buffer).map(<[u8]>::to_vec);
        // A stream of deflate grows by a factor of 1032 at most.
        assert!(self.buffer.len() <= input.len() * 1032 + 8, "out of nothing");
        let outcome = match inflated {
            Ok(body) => {
                assert_eq!(announced, (body.len() + ProtoHeader::SIZE) as u64);
                let mut whole = Vec::new();
                frame(&mut whole, ProtoType::Message, |out| out.extend_from_slice(&body));
                let again = deflated(&whole);
                assert_eq!(inflate(&again, &mut self.buffer), Ok(&body[..]), "once more");
                Outcome::of(("ok", body.len().min(30)))
            }
            Err(error) => Outcome::of(format!("{error:?}")),
        };
        self.buffer.clear();
        outcome
    }
}
