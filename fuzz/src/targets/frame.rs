//! A stream cut into frames: the service layer's reader, and that of the protocol crate.

use server::net::{Frame, FrameKind, HEADER_SIZE};
use wire::proto::{ProtoHeader, ProtoType};

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
        agree(rest);
        match Frame::first_of(rest) {
            Ok(Some(frame)) => {
                assert_eq!(frame.as_bytes().len(), frame.body().len() + HEADER_SIZE);
                assert!(rest.starts_with(frame.as_bytes()));
                // It takes all of its bytes, and no others.
                let short = &frame.as_bytes()[..frame.as_bytes().len() - 1];
                assert_eq!(Frame::first_of(short), Ok(None));
                rest = &rest[frame.as_bytes().len()..];
                frames += 1;
            }
            Ok(None) => return Outcome::of((frames.min(4), "more", rest.len() < HEADER_SIZE)),
            Err(error) => return Outcome::of((frames.min(4), error.to_string().get(..16))),
        }
    }
}

/// Both readers say the same of a header.
fn agree(bytes: &[u8]) {
    let Some(header) = bytes.first_chunk() else { return };
    let by_wire = ProtoHeader::parse(*header);
    match (Frame::first_of(bytes), by_wire) {
        (Ok(Some(frame)), Ok(header)) => {
            let kind = match frame.kind() {
                FrameKind::Info => ProtoType::Info,
                FrameKind::Security => ProtoType::Admin,
                FrameKind::Message => ProtoType::Message,
                FrameKind::Compressed => ProtoType::Compressed,
                FrameKind::Xdr => ProtoType::InternalXdr,
            };
            assert_eq!((kind, frame.body().len()), (header.kind, header.body_size_bytes));
        }
        (Ok(None), Ok(header)) => assert!(bytes.len() < HEADER_SIZE + header.body_size_bytes),
        (Err(_), Err(_)) => {}
        (layer, wire) => panic!("the service layer says {layer:?}, the protocol {wire:?}"),
    }
}
