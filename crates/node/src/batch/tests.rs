//! Batches against a node, without a network.

use std::sync::Arc;
use std::time::Duration;

use config::Config;
use engine::stats::NamespaceCounter;
use wire::batch::{BatchBuilder, BatchFlags, Place, Rows};
use wire::client::{Reply, RequestBuilder};
use wire::{Digest, FieldType, Info1, Info2, Info3, OpCode, ParticleType, ProtoHeader, ProtoType};
use wire::{MessageHeader, Request, ResultCode, compress};

use super::slice::Open;
use super::{calls, slice};
use crate::counters::ServiceCounter;
use crate::info::testing::{CLIENT, TestHost, ask, await_ticket, node, node_with, worker};
use crate::node::Node;
use crate::ticker::Ticker;
use crate::unfinished::Progress;
use crate::worker::Answer;

const ALL: BatchFlags = BatchFlags::RESPOND_ALL;

fn digest(number: u32) -> Digest {
    Digest::of_key(b"set", ParticleType::INTEGER, &u64::from(number).to_be_bytes())
}

fn base() -> RequestBuilder {
    RequestBuilder::new().namespace("test").set("set")
}

fn reading() -> RequestBuilder {
    base().info1(Info1::READ | Info1::GET_ALL)
}

fn writing(value: &[u8]) -> RequestBuilder {
    base().info2(Info2::WRITE).op(OpCode::WRITE, ParticleType::BLOB, b"bin", value)
}

/// A read that fails with `PARAMETER`: it says what to read neither by flags nor by operations.
fn failing() -> RequestBuilder {
    base().info1(Info1::READ)
}

fn message(batch: BatchBuilder) -> Vec<u8> {
    RequestBuilder::new()
        .info1(Info1::BATCH)
        .field(FieldType::BATCH, &batch.into_data())
        .into_body()
}

/// A batch that asks the same of each of these records; the row's index is the record's number.
fn same_of_each(flags: BatchFlags, records: &[u32], request: &RequestBuilder) -> BatchBuilder {
    let mut batch = BatchBuilder::new(flags);
    for (row, &record) in records.iter().enumerate() {
        match row {
            0 => _ = batch.row(record, &digest(record), request),
            _ => _ = batch.repeat(record, &digest(record)),
        }
    }
    batch
}

/// A node that holds the records numbered so, each with this value.
fn node_holding(records: std::ops::Range<u32>, value: &[u8]) -> (Arc<TestHost>, Arc<Node>) {
    let (host, node) = node();
    let records: Vec<u32> = records.collect();
    let reply = run(&node, &message(same_of_each(ALL, &records, &writing(value))));
    assert_eq!(reply.overall(), ResultCode::OK);
    (host, node)
}

/// The reply to a batch.
#[derive(Debug, Default)]
struct BatchReply {
    /// Size of each frame in bytes, as sent.
    frames: Vec<usize>,
    /// Index, result and operations of each row.
    rows: Vec<(u32, ResultCode, usize)>,
    overall: Option<ResultCode>,
}

impl BatchReply {
    fn overall(&self) -> ResultCode {
        self.overall.expect("the batch is over")
    }

    /// Index and result of each row.
    fn results(&self) -> Vec<(u32, ResultCode)> {
        self.rows.iter().map(|&(index, result, _)| (index, result)).collect()
    }

    fn indexes(&self) -> Vec<u32> {
        self.rows.iter().map(|&(index, ..)| index).collect()
    }

    /// Takes in whole frames.
    fn take_in(&mut self, mut out: &[u8]) {
        while let Some((header, rest)) = out.split_first_chunk() {
            assert_eq!(self.overall, None, "something follows the last frame");
            let header = ProtoHeader::parse(*header).unwrap();
            let (body, rest) = rest.split_at(header.body_size_bytes);
            self.frames.push(ProtoHeader::SIZE + body.len());
            let mut inflated = Vec::new();
            match header.kind {
                ProtoType::Compressed => {
                    self.take_in_body(compress::inflate(body, &mut inflated).unwrap());
                }
                _ => self.take_in_body(body),
            }
            out = rest;
        }
    }

    fn take_in_body(&mut self, mut body: &[u8]) {
        while !body.is_empty() {
            let (reply, rest) = Reply::parse(body).unwrap();
            let header = reply.header;
            if header.info3.contains(Info3::LAST) {
                let only = MessageHeader {
                    info3: Info3::LAST,
                    result: header.result,
                    ..MessageHeader::default()
                };
                assert_eq!((header, rest.len()), (only, 0), "the last message is bare and alone");
                self.overall = Some(header.result);
            } else {
                let index = header.transaction_ttl_ms;
                self.rows.push((index, header.result, reply.ops().count()));
            }
            body = rest;
        }
    }
}

