//! A stream cut into frames, as the service layer does it.

use server::net::Frame;
use wire::ProtoHeader;

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "frame",
    what: "streams of frames",
    seeds: |corpus| {
        let pairs = corpus.frames.chunks(2).map(<[Vec<u8>]>::concat);
        pairs.filter(|stream| stream.len() < 4000).collect()
    },
    make: |_| Box::new(feed),
};

fn feed(input: &[u8]) -> Outcome {
    let mut rest = input;
    let mut frames = 0;
    loop {
        match Frame::first_of(rest) {
            Ok(Some(frame)) => {
                assert_eq!(frame.as_bytes().len(), frame.body().len() + ProtoHeader::SIZE);
                assert!(rest.starts_with(frame.as_bytes()));
                // It takes all of its bytes, and no others.
                let short = &frame.as_bytes()[..frame.as_bytes().len() - 1];
                assert_eq!(Frame::first_of(short), Ok(None));
                rest = &rest[frame.as_bytes().len()..];
                frames += 1;
            }
            Ok(None) => {
                return Outcome::of((frames.min(4), "more", rest.len() < ProtoHeader::SIZE));
            }
            Err(error) => return Outcome::of((frames.min(4), error.to_string().get(..16))),
        }
    }
}
