<<<<<<< HEAD
//! Rows of batches, as the server reads them.

use wire::batch::Rows;
use wire::client::RequestBuilder;
use wire::{Digest, FieldType, Request};

use super::{Entry, Outcome};

/// A repeated row: index, digest, flags. No row is shorter.
const ROW_BYTES_MIN: usize = 4 + Digest::SIZE + 1;

pub const ENTRY: Entry = Entry {
    name: "batch",
    what: "the field that holds the rows of a batch",
    seeds: |corpus| {
        let requests = corpus.requests.iter().filter_map(|body| Request::parse(body).ok());
        let fields = requests.filter_map(|request| {
            request.field(FieldType::BATCH).or_else(|| request.field(FieldType::BATCH_WITH_SET))
        });
        fields.filter(|data| data.len() < 4000).map(<[u8]>::to_vec).collect()
=======
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
>>>>>>> proc
    },
    make: |_| Box::new(feed),
};

fn feed(input: &[u8]) -> Outcome {
<<<<<<< HEAD
    let body = RequestBuilder::new()
        .field(FieldType::FILTER, b"of the batch")
        .field(FieldType::BATCH, input)
        .into_body();
    let message = Request::parse(&body).expect("what was built can be read");
    let Ok((header, mut rows)) = Rows::of(&message) else {
        return Outcome::of(("no header", input.len()));
    };
    let mut count = 0;
    let whole = loop {
        let place = rows.place();
        match rows.next_row() {
            Ok(None) => break true,
            Err(_) => break false,
            Ok(Some(row)) => {
                count += 1;
                assert!(row.request.namespace.is_some() && row.request.valid_digest().is_some());
                assert!(row.request.field(FieldType::FILTER).is_some(), "its own or the batch's");
                let ops = row.request.ops().count();
                assert_eq!(ops, usize::from(row.request.header.n_ops));
                // Who begins at its place reads the same.
                let shown = format!("{row:?}");
                let (_, mut again) = Rows::of(&message).expect("it was one");
                again.resume(place).expect("a place where it was");
                let same = again.next_row().ok().flatten().map(|row| format!("{row:?}"));
                assert_eq!(same, Some(shown));
            }
        }
    };
    assert!(count <= input.len() / ROW_BYTES_MIN);
    assert_eq!(whole, count == header.row_count as usize);
    Outcome::of((whole, count, header.flags.bits()))
=======
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
>>>>>>> proc
}
