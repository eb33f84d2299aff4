//! Well and ill formed batches.

use proptest::prelude::*;

use super::*;
use crate::{OpCode, ParticleType};

fn digest(number: u8) -> Digest {
    Digest([number; Digest::SIZE])
}

fn reading() -> RequestBuilder {
    RequestBuilder::new().info1(Info1::READ | Info1::GET_ALL).namespace("test").set("demo")
}

/// A message with three rows: a read, its repetition, and a write with everything that a row may
/// have.
fn sample() -> BatchBuilder {
    let mut batch = BatchBuilder::new(BatchFlags::INLINE | BatchFlags::RESPOND_ALL);
    batch.row(10, &digest(1), &reading());
    batch.repeat(11, &digest(2));
    let write = RequestBuilder::new()
        .info1(Info1::READ)
        .info2(Info2::WRITE | Info2::GENERATION)
        .info3(Info3::UPDATE_ONLY)
        .info4(Info4::MRT_ON_LOCKING_ONLY)
        .generation(0x1234)
        .record_ttl(0x0102_0304)
        .namespace("bar")
        .key(ParticleType::STRING, b"k")
        .field(FieldType::FILTER, b"own")
        .op(OpCode::WRITE, ParticleType::STRING, b"bin", b"value")
        .op(OpCode::READ, ParticleType::NULL, b"bin", b"");
    batch.row(0xFFFF_FFFF, &digest(3), &write);
    batch
}

fn message(data: &[u8]) -> Vec<u8> {
    RequestBuilder::new()
        .info1(Info1::BATCH)
        .info3(Info3::SC_READ_TYPE | Info3::UPDATE_ONLY)
        .transaction_ttl_ms(700)
        .field(FieldType::FILTER, b"parent")
        .field(FieldType::BATCH_WITH_SET, data)
        .into_body()
}

/// Indexes of the rows that can be read, and whether that is all of them.
fn indexes(body: &[u8]) -> (Vec<u32>, bool) {
    let request = Request::parse(body).unwrap();
    let (_, mut rows) = Rows::of(&request).unwrap();
    let mut indexes = Vec::new();
    loop {
        match rows.next_row() {
            Ok(Some(row)) => indexes.push(row.index),
            Ok(None) => return (indexes, true),
            Err(Malformed) => return (indexes, false),
        }
    }
}

#[test]
fn rows_are_requests() {
    let body = message(&sample().into_data());
    let request = Request::parse(&body).unwrap();
    let (header, mut rows) = Rows::of(&request).unwrap();
    let flags = BatchFlags::INLINE | BatchFlags::RESPOND_ALL;
    assert_eq!(header, BatchHeader { row_count: 3, flags });

    let row = *rows.next_row().unwrap().unwrap();
    assert_eq!((row.index, row.repeats), (10, false));
    assert_eq!(row.request.header.info1, Info1::READ | Info1::GET_ALL);
    assert_eq!(row.request.header.info3, Info3::SC_READ_TYPE, "read modes are inherited");
    assert_eq!(row.request.header.transaction_ttl_ms, 700);
    assert_eq!(row.request.namespace, Some(&b"test"[..]));
    assert_eq!(row.request.set, Some(&b"demo"[..]));
    assert_eq!(row.request.valid_digest(), Some(digest(1)));
    assert_eq!(row.request.field(FieldType::FILTER), Some(&b"parent"[..]));

    let row = *rows.next_row().unwrap().unwrap();
    assert_eq!((row.index, row.repeats), (11, true));
    assert_eq!(row.request.valid_digest(), Some(digest(2)));
    assert_eq!(row.request.set, Some(&b"demo"[..]));

    let row = *rows.next_row().unwrap().unwrap();
    let header = row.request.header;
    assert_eq!((row.index, row.repeats), (0xFFFF_FFFF, false));
    assert_eq!(header.info2, Info2::WRITE | Info2::GENERATION);
    assert_eq!((header.info3, header.info4), (Info3::UPDATE_ONLY, Info4::MRT_ON_LOCKING_ONLY));
    assert_eq!((header.generation, header.record_ttl), (0x1234, 0x0102_0304));
    assert_eq!(row.request.key, Some(&b"\x03k"[..]));
    assert_eq!(row.request.field(FieldType::FILTER), Some(&b"own"[..]));
    assert_eq!(row.request.ops().count(), 2);
    assert!(rows.next_row().unwrap().is_none());
}

#[test]
fn shipping_and_compression_are_no_matter_of_rows() {
    let mut batch = BatchBuilder::new(BatchFlags::empty());
    batch.row(0, &digest(1), &reading().info1(Info1::all()));
    let body = message(&batch.into_data());
    let request = Request::parse(&body).unwrap();
    let (_, mut rows) = Rows::of(&request).unwrap();
    let info1 = rows.next_row().unwrap().unwrap().request.header.info1;
    assert_eq!(info1, Info1::all() - Info1::COMPRESS_RESPONSE - Info1::XDR);
}

