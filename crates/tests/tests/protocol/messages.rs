//! The parts of a message: counts, sizes, order, repetition, what is skipped.

use anyhow::{Result, ensure};
use tests::raw::{Draft, digest, field, op};

use crate::{
    FIELD_DIGEST, FIELD_NAMESPACE, FIELD_SET, GET_ALL, INTEGER, NAMESPACE, NOT_FOUND, OK, OP_READ,
    OP_WRITE, PARAMETER, READ, Rig, STRING, UNSUPPORTED, WRITE,
};

/// The flag of an operation that a last-update-time follows the name.
const HAS_LAST_UPDATE_TIME: u8 = 0x01;

fn size(bytes: u32) -> [u8; 4] {
    bytes.to_be_bytes()
}

/// A sound write that malformed parts can be added to.
fn write() -> Draft {
    Draft::write_number("parts", 1)
}

#[test]
fn fields_that_do_not_fit_are_bad_parameters() -> Result<()> {
    let zero = [0; 4];
    let overlong = [&size(6)[..], &[FIELD_SET, b's']].concat();
    let endless = [&size(u32::MAX)[..], &[FIELD_SET, b's']].concat();
    let cut = &size(3)[..2];
    Rig::start()?.check_results(&[
        ("a field of no bytes", write().raw_field(&zero), PARAMETER),
        ("a field of no bytes at the end", Draft::read("x").raw_field(&zero), PARAMETER),
        ("a field longer than the body", Draft::read("x").raw_field(&overlong), PARAMETER),
        ("a field of 4 GiB", Draft::read("x").raw_field(&endless), PARAMETER),
        ("a field cut in its size", Draft::read("x").raw_field(cut), PARAMETER),
        ("a field of its type alone", Draft::read("x").raw_field(&field(99, b"")), NOT_FOUND),
    ])
}

#[test]
fn operations_that_do_not_fit_are_bad_parameters() -> Result<()> {
    let number = 1_i64.to_be_bytes();
    let whole = op(OP_WRITE, INTEGER, 0, b"n", &number);
    let with_size = |bytes: u32| [&size(bytes)[..], &whole[4..]].concat();
    let long_name = [&size(6)[..], &[OP_WRITE, INTEGER, 0, 3, b'a', b'b']].concat();
    let short_time = op(OP_WRITE, INTEGER, HAS_LAST_UPDATE_TIME, b"n", &number[..7]);
    let at_time = op(OP_WRITE, INTEGER, HAS_LAST_UPDATE_TIME, b"n", &[number, number].concat());
    let raw = |bytes: &[u8]| Draft::write("ops").raw_op(bytes);
    let mut table = vec![
        ("an operation cut in its size", raw(&whole[..3]), PARAMETER),
        ("an operation of its size alone", raw(&whole[..4]), PARAMETER),
        ("an operation longer than the body", raw(&with_size(14)), PARAMETER),
        ("an operation of 4 GiB", raw(&with_size(u32::MAX)), PARAMETER),
        ("an operation shorter than it says", raw(&whole[..whole.len() - 1]), PARAMETER),
        ("a name beyond its operation", raw(&long_name), PARAMETER),
        ("a last-update-time beyond its operation", raw(&short_time), PARAMETER),
        ("a last-update-time of its own", raw(&at_time), OK),
    ];
    for below in 0..4 {
        let short = [&size(below)[..], &whole[4..4 + below as usize]].concat();
        table.push(("an operation below its fixed part", raw(&short), PARAMETER));
    }
    Rig::start()?.check_results(&table)
}

#[test]
fn counts_must_be_those_of_the_parts() -> Result<()> {
    Rig::start()?.check_results(&[
        ("one field too many", write().claiming_fields(3), PARAMETER),
        ("one field too few", write().claiming_fields(1), PARAMETER),
        ("no field of two", write().claiming_fields(0), PARAMETER),
        ("the most fields", write().claiming_fields(u16::MAX), PARAMETER),
        ("one operation too many", write().claiming_ops(2), PARAMETER),
        ("no operation of one", write().claiming_ops(0), PARAMETER),
        ("the most operations", write().claiming_ops(u16::MAX), PARAMETER),
        ("a read that says it has one", Draft::read("x").claiming_ops(1), PARAMETER),
        ("a byte behind the last operation", write().tail(&[0]), PARAMETER),
        ("a byte behind the last field", Draft::read("x").tail(&[0]), PARAMETER),
        ("a whole message behind it", write().tail(&write().body()), PARAMETER),
    ])
}

#[test]
fn of_a_repeated_field_the_first_counts() -> Result<()> {
    let rig = Rig::start()?;
    rig.check_results(&[
        ("another namespace", write().field(FIELD_NAMESPACE, b"nowhere"), OK),
        ("another namespace before", write().field_first(FIELD_NAMESPACE, b"no"), NAMESPACE),
        ("another digest", Draft::write_number("one", 1).field(FIELD_DIGEST, &digest("two")), OK),
        ("a digest of another size", write().field(FIELD_DIGEST, b"short"), OK),
        ("the first was written", Draft::read("one"), OK),
        ("the second was not", Draft::read("two"), NOT_FOUND),
    ])
}

