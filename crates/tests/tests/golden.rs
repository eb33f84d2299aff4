//! Replays what the original server was asked, and compares the replies to the byte.
//!
//! `GOLDEN_ADDR=HOST:PORT` replays against a server that runs already (it must be fresh and empty),
//! `BOLIDE_BIN=PATH` against a program built elsewhere.

use std::path::Path;

use anyhow::{Result, ensure};
use tests::announce;
use tests::golden::{Clock, Replay, Transcript};
use tests::harness::{GOLDEN_CONFIGURATION, Server};

/// Single-record commands: every flag, value type, generation policy, TTL and error path.
#[test]
fn golden_record() -> Result<()> {
    replay("record.jsonl.gz")
}

/// List operations: orders, flags, return types, index and rank edges, nested contexts.
#[test]
fn golden_list() -> Result<()> {
    replay("list.jsonl.gz")
}

/// Map operations, likewise.
#[test]
fn golden_map() -> Result<()> {
    replay("map.jsonl.gz")
}

/// Operations on the bits of blobs.
#[test]
fn golden_bits() -> Result<()> {
    replay("bits.jsonl.gz")
}

/// HyperLogLog operations.
#[test]
fn golden_hll() -> Result<()> {
    replay("hll.jsonl.gz")
}

/// Expressions, well and ill typed: as filters, and as operations that read and write.
#[test]
fn golden_exp() -> Result<()> {
    replay("exp.jsonl.gz")
}

/// Geo values, their cells, comparisons, and queries by region and by point.
#[test]
fn golden_geo() -> Result<()> {
    replay("geo.jsonl.gz")
}

/// Queries with and without a where clause: partitions, resumption, selection, filters, each type of index.
#[test]
fn golden_query() -> Result<()> {
    replay("query.jsonl.gz")
}

/// User-defined functions: of one record, of rows of batches, over the records of queries.
#[test]
fn golden_udf() -> Result<()> {
    replay("udf.jsonl.gz")
}

/// Info commands: names, parameters, error texts, configuration, indexes and modules.
#[test]
fn golden_info() -> Result<()> {
    replay("info.jsonl.gz")
}

/// Batches: rows of every kind, row policies, errors with each reply policy, broken batches.
#[test]
fn golden_batch() -> Result<()> {
    replay("batch.jsonl.gz")
}

fn replay(file: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden").join(file);
    let transcript = Transcript::load(&path)?;
    let (server, address) = match std::env::var("GOLDEN_ADDR") {
        Ok(address) => (None, address),
        Err(_) => {
            let server = Server::start(GOLDEN_CONFIGURATION)?;
            let address = server.address();
            (Some(server), address)
        }
    };
    let report = Replay::new(&address, Clock::Wall).run(&transcript)?;
    announce(&report);
    ensure!(report.steps() > 0, "{file} holds no requests");
    let different = report.steps_different();
    let output = server.as_ref().map(Server::output).unwrap_or_default();
    ensure!(different == 0, "{different} replies differ; the server said:\n{output}");
    Ok(())
}