/// Sends a batch and lets it run to its end.
fn run(node: &Arc<Node>, message: &[u8]) -> BatchReply {
    run_with(node, message, |_| {}).0
}

/// The same; `between` is called before each further slice. Returns the number of slices, too.
fn run_with(
    node: &Arc<Node>,
    message: &[u8],
    mut between: impl FnMut(&BatchReply),
) -> (BatchReply, usize) {
    let mut worker = worker(node);
    let mut reply = BatchReply::default();
    let mut out = Vec::new();
    let answer = worker.answer(ProtoType::Message, message, CLIENT, &mut out).unwrap();
    reply.take_in(&out);
    let Answer::Partial(mut batch) = answer else { return (reply, 1) };
    for slices in 2.. {
        between(&reply);
        worker.wake();
        out.clear();
        let progress = batch.advance(&mut worker, &mut out);
        reply.take_in(&out);
        match progress {
            Progress::Over => return (reply, slices),
            Progress::Waits(ticket) => await_ticket(&mut worker, ticket),
            Progress::More => {}
        }
    }
    unreachable!("a batch comes to its end");
}

fn counted(node: &Node, counters: [ServiceCounter; 4]) -> [u64; 4] {
    counters.map(|counter| node.counters.sum(counter))
}

/// Batches begun, complete, failed, and too late.
fn batches(node: &Node) -> [u64; 4] {
    use ServiceCounter::*;
    counted(node, [BatchIndexInitiate, BatchIndexComplete, BatchIndexError, BatchIndexTimeout])
}

#[test]
fn rows_of_every_kind() {
    let (_, node) = node_holding(1..4, b"value");
    let mut batch = BatchBuilder::new(ALL);
    batch.row(10, &digest(1), &reading());
    batch.repeat(11, &digest(99));
    batch.row(12, &digest(1), &base().info1(Info1::READ | Info1::GET_NO_BINS));
    batch.row(13, &digest(2), &writing(b"new"));
    batch.row(14, &digest(3), &base().info2(Info2::WRITE | Info2::DELETE));
    batch.row(15, &digest(3), &reading());
    batch.row(16, &digest(2), &writing(b"x").generation(1).info2(Info2::WRITE | Info2::GENERATION));
    batch.row(17, &digest(1), &failing());
    let reply = run(&node, &message(batch));
    let expected = [
        (10, ResultCode::OK, 1),
        (11, ResultCode::NOT_FOUND, 0),
        (12, ResultCode::OK, 0),
        (13, ResultCode::OK, 0),
        (14, ResultCode::OK, 0),
        (15, ResultCode::NOT_FOUND, 0),
        (16, ResultCode::GENERATION, 0),
        (17, ResultCode::PARAMETER, 0),
    ];
    assert_eq!(reply.rows, expected);
    assert_eq!((reply.overall(), reply.frames.len()), (ResultCode::OK, 2));

    use NamespaceCounter::*;
    let namespace = node.namespace(b"test").unwrap();
    let counters = [
        (BatchSubReadSuccess, 2),
        (BatchSubReadNotFound, 2),
        (BatchSubReadError, 1),
        (BatchSubWriteSuccess, 3 + 1),
        (BatchSubWriteError, 1),
        (BatchSubDeleteSuccess, 1),
        (ClientReadSuccess, 0),
        (FailGeneration, 1),
    ];
    for (counter, expected) in counters {
        assert_eq!(namespace.counters.sum(counter), expected, "{counter:?}");
    }
    assert_eq!(batches(&node), [2, 2, 0, 0]);
    assert_eq!(node.batch_latency.counts().total(), 2);
}

