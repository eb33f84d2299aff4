//! Security messages.

use wire::admin::{AdminMessage, request_frame};
use wire::proto::ProtoHeader;

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "admin",
    what: "bodies of security messages",
    seeds: |_| {
        let fields: [&[(u8, &[u8])]; 4] = [
            &[],
            &[(0, b"admin"), (3, b"$2a$10$7EqJtq98hPqEX7fNZaFWoO")],
            &[(0, b"user"), (10, b"\x02\x04read\x05write")],
            &[(11, b"role"), (12, b"\x01\x0a\x04test\x04demo"), (14, &[0, 0, 0, 9])],
        ];
        let frames = (0..20)
            .map(|command| request_frame(command, fields[usize::from(command) % fields.len()]));
        frames.map(|frame| frame[ProtoHeader::SIZE..].to_vec()).collect()
    },
    make: |_| Box::new(feed),
};

fn feed(input: &[u8]) -> Outcome {
    let Some(message) = AdminMessage::parse(input) else { return Outcome::of("short") };
    let fields: Vec<_> = message.fields().collect();
    let whole: Vec<(u8, &[u8])> = fields.iter().copied().flatten().collect();
    let bytes: usize = whole.iter().map(|(_, data)| data.len() + 5).sum();
    assert!(bytes <= input.len(), "fields of more bytes than the message");
    let broken = fields.iter().position(Option::is_none);
    assert!(broken.is_none_or(|at| at + 1 == fields.len()), "fields behind a broken one");
    if broken.is_none() {
        // What was read is what a client would have sent.
        let again = request_frame(message.command, &whole);
        let again = AdminMessage::parse(&again[ProtoHeader::SIZE..]).expect("it was just built");
        assert_eq!(again.fields().collect::<Vec<_>>(), fields);
    }
    Outcome::of((fields.len(), broken.is_some(), message.command < 20))
}
