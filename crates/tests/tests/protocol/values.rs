//! Values: what each particle type takes, and what comes back.

use anyhow::{Context, Result, ensure};
use tests::raw::Draft;

use crate::{INTEGER, NOT_FOUND, NULL, OK, OP_WRITE, PARAMETER, RECORD_TOO_BIG, Rig, STRING};

const FLOAT: u8 = 2;
const BLOB: u8 = 4;
const BOOL: u8 = 17;
const HLL: u8 = 18;
const MAP: u8 = 19;
const LIST: u8 = 20;
const GEOJSON: u8 = 23;

const UNKNOWN: u8 = 1;
const INVALID_GEOJSON: u8 = 160;

fn write(particle: u8, value: &[u8]) -> Draft {
    Draft::write("value").op(OP_WRITE, particle, b"v", value)
}

#[test]
fn what_no_particle_type_takes() -> Result<()> {
    let mut table = Vec::new();
    for particle in [5, 6, 13, 14, 15, 21, 22, 24, 25, 64, 128, 255] {
        table.push(("an unknown type", write(particle, b"value"), PARAMETER));
    }
    for size in [0, 3, 5, 6, 7, 9, 15, 17] {
        table.push(("an integer of another size", write(INTEGER, &vec![1; size]), PARAMETER));
    }
    for size in [0, 1, 4, 7, 9] {
        table.push(("a float of another size", write(FLOAT, &vec![1; size]), PARAMETER));
    }
    for value in [&b""[..], &[2], &[255], &[0, 0]] {
        table.push(("a boolean that is none", write(BOOL, value), PARAMETER));
    }
    for value in [&b""[..], b"x", &[0xff; 40]] {
        table.push(("a sketch that is none", write(HLL, value), PARAMETER));
    }
    // An array that promises 4 G elements, a map without values, a list for a map, bytes to spare.
    for value in [&[0xdd, 0xff, 0xff, 0xff, 0xff][..], &[0x81, 1], &[0x90], &[0x80, 0], b""] {
        table.push(("a map that is none", write(MAP, value), UNKNOWN));
    }
    for value in [&[0xdd, 0xff, 0xff, 0xff, 0xff][..], &[0x92, 1], &[0x80], &[0x90, 0], b""] {
        table.push(("a list that is none", write(LIST, value), UNKNOWN));
    }
    for value in [&b""[..], b"x", &[0, 0, 0], &[0, 0xff, 0xff], b"\0\0\0{}", b"\0\0\0[1,2]"] {
        table.push(("a place that is none", write(GEOJSON, value), INVALID_GEOJSON));
    }
    table.push(("nothing was written", Draft::read("value"), NOT_FOUND));
    Rig::start()?.check_results(&table)
}

/// A tower of lists is refused, or taken and given back; it never exhausts the stack.
#[test]
fn the_deepest_nesting_is_bounded() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    for depth in [10, 100, 1000, 10_000, 500_000] {
        let mut lists = vec![0x91; depth];
        lists.push(0x90);
        let mut maps = [0x81, 0x01].repeat(depth);
        maps.push(0x80);
        for (particle, value) in [(LIST, lists), (MAP, maps)] {
            let result = connection.result(&write(particle, &value).frame())?;
            ensure!([OK, UNKNOWN, RECORD_TOO_BIG].contains(&result), "depth {depth}: {result}");
            if result == OK {
                let reply = connection.ask(&Draft::read("value").frame())?;
                let bin = reply.ops.first().context("the bin is missing")?;
                ensure!(bin.value == value, "depth {depth}: other bytes came back");
            }
        }
        let mut place = b"\0\0\0".to_vec();
        place.extend("[".repeat(depth).bytes());
        ensure!(connection.result(&write(GEOJSON, &place).frame())? == INVALID_GEOJSON);
    }
    rig.check_unharmed()
}

#[test]
fn what_comes_back_is_what_was_written() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let number = 258_i64.to_be_bytes();
    // What goes in, and what comes out.
    let table: &[(u8, &[u8], &[u8])] = &[
        (INTEGER, &number, &number),
        (INTEGER, &[1, 2], &number),
        (INTEGER, &[0, 0, 1, 2], &number),
        (INTEGER, &[255], &255_i64.to_be_bytes()),
        (FLOAT, &1.5_f64.to_be_bytes(), &1.5_f64.to_be_bytes()),
        (STRING, b"", b""),
        (STRING, b"no \xff text", b"no \xff text"),
        (BLOB, &[0, 1, 2], &[0, 1, 2]),
        (BOOL, &[1], &[1]),
        (LIST, &[0x93, 1, 2, 3], &[0x93, 1, 2, 3]),
        (MAP, &[0x81, 0xa2, STRING, b'k', 1], &[0x81, 0xa2, STRING, b'k', 1]),
    ];
    let opaque = [7, 8, 9, 10, 11, 12, 16].map(|particle| (particle, &b"opaque"[..]));
    let opaque = opaque.map(|(particle, value)| (particle, value, value));
    for (particle, value, expected) in table.iter().chain(&opaque) {
        ensure!(connection.result(&write(*particle, value).frame())? == OK, "type {particle}");
        let reply = connection.ask(&Draft::read("value").frame())?;
        let [bin] = &reply.ops[..] else { anyhow::bail!("type {particle}: {reply:?}") };
        ensure!((bin.particle, &bin.value[..]) == (*particle, *expected), "{bin:?}");
        ensure!((bin.code, bin.flags, &bin.name[..]) == (1, 0, &b"v"[..]), "{bin:?}");
    }
    // A null deletes the bin, and with its last bin the record goes.
    ensure!(connection.result(&write(NULL, b"").frame())? == OK);
    ensure!(connection.result(&Draft::read("value").frame())? == NOT_FOUND);
    Ok(())
}

#[test]
fn a_record_has_a_greatest_size() -> Result<()> {
    let rig = Rig::start()?;
    rig.check_results(&[
        ("almost 1 MiB", write(BLOB, &vec![7; (1 << 20) - 200]), OK),
        ("a little more", write(BLOB, &vec![7; 1 << 20]), RECORD_TOO_BIG),
        ("64 MiB", write(BLOB, &vec![7; 64 << 20]), RECORD_TOO_BIG),
        ("the record is there still", Draft::read_bins("value").op(1, NULL, b"none", b""), OK),
    ])
}