#[test]
fn a_failed_row_ends_the_reply_but_not_the_batch() {
    let check = |flags: BatchFlags, answered: &[u32], overall: ResultCode| {
        let (_, node) = node_holding(1..3, b"value");
        let mut batch = BatchBuilder::new(flags);
        batch.row(0, &digest(99), &reading());
        batch.row(1, &digest(1), &failing());
        batch.row(2, &digest(2), &base().info2(Info2::WRITE | Info2::DELETE));
        batch.row(3, &digest(1), &writing(b"x").info2(Info2::WRITE | Info2::CREATE_ONLY));
        let reply = run(&node, &message(batch));
        assert_eq!((reply.indexes(), reply.overall()), (answered.to_vec(), overall), "{flags:?}");
        let after = run(&node, &message(same_of_each(ALL, &[2], &reading())));
        assert_eq!(after.results(), [(2, ResultCode::NOT_FOUND)], "the delete was carried out");
    };
    // Of two failures, the last is the overall result, as in the original.
    let last = ResultCode::RECORD_EXISTS;
    check(BatchFlags::empty(), &[], last);
    check(BatchFlags::INLINE, &[], last);
    check(BatchFlags::INCLUDE_FAILURE, &[0, 1, 2, 3], last);
    check(ALL, &[0, 1, 2, 3], ResultCode::OK);
    check(ALL | BatchFlags::INCLUDE_FAILURE, &[0, 1, 2, 3], ResultCode::OK);
}

#[test]
fn a_broken_batch_ends_where_it_breaks() {
    let (_, node) = node();
    let mut unknown = BatchBuilder::new(ALL);
    unknown.row(1, &digest(1), &writing(b"value"));
    unknown.row(2, &digest(2), &RequestBuilder::new().info1(Info1::READ).namespace("nope"));
    unknown.row(3, &digest(3), &writing(b"value"));
    let reply = run(&node, &message(unknown));
    assert_eq!((reply.rows, reply.overall), (vec![], Some(ResultCode::PARAMETER)));
    let after = run(&node, &message(same_of_each(ALL, &[1, 3], &reading())));
    assert_eq!(after.results(), [(1, ResultCode::OK), (3, ResultCode::NOT_FOUND)]);
    assert_eq!(batches(&node), [2, 1, 1, 0]);
}

#[test]
fn what_cannot_begin_gets_the_last_message_only() {
    let check = |config: Config, body: &[u8], expected| {
        let (_, node) = node_with(config);
        let reply = run(&node, body);
        assert_eq!((reply.rows.len(), reply.overall()), (0, expected));
        assert_eq!(batches(&node), [1, 0, 1, 0]);
    };
    let config = |threads, rows_max| {
        let mut config = Config::clone(&node().1.config());
        config.service.batch_index_threads = Some(threads);
        config.service.batch_max_requests = rows_max;
        config
    };
    let three = message(same_of_each(ALL, &[1, 2, 3], &reading()));
    check(config(1, 2), &three, ResultCode::BATCH_MAX_REQUESTS);
    check(config(0, 0), &three, ResultCode::BATCH_DISABLED);
    check(config(1, 0), &message(BatchBuilder::new(ALL)), ResultCode::PARAMETER);
    let no_field = RequestBuilder::new().info1(Info1::BATCH).namespace("test").into_body();
    check(config(1, 0), &no_field, ResultCode::PARAMETER);
    let bad_filter = RequestBuilder::new()
        .info1(Info1::BATCH)
        .field(FieldType::FILTER, b"no expression")
        .field(FieldType::BATCH, &same_of_each(ALL, &[1], &reading()).into_data())
        .into_body();
    check(config(1, 0), &bad_filter, ResultCode::PARAMETER);
    let (_, node) = node_with(config(1, 3));
    assert_eq!(run(&node, &three).overall(), ResultCode::OK);
}

#[test]
fn long_batches_run_in_slices() {
    let (_, node) = node_holding(0..1000, b"value");
    let records: Vec<u32> = (0..1000).collect();
    let message = message(same_of_each(ALL, &records, &reading()));
    let mut answered = 0;
    let (reply, slices) = run_with(&node, &message, |so_far| {
        assert_eq!(so_far.rows.len() - answered, 256);
        answered = so_far.rows.len();
    });
    assert_eq!((slices, reply.overall()), (4, ResultCode::OK));
    assert!(reply.rows.iter().copied().eq((0..1000).map(|index| (index, ResultCode::OK, 1))));
    assert_eq!(batches(&node), [2, 2, 0, 0]);
}

#[test]
fn silence_and_the_rows_repeated_outlast_a_slice() {
    let (_, node) = node();
    for (flags, answered) in [(BatchFlags::empty(), 0), (BatchFlags::INCLUDE_FAILURE, 256)] {
        let mut batch = BatchBuilder::new(flags);
        batch.row(0, &digest(0), &failing());
        batch.row(1, &digest(1), &failing().info1(Info1::empty()));
        batch.row(2, &digest(2), &writing(b"value"));
        (3..1000).for_each(|record| _ = batch.repeat(record, &digest(record)));
        let (reply, slices) = run_with(&node, &message(batch), |_| {});
        assert_eq!((slices, reply.rows.len()), (4, answered));
        assert_eq!(reply.overall(), ResultCode::PARAMETER);
    }
    assert_eq!(node.namespace(b"test").unwrap().object_count(), 998);
}