#[test]
fn first_field_is_the_namespace_even_if_none_is_announced() {
    let mut batch = BatchBuilder::new(BatchFlags::empty());
    let digest_at = batch.row(0, &digest(1), &reading());
    let mut data = batch.into_data();
    let n_fields_at = digest_at + Digest::SIZE + 2;
    assert_eq!(data[n_fields_at..][..2], [0, 2]);
    data[n_fields_at + 1] = 0;
    let body = message(&data);
    let request = Request::parse(&body).unwrap();
    let (_, mut rows) = Rows::of(&request).unwrap();
    let row = rows.next_row().unwrap().unwrap();
    assert_eq!((row.request.namespace, row.request.set), (Some(&b"test"[..]), None));
}

#[test]
fn repetitions_are_seen_ahead() {
    let mut batch = BatchBuilder::new(BatchFlags::empty());
    batch.row(0, &digest(0), &reading());
    (1..4).for_each(|number| _ = batch.repeat(number.into(), &digest(number)));
    batch.row(4, &digest(4), &reading());
    batch.repeat(5, &digest(5));
    let mut data = batch.into_data();
    // It announces one row more than it has.
    data[3] += 1;
    let body = message(&data);
    let request = Request::parse(&body).unwrap();
    let (_, mut rows) = Rows::of(&request).unwrap();
    let mut room = [digest(9); 8];
    for expected in [0, 3, 2, 1, 0, 1, 0] {
        let from = 7 - rows.place().left as usize;
        assert_eq!(rows.repeats_ahead(&mut room), expected);
        let ahead = (from..from + expected).map(|number| digest(number as u8));
        assert!(room.iter().take(expected).copied().eq(ahead));
        let _ = rows.next_row();
    }
    let (_, mut rows) = Rows::of(&request).unwrap();
    rows.next_row().unwrap();
    assert_eq!(rows.repeats_ahead(&mut room[..2]), 2, "as far as there is room");
}

#[test]
fn reading_goes_on_at_every_place() {
    let body = message(&sample().into_data());
    let request = Request::parse(&body).unwrap();
    let (_, mut rows) = Rows::of(&request).unwrap();
    for expected in [Some(10), Some(11), Some(0xFFFF_FFFF), None] {
        let (_, mut later) = Rows::of(&request).unwrap();
        later.resume(rows.place()).unwrap();
        let row = rows.next_row().unwrap().copied();
        let resumed = later.next_row().unwrap().copied();
        assert_eq!(row.map(|row| row.index), expected);
        assert_eq!(format!("{row:?}"), format!("{resumed:?}"));
        assert_eq!(rows.place(), later.place());
    }
}

#[test]
fn broken_batches_yield_the_rows_before() {
    let mut first = BatchBuilder::new(BatchFlags::empty());
    first.repeat(1, &digest(1));
    first.row(2, &digest(1), &reading());
    assert_eq!(indexes(&message(&first.into_data())), (vec![], false), "nothing to repeat");

    let mut keyed = BatchBuilder::new(BatchFlags::empty());
    keyed.row(1, &digest(1), &reading().key(ParticleType::STRING, b"k"));
    keyed.repeat(2, &digest(2));
    assert_eq!(indexes(&message(&keyed.into_data())), (vec![1], false), "a repeated key");

    let mut more = sample().into_data();
    more[3] = 4;
    let (rows, whole) = indexes(&message(&more));
    assert_eq!((rows.len(), whole), (3, false), "more rows announced than there are");
    more[3] = 2;
    let (rows, whole) = indexes(&message(&more));
    assert_eq!((rows.len(), whole), (2, true), "what follows the last row is left alone");
}

#[test]
fn every_truncation_is_malformed() {
    let whole = sample().into_data();
    for end in 0..whole.len() {
        let body = message(&whole[..end]);
        let request = Request::parse(&body).unwrap();
        match Rows::of(&request) {
            Err(Malformed) => assert!(end < BatchHeader::SIZE),
            Ok(_) => assert!(!indexes(&body).1, "cut at {end}"),
        }
    }
}

#[test]
fn a_message_without_a_batch_has_no_rows() {
    let body = RequestBuilder::new().info1(Info1::BATCH).namespace("test").into_body();
    assert_eq!(Rows::of(&Request::parse(&body).unwrap()).err(), Some(Malformed));
}

#[test]
fn random_bytes_are_read_without_panic() {
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let sound = sample().into_data();
    for _ in 0..20_000 {
        let mut data = sound.clone();
        for _ in 0..=next() % 4 {
            let at = next() as usize % data.len();
            data[at] = next() as u8;
        }
        data.truncate(next() as usize % (2 * data.len()));
        if data.len() >= BatchHeader::SIZE {
            // No row is shorter than a repetition.
            assert!(indexes(&message(&data)).0.len() <= data.len() / 25);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_rows_or_not(data in proptest::collection::vec(any::<u8>(), 5..200)) {
        let (rows, _) = indexes(&message(&data));
        prop_assert!(rows.len() <= data.len() / 25);
    }
}
