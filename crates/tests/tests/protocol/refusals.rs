//! Requests that are well formed and refused: batches, queries, transactions, unknown operations.

use anyhow::{Result, ensure};
use tests::raw::{Draft, MESSAGE, digest};

use crate::{
    BATCH, BIN_NAME, ENTERPRISE_ONLY, FIELD_NAMESPACE, GET_ALL, INTEGER, LAST, NAMESPACE, NULL, OK,
    OP_READ, OP_WRITE, PARAMETER, READ, Rig, UNSUPPORTED, WRITE,
};

/// Field types.
const FIELD_RECORD_VERSION: u8 = 3;
const FIELD_MRT_ID: u8 = 5;
const FIELD_MRT_DEADLINE: u8 = 6;
const FIELD_PARTITION_IDS: u8 = 11;
const FIELD_UDF_OP: u8 = 33;
const FIELD_BATCH: u8 = 41;
const FIELD_BATCH_WITH_SET: u8 = 42;

/// Fourth flags byte.
const MRT_VERIFY_READ: u8 = 0x01;
const MRT_ROLL_FORWARD: u8 = 0x02;
const MRT_ROLL_BACK: u8 = 0x04;

/// A batch's client reads rows until a message that is marked last: without it, it would wait.
#[test]
fn a_refused_batch_ends_with_a_last_message() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let batch = |kind, rows: &[u8]| Draft::new(READ | BATCH, 0, 0).field(kind, rows);
    let row = [&[0, 0, 0, 1, 0][..], &[0, 0, 0, 0], &digest("row"), &[1]].concat();
    for draft in [
        batch(FIELD_BATCH, &row),
        batch(FIELD_BATCH_WITH_SET, &row),
        batch(FIELD_BATCH, &[0; 5]),
        batch(FIELD_BATCH, b""),
        batch(FIELD_BATCH, &[0xff; 64]),
        Draft::new(READ | BATCH, 0, 0),
    ] {
        let reply = connection.ask(&draft.frame())?;
        ensure!(reply.info == [0, 0, LAST, 0] && reply.ops.is_empty(), "{reply:?}");
        ensure!(reply.result != OK, "nothing was carried out");
    }
    connection.expect_alive()?;
    rig.check_unharmed()
}

#[test]
fn queries() -> Result<()> {
    let query = |info2, info3| Draft::new(READ, info2, info3).field(FIELD_NAMESPACE, b"test");
    Rig::start()?.check_results(&[
        ("of no partition", query(0, 0), UNSUPPORTED),
        ("of a client too old", query(0, 0).field(FIELD_PARTITION_IDS, &[0, 0]), UNSUPPORTED),
        ("in no namespace", Draft::new(READ | GET_ALL, 0, 4), NAMESPACE),
        ("with an operation in no namespace", Draft::new(0, WRITE, 4), NAMESPACE),
    ])
}

#[test]
fn parts_of_transactions() -> Result<()> {
    let id = 77_u64.to_le_bytes();
    let with_flags = |mut draft: Draft, flags| {
        draft.info[3] = flags;
        draft
    };
    let write = || Draft::write_number("transaction", 1);
    let read = || Draft::read("transaction");
    Rig::start()?.check_results(&[
        ("the record", write(), OK),
        ("a write in one", write().field(FIELD_MRT_ID, &id), ENTERPRISE_ONLY),
        ("a read in one", read().field(FIELD_MRT_ID, &id), ENTERPRISE_ONLY),
        ("a bad id", read().field(FIELD_MRT_ID, &id[..3]), ENTERPRISE_ONLY),
        ("a delete in one", Draft::delete("transaction").field(5, &id), ENTERPRISE_ONLY),
        ("to verify", with_flags(read(), MRT_VERIFY_READ), ENTERPRISE_ONLY),
        ("to roll forward", with_flags(write(), MRT_ROLL_FORWARD), ENTERPRISE_ONLY),
        ("to roll back", with_flags(write(), MRT_ROLL_BACK), ENTERPRISE_ONLY),
        ("only a version", read().field(FIELD_RECORD_VERSION, &[0; 7]), OK),
        ("only a deadline", write().field(FIELD_MRT_DEADLINE, &[0; 4]), OK),
        ("the record is there still", read(), OK),
    ])
}

#[test]
fn unknown_operations() -> Result<()> {
    let mut table = vec![("the record", Draft::write_number("ops", 1), OK)];
    for code in [0, 6, 17, 18, 19, 20, 64, 127, 128, 255] {
        let number = 1_i64.to_be_bytes();
        let write = Draft::write("ops").op(code, INTEGER, b"n", &number);
        table.push(("in a write", write, PARAMETER));
        table.push(("in a read", Draft::read_bins("ops").op(code, NULL, b"n", b""), PARAMETER));
        let behind = Draft::write_number("ops", 2).op(code, INTEGER, b"n", &number);
        table.push(("behind a sound one", behind, PARAMETER));
    }
    for code in [2, 4, 5, 9, 10, 11, 13, 14, 16] {
        let read = Draft::read_bins("ops").op(code, INTEGER, b"n", &1_i64.to_be_bytes());
        table.push(("a writing one in a read", read, PARAMETER));
    }
    let rig = Rig::start()?;
    rig.check_results(&table)?;
    let mut connection = rig.connect()?;
    let reply = connection.ask(&Draft::read("ops").frame())?;
    ensure!(reply.ops[0].value == 1_i64.to_be_bytes(), "a refused write did something: {reply:?}");
    ensure!(reply.generation == 1, "generation {}", reply.generation);
    Ok(())
}

#[test]
fn bin_names() -> Result<()> {
    let number = 1_i64.to_be_bytes();
    let write = |name: &[u8]| Draft::write("names").op(OP_WRITE, INTEGER, name, &number);
    let read = |name: &[u8]| Draft::read_bins("names").op(OP_READ, NULL, name, b"");
    Rig::start()?.check_results(&[
        ("the longest", write(b"fifteen bytes.."), OK),
        ("one byte more", write(b"fifteen bytes..."), BIN_NAME),
        ("255 bytes", write(&[b'n'; 255]), BIN_NAME),
        ("none", write(b""), OK),
        ("bytes that are no text", write(&[0xff, 0xfe, 0x01]), OK),
        ("of a read, the longest", read(b"fifteen bytes.."), OK),
        ("of a read, one byte more", read(b"fifteen bytes..."), BIN_NAME),
        ("of a read, 255 bytes", read(&[b'n'; 255]), BIN_NAME),
        ("of a read, absent", read(b"absent"), OK),
    ])
}

/// What is not a UDF's way to be called, is none.
#[test]
fn a_query_with_a_function_that_says_nothing_of_how() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let draft = Draft::new(READ, 0, 0).field(FIELD_NAMESPACE, b"test");
    for draft in [draft.clone().field(30, b"module"), draft.field(FIELD_UDF_OP, &[9])] {
        connection.send(&draft.frame())?;
        ensure!(!connection.body(MESSAGE)?.is_empty());
    }
    connection.expect_alive()?;
    rig.check_unharmed()
}