#[test]
fn frames_hold_what_fits() {
    let (_, node) = node();
    let mut batch = BatchBuilder::new(ALL);
    for (record, size) in [100, 60_000, 60_000, 100, 300_000, 100, 200_000].iter().enumerate() {
        let record = record as u32;
        batch.row(record, &digest(record), &writing(&vec![7; *size]));
    }
    assert_eq!(run(&node, &message(batch)).overall(), ResultCode::OK);
    let read = |records: &[u32]| run(&node, &message(same_of_each(ALL, records, &reading())));

    let row = ProtoHeader::SIZE + MessageHeader::SIZE + 8 + b"bin".len();
    assert_eq!(read(&[4]).frames[0], row + 300_000, "a row of any size has its frame");
    let reply = read(&[0, 4, 0]);
    assert_eq!(reply.indexes(), [0, 4, 0]);
    assert_eq!(reply.frames, [row + 100, row + 300_000, row + 100, 30]);
    let reply = read(&[0, 1, 6, 1, 2, 3, 0]);
    assert_eq!(reply.indexes(), [0, 1, 6, 1, 2, 3, 0]);
    assert!(reply.frames.iter().all(|&size| size <= 128 * 1024 || size == row + 200_000));
    assert_eq!(node.counters.sum(ServiceCounter::BatchIndexHugeBuffers), 3);
}

#[test]
fn frames_are_compressed_on_demand() {
    let (_, node) = node_holding(0..1000, &[7; 100]);
    let records: Vec<u32> = (0..1000).collect();
    let data = same_of_each(ALL, &records, &reading()).into_data();
    let message = RequestBuilder::new()
        .info1(Info1::BATCH | Info1::COMPRESS_RESPONSE)
        .field(FieldType::BATCH, &data)
        .into_body();
    let reply = run(&node, &message);
    assert_eq!(reply.indexes(), records);
    assert!(reply.frames.iter().all(|&size| size < 10_000), "{:?}", reply.frames);
    assert!(node.batch_compression.ratio() < 0.2);
}

#[test]
fn rows_after_the_deadline_are_not_carried_out() {
    for (ttl_ms, advance_ms) in [(0, 30_000), (5, 5)] {
        let (host, node) = node();
        let records: Vec<u32> = (0..300).collect();
        let data = same_of_each(ALL, &records, &writing(b"value")).into_data();
        let message = RequestBuilder::new()
            .info1(Info1::BATCH)
            .transaction_ttl_ms(ttl_ms)
            .field(FieldType::BATCH, &data)
            .into_body();
        let (reply, _) =
            run_with(&node, &message, |_| host.advance(Duration::from_millis(advance_ms)));
        assert_eq!(reply.results()[255..257], [(255, ResultCode::OK), (256, ResultCode::TIMEOUT)]);
        assert_eq!((reply.rows.len(), reply.overall()), (300, ResultCode::OK));
        let namespace = node.namespace(b"test").unwrap();
        assert_eq!(namespace.object_count(), 256);
        assert_eq!(namespace.counters.sum(NamespaceCounter::BatchSubTsvcTimeout), 44);
        assert_eq!(batches(&node), [1, 0, 0, 1]);
    }
}

#[test]
fn a_batch_whose_client_is_gone_has_failed() {
    let (_, node) = node();
    let records: Vec<u32> = (0..300).collect();
    let message = message(same_of_each(ALL, &records, &reading()));
    let mut worker = worker(&node);
    let answer = worker.answer(ProtoType::Message, &message, CLIENT, &mut Vec::new()).unwrap();
    let Answer::Partial(mut batch) = answer else { panic!("300 rows in one slice") };
    assert_eq!(batch.buffered_bytes(), message.len());
    batch.delayed();
    drop(batch);
    assert_eq!(batches(&node), [1, 0, 1, 0]);
    assert_eq!(node.counters.sum(ServiceCounter::BatchIndexDelay), 1);
}

