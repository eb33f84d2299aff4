//! Queries of a whole process, while somebody else makes and drops the index that they use.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use tests::announce;
use tests::golden::decode_body;
use tests::harness::{GOLDEN_CONFIGURATION, Server};
use tests::raw::{Connection, Draft, MESSAGE};

/// Records that the index has.
const RECORDS: usize = 3_000;
/// How often the index is made and dropped.
const ROUNDS: usize = 12;
/// Connections that query meanwhile, as fast as they can.
const CONNECTIONS: usize = 3;
/// Until something that is waited for has to be so.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what is waited for.
const REST: Duration = Duration::from_millis(1);

const OK: u8 = 0;
const UNKNOWN: u8 = 1;
const INDEX_NOT_FOUND: u8 = 201;
const INDEX_NOT_READABLE: u8 = 203;

const READ: u8 = 0x01;
const GET_NO_BINS: u8 = 0x20;
const PARTITION_DONE: u8 = 0x04;

const FIELD_NAMESPACE: u8 = 0;
const FIELD_SET: u8 = 1;
const FIELD_RECORDS_PER_SECOND: u8 = 10;
const FIELD_PARTITIONS: u8 = 11;
const FIELD_INDEX_RANGE: u8 = 22;

const INDEX: &str = "ns=test;set=s;indexname=i";

/// A query for the records with any value of bin `n`, without their bins.
fn query() -> Draft {
    let partitions: Vec<u8> = (0..4096_u16).flat_map(u16::to_le_bytes).collect();
    let mut range = b"\x01\x01n\x01".to_vec();
    for value in [0, RECORDS as u64] {
        range.extend_from_slice(&8_u32.to_be_bytes());
        range.extend_from_slice(&value.to_be_bytes());
    }
    Draft::new(READ | GET_NO_BINS, 0, PARTITION_DONE)
        .field(FIELD_NAMESPACE, b"test")
        .field(FIELD_SET, b"s")
        .field(FIELD_PARTITIONS, &partitions)
        .field(FIELD_INDEX_RANGE, &range)
}

/// The next rows of a query, and its result once it has ended.
fn some_rows(connection: &mut Connection) -> Result<(usize, Option<u8>)> {
    let mut messages = decode_body(&connection.body(MESSAGE)?)?;
    // What ends a query is about no record, and so is what refuses it.
    let end = messages.pop_if(|message| message.fields.is_empty());
    ensure!(messages.iter().all(|message| !message.digest().is_empty()), "rows: {messages:?}");
    Ok((messages.len(), end.map(|message| message.result)))
}

/// The rows that are left of a query, and its result.
fn other_rows(connection: &mut Connection) -> Result<(usize, u8)> {
    let mut rows = 0;
    loop {
        let (more, end) = some_rows(connection)?;
        rows += more;
        if let Some(result) = end {
            return Ok((rows, result));
        }
    }
}

/// How queries ended.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    complete: usize,
    cut_short: usize,
    refused: usize,
}

impl Ends {
    fn add(&mut self, rows: usize, result: u8) -> Result<()> {
        match result {
            OK => {
                ensure!(rows == RECORDS, "a complete query has {rows} of {RECORDS} rows");
                self.complete += 1;
            }
            UNKNOWN => self.cut_short += 1,
            INDEX_NOT_FOUND | INDEX_NOT_READABLE => {
                ensure!(rows == 0, "{rows} rows without an index");
                self.refused += 1;
            }
            _ => bail!("a query ended with {result}"),
        }
        Ok(())
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { complete, cut_short, refused } = self;
        write!(f, "{complete} complete, {cut_short} cut short, {refused} refused")
    }
}

/// What those who query and those who drop know of each other.
#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    /// Queries that were complete.
    complete: AtomicUsize,
}

/// Queries over and over.
fn ask(port: u16, shared: &Shared) -> Result<Ends> {
    let mut connection = Connection::open(port)?;
    let (frame, mut ends) = (query().frame(), Ends::default());
    while !shared.is_over.load(Ordering::Relaxed) {
        connection.send(&frame)?;
        let (rows, result) = other_rows(&mut connection)?;
        ends.add(rows, result)?;
        match result {
            OK => _ = shared.complete.fetch_add(1, Ordering::Relaxed),
            _ => thread::sleep(REST),
        }
    }
    Ok(ends)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        ensure!(begun.elapsed() < PATIENCE, "waited for {what}");
        thread::sleep(REST);
    }
    Ok(())
}

fn command(connection: &mut Connection, command: &str) -> Result<()> {
    let answer = connection.info(&format!("{command}\n"))?;
    ensure!(answer.ends_with("\tok\n"), "{answer}");
    Ok(())
}

/// Makes the index, waits until it is filled and queries use it, begins a slow query, and drops it under way.
fn make_and_drop(port: u16, shared: &Shared) -> Result<()> {
    let mut connection = Connection::open(port)?;
    command(&mut connection, &format!("sindex-create:{INDEX};indexdata=n,numeric"))?;
    wait_until("the index to be filled", || {
        Ok(connection.info(&format!("sindex-stat:{INDEX}\n"))?.contains(";load_pct=100;"))
    })?;
    let before = shared.complete.load(Ordering::Relaxed);
    wait_until("complete queries", || Ok(shared.complete.load(Ordering::Relaxed) > before))?;
    let mut asking = Connection::open(port)?;
    let slow = query().field(FIELD_RECORDS_PER_SECOND, &100_u32.to_be_bytes());
    asking.send(&slow.frame())?;
    let (first, end) = some_rows(&mut asking)?;
    ensure!(end.is_none(), "it cannot be over: {end:?} after {first} rows");
    command(&mut connection, &format!("sindex-delete:{INDEX}"))?;
    let (others, result) = other_rows(&mut asking)?;
    ensure!(result == UNKNOWN, "the query ended with {result}");
    ensure!(first + others < RECORDS, "all rows came");
    connection.send(&query().frame())?;
    ensure!(other_rows(&mut connection)? == (0, INDEX_NOT_FOUND));
    Ok(())
}

#[test]
fn an_index_is_dropped_while_queries_use_it() -> Result<()> {
    let mut server = Server::start(GOLDEN_CONFIGURATION)?;
    let port = server.port();
    let mut connection = Connection::open(port)?;
    for number in 0..RECORDS {
        let write = Draft::write_number(&format!("record {number}"), number as i64);
        let result = connection.result(&write.field(FIELD_SET, b"s").frame())?;
        ensure!(result == OK, "a write ended with {result}");
    }
    let shared = &Shared::default();
    let (made, ends) = thread::scope(|scope| {
        let asking: Vec<_> =
            (0..CONNECTIONS).map(|_| scope.spawn(move || ask(port, shared))).collect();
        let made = (0..ROUNDS).try_for_each(|_| make_and_drop(port, shared));
        shared.is_over.store(true, Ordering::Relaxed);
        let ends: Vec<_> =
            asking.into_iter().map(|asking| asking.join().expect("they do not panic")).collect();
        (made, ends)
    });
    made?;
    let mut all = Ends::default();
    for ends in ends {
        let Ends { complete, cut_short, refused } = ends?;
        all.complete += complete;
        all.cut_short += cut_short;
        all.refused += refused;
    }
    announce(format_args!("queries while an index comes and goes: {all}"));
    ensure!(all.complete >= ROUNDS && all.refused > 0, "too little happened: {all}");
    ensure!(server.is_running()?, "the server is gone:\n{}", server.output());
    ensure!(!server.log().contains("panic"), "the server said:\n{}", server.log());
    connection.expect_alive()
}
