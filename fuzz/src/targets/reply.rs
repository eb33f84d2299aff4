//! Replies, as a client reads them.

use wire::client::Reply;

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "reply",
    what: "bodies of replies, read by the client's side",
    seeds: |corpus| {
        let several = corpus.replies.chunks(3).map(<[Vec<u8>]>::concat);
        let several: Vec<_> = several.filter(|body| body.len() < 4000).collect();
        corpus.replies.iter().filter(|body| body.len() < 4000).cloned().chain(several).collect()
    },
    make: |_| Box::new(feed),
};

fn feed(input: &[u8]) -> Outcome {
    let mut rest = input;
    let mut kinds = Vec::new();
    while let Ok((reply, behind)) = Reply::parse(rest) {
        assert!(behind.len() < rest.len(), "no way forward");
        assert!(rest.ends_with(behind));
        let message = &rest[..rest.len() - behind.len()];
        assert_eq!(reply.ops().count(), usize::from(reply.header.n_ops));
        let bytes: usize = reply.ops().map(|op| op.name.len() + op.value.len()).sum();
        assert!(bytes <= message.len());
        // A message alone is read as it is among others.
        let (alone, nothing) = Reply::parse(message).expect("it was read before");
        assert!(nothing.is_empty() && alone.header == reply.header);
        kinds.push((
            reply.header.result.0,
            reply.header.n_fields.min(3),
            reply.header.n_ops.min(3),
        ));
        rest = behind;
    }
    kinds.truncate(3);
    Outcome::of((kinds, rest.len().min(2)))
}