#[test]
fn batches_show_in_statistics_and_histograms() {
    let (host, node) = node_holding(0..10, &[7; 10_000]);
    let mut ticker = Ticker::default();
    let lines = |ticker: &mut Ticker| -> Vec<String> {
        ticker.step(&node).into_iter().map(|line| line.text).collect()
    };
    let _ = lines(&mut ticker);
    let records: Vec<u32> = (0..10).collect();
    let data = same_of_each(ALL, &records, &reading()).into_data();
    let compressing = RequestBuilder::new()
        .info1(Info1::BATCH | Info1::COMPRESS_RESPONSE)
        .field(FieldType::BATCH, &data)
        .into_body();
    let _ = run(&node, &compressing);
    let _ = run(&node, &message(BatchBuilder::new(ALL)));
    host.advance(Duration::from_secs(10));
    let lines = lines(&mut ticker);
    for line in [
        "   batch-index: batches (2,1,0) delays 0",
        "{test} batch-sub: tsvc (0,0) proxy (0,0,0) read (10,0,0,0,0) write (10,0,0,0) \
         delete (0,0,0,0,0) udf (0,0,0,0) lang (0,0,0,0)",
        "histogram dump: batch-index (2 total) msec",
        "histogram dump: {test}-batch-sub-read (10 total) msec",
        "histogram dump: {test}-batch-sub-write (10 total) msec",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line}\n{lines:#?}");
    }
    let statistics = ask(&node, "statistics");
    for pair in ["initiate=3", "created_buffers=2", "destroyed_buffers=2", "huge_buffers=0"] {
        assert!(statistics.contains(&format!(";batch_index_{pair};")), "{pair}\n{statistics}");
    }
    assert!(statistics.contains(";batch_index_proto_uncompressed_pct=0.000;"), "{statistics}");
    assert!(statistics.contains(";batch_index_proto_compression_ratio=0.01"), "{statistics}");
    let slice = ask(&node, "latencies:hist=batch-index");
    assert!(slice.starts_with("batch-index:msec,0.1,"), "{slice}");
    assert_eq!(ask(&node, "set-config:context=service;microsecond-histograms=true"), "ok");
    assert_eq!(node.batch_latency.counts().total(), 0, "in another unit it begins afresh");
}

#[test]
fn damaged_batches_always_come_to_their_end() {
    let (_, node) = node_holding(0..10, b"value");
    let mut random = fastrand::Rng::with_seed(8);
    for _ in 0..5_000 {
        let mut batch = BatchBuilder::new(BatchFlags::from_bits_retain(random.u8(..)));
        for index in 0..random.u32(1..8) {
            let record = digest(random.u32(..12));
            match random.u8(..5) {
                0 => _ = batch.row(index, &record, &reading()),
                1 => _ = batch.row(index, &record, &writing(b"other")),
                2 => _ = batch.row(index, &record, &base().info2(Info2::WRITE | Info2::DELETE)),
                3 => _ = batch.row(index, &record, &failing()),
                _ => _ = batch.repeat(index, &record),
            }
        }
        let mut data = batch.into_data();
        for _ in 0..random.usize(..4) {
            let at = random.usize(..data.len());
            data[at] = random.u8(..);
        }
        data.truncate(random.usize(..2 * data.len()));
        let message =
            RequestBuilder::new().info1(Info1::BATCH).field(FieldType::BATCH, &data).into_body();
        assert!(run(&node, &message).overall.is_some());
    }
}

#[test]
fn what_was_carried_out_is_not_again_whatever_its_place() {
    let (_, node) = node();
    let call = base().info2(Info2::WRITE).field(FieldType::UDF_FILENAME, b"m");
    let call = call.field(FieldType::UDF_FUNCTION, b"f");
    let body = message(same_of_each(ALL, &[1, 2, 3], &call));
    let request = Request::parse(&body).unwrap();
    let (_, rows) = Rows::of(&request).unwrap();
    let of = |open: &Open| -> Vec<Place> {
        let tasks = calls::tasks(&node, &body, rows.place(), open).unwrap();
        tasks.into_iter().map(|(place, _)| place).collect()
    };
    let mut open = Open::default();
    let [first, second, third] = of(&open)[..] else { panic!("three rows call a function") };
    open.relayed = [(third, vec![3]), (second, vec![2])].into();
    assert_eq!(of(&open), [first]);
    assert_eq!(slice::take(&mut open.relayed, first), None);
    assert_eq!(slice::take(&mut open.relayed, second), Some(vec![2]));
    assert_eq!(of(&open), [first, second]);
}