#[test]
fn what_is_unknown_is_skipped() -> Result<()> {
    let mut odd_header = write();
    odd_header.header_size = 0;
    let mut result_sent = write();
    result_sent.result = 99;
    let mut table = vec![
        ("another size of the header", odd_header, OK),
        ("a result code in a request", result_sent, OK),
    ];
    for kind in [8, 16, 20, 27, 29, 34, 39, 44, 63, 64, 99, 127, 128, 200, 255] {
        table.push(("an unknown field", write().field(kind, b"whatever"), OK));
    }
    // Flags of newer clients: detailed errors.
    for flags in [0x20, 0x40, 0x60, 0x80] {
        let mut draft = write();
        draft.info[3] = flags;
        table.push(("an unknown flag", draft, OK));
    }
    Rig::start()?.check_results(&table)
}

#[test]
fn namespaces() -> Result<()> {
    let named = |name: &[u8]| Draft::read("x").without_field(FIELD_NAMESPACE).field(0, name);
    Rig::start()?.check_results(&[
        ("no namespace", Draft::read("x").without_field(FIELD_NAMESPACE), NAMESPACE),
        ("an empty one", named(b""), NAMESPACE),
        ("an unknown one", named(b"nowhere"), NAMESPACE),
        ("in capitals", named(b"TEST"), NAMESPACE),
        ("the beginning of one", named(b"tes"), NAMESPACE),
        ("more than one", named(b"testbar"), NAMESPACE),
        ("the longest name", named(&[b'n'; 31]), NAMESPACE),
        ("beyond the longest", named(&[b'n'; 32]), NAMESPACE),
        ("64 KiB of it", named(&[b'n'; 65_536]), NAMESPACE),
        ("with a zero byte behind", named(b"test\0"), NOT_FOUND),
        ("with a zero byte and more behind", named(b"test\0bar"), NOT_FOUND),
        ("the other one", named(b"bar"), NOT_FOUND),
        // Before anything else is looked at:
        ("none, and no digest", Draft::new(READ | GET_ALL, 0, 0), NAMESPACE),
        ("none, and nothing to do", Draft::new(0, 0, 0).field(FIELD_SET, b"s"), NAMESPACE),
    ])
}

#[test]
fn digests() -> Result<()> {
    let with = |digest: &[u8]| {
        Draft::new(READ | GET_ALL, 0, 0).field(0, b"test").field(FIELD_DIGEST, digest)
    };
    Rig::start()?.check_results(&[
        ("empty", with(b""), PARAMETER),
        ("19 bytes", with(&[7; 19]), PARAMETER),
        ("20 bytes", with(&[7; 20]), NOT_FOUND),
        ("21 bytes", with(&[7; 21]), PARAMETER),
        ("none: a query, of no partition", Draft::new(READ, 0, 0).field(0, b"test"), UNSUPPORTED),
    ])
}

#[test]
fn a_request_reads_or_writes() -> Result<()> {
    let neither = |info1, info3| {
        Draft::new(info1, 0, info3).field(0, b"test").field(FIELD_DIGEST, &digest("x"))
    };
    let nothing_to_write = Draft::new(0, WRITE, 0).field(0, b"test");
    Rig::start()?.check_results(&[
        ("neither", neither(0, 0), PARAMETER),
        ("all bins, but no reading", neither(GET_ALL, 0), PARAMETER),
        ("policies only", neither(0, 0x08), PARAMETER),
        ("a read of no bin", Draft::read_bins("parts"), NOT_FOUND),
        ("a write of nothing", nothing_to_write.field(FIELD_DIGEST, &digest("x")), PARAMETER),
        ("a record to read", Draft::write_number("x", 1), OK),
        ("a read of no bin of it", Draft::read_bins("x"), PARAMETER),
        ("a write in a read", Draft::read_bins("x").op(OP_WRITE, STRING, b"n", b""), PARAMETER),
        ("a read in a write", Draft::write("x").op(OP_READ, 0, b"n", b""), PARAMETER),
    ])
}

/// 32,768 operations are too many for nobody; the limit lies one above.
#[test]
fn the_most_operations() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let mut draft = Draft::write("many");
    for _ in 0..32_768 {
        draft = draft.op(OP_WRITE, INTEGER, b"n", &[1]);
    }
    ensure!(connection.result(&draft.frame())? == OK);
    let draft = draft.op(OP_WRITE, INTEGER, b"n", &[1]);
    ensure!(connection.result(&draft.frame())? == PARAMETER);
    rig.check_unharmed()
}
