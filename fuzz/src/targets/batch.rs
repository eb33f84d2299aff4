//! Rows of batches.

use wire::Request;
use wire::batch::Rows;

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "batch",
    what: "bodies of batches, row by row",
    seeds: |corpus| {
        let is_batch = |body: &&Vec<u8>| {
            body.len() < 4000 && Request::parse(body).is_ok_and(|request| request.is_batch())
        };
        corpus.requests.iter().filter(is_batch).cloned().collect()
    },
    make: |_| Box::new(feed),
};

fn feed(input: &[u8]) -> Outcome {
    let Ok(message) = Request::parse(input) else { return Outcome::of("no message") };
    let Ok((header, mut rows)) = Rows::of(&message) else { return Outcome::of("no batch") };
    let mut again = rows.clone();
    let mut kinds = Vec::new();
    let mut count = 0;
    let end = loop {
        match rows.next_row() {
            Err(malformed) => break Err(malformed),
            Ok(None) => break Ok(()),
            Ok(Some(row)) => {
                assert!(row.request.namespace.is_some() && row.request.valid_digest().is_some());
                assert_eq!(row.request.ops().count(), usize::from(row.request.header.n_ops));
                kinds.push((row.repeats, row.request.header.n_ops.min(3)));
            }
        }
        count += 1;
        // Whoever goes on from here sees the same row repeated.
        again.resume(rows.place()).expect("it was just there");
        assert_eq!(again.place(), rows.place());
    };
    assert!(count <= header.row_count, "more rows than announced");
    assert!(end.is_err() || count == header.row_count, "rows were skipped");
    kinds.truncate(3);
    Outcome::of((kinds, end.is_ok(), header.flags.bits() & 0x0f))
}
