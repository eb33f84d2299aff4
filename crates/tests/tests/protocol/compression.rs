//! Compressed messages, both ways.

use anyhow::{Result, ensure};
use tests::raw::{COMPRESSED, Connection, Draft, INFO, MESSAGE, compressed, frame, inflate};

use crate::{COMPRESS_RESPONSE, NOT_FOUND, OK, OP_WRITE, PARAMETER, Rig, STRING};

/// The longest body, and with its header what a compressed body may inflate to.
const BODY_SIZE_MAX: u64 = 128 << 20;

/// A compressed frame that announces the true size.
fn packed(inner: &[u8]) -> Vec<u8> {
    frame(COMPRESSED, &compressed(inner.len() as u64, inner))
}

fn result(connection: &mut Connection, body: &[u8]) -> Result<u8> {
    connection.result(&frame(COMPRESSED, body))
}

#[test]
fn a_compressed_request_is_the_request_inside() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let value = b"the same again, ".repeat(1000);
    let write = Draft::write("packed").op(OP_WRITE, STRING, b"v", &value);
    ensure!(packed(&write.frame()).len() < value.len() / 10);
    ensure!(connection.result(&packed(&write.frame()))? == OK);
    let reply = connection.ask(&packed(&Draft::read("packed").frame()))?;
    ensure!(reply.result == OK && reply.ops[0].value == value, "not asked for compressed replies");
    ensure!(connection.result(&packed(&Draft::read("absent").frame()))? == NOT_FOUND);
    // What is wrong inside is answered as it is without compression.
    ensure!(connection.result(&packed(&write.claiming_ops(2).frame()))? == PARAMETER);
    connection.expect_alive()?;
    rig.check_unharmed()
}

#[test]
fn what_does_not_inflate_to_one_message_is_a_bad_parameter() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let inner = Draft::read("any").frame();
    let size = inner.len() as u64;
    let good = compressed(size, &inner);
    let mut flipped = good.clone();
    *flipped.last_mut().expect("it is not empty") ^= 1;
    let another_type = frame(INFO, b"status\n");
    let nested = packed(&inner);
    let mut longer_inside = inner.clone();
    longer_inside[7] += 1;
    let mut of_version_0 = inner.clone();
    of_version_0[0] = 0;
    let table = [
        ("nothing", Vec::new()),
        ("a size alone, cut", good[..7].to_vec()),
        ("a size alone", good[..8].to_vec()),
        ("no zlib stream", [&size.to_be_bytes()[..], b"this is no zlib stream"].concat()),
        ("half a stream", good[..good.len() / 2].to_vec()),
        ("a stream without its end", good[..good.len() - 1].to_vec()),
        ("a wrong checksum", flipped),
        ("a size too great by one", compressed(size + 1, &inner)),
        ("a size too small by one", compressed(size - 1, &inner)),
        ("a size of 0", compressed(0, &inner)),
        ("a size without a header", compressed(7, &inner[..7])),
        ("the greatest size", compressed(u64::MAX, &inner)),
        ("a size beyond the longest frame", compressed(BODY_SIZE_MAX + 9, &inner)),
        ("info inside", compressed(another_type.len() as u64, &another_type)),
        ("a compressed frame inside", compressed(nested.len() as u64, &nested)),
        ("two frames inside", compressed(2 * size, &[&inner[..], &inner].concat())),
        ("a longer body announced inside", compressed(size, &longer_inside)),
        ("another version inside", compressed(size, &of_version_0)),
        ("noise inside", compressed(size, &vec![0xa5; inner.len()])),
    ];
    for (what, body) in table {
        let answer = result(&mut connection, &body)?;
        ensure!(answer == PARAMETER, "{what}: {answer}");
    }
    connection.expect_alive()?;
    rig.check_unharmed()
}

/// 32 MiB of zeros in 32 KiB: no more is unpacked than announced, and what is announced beyond the
/// longest frame is not unpacked at all.
#[test]
fn a_bomb_does_not_go_off() -> Result<()> {
    let rig = Rig::start()?;
    let before = rig.server.readings().resident_kbytes()?;
    let bomb = compressed(0, &vec![0; 32 << 20]).split_off(8);
    ensure!(bomb.len() < 64 << 10, "{} bytes", bomb.len());
    let mut connection = rig.connect()?;
    for announced_bytes in [100, 1 << 20, 32 << 20, BODY_SIZE_MAX + 8, 512 << 20, u64::MAX] {
        let body = [&announced_bytes.to_be_bytes()[..], &bomb].concat();
        ensure!(result(&mut connection, &body)? == PARAMETER, "{announced_bytes} announced");
    }
    connection.expect_alive()?;
    let after = rig.server.readings().resident_kbytes()?;
    ensure!(after < before + 256 * 1024, "{before} KiB grew to {after} KiB");
    rig.check_unharmed()
}

#[test]
fn replies_are_compressed_when_asked_and_large() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let value = b"the same again, ".repeat(1000);
    let write = Draft::write("large").op(OP_WRITE, STRING, b"v", &value);
    ensure!(connection.result(&write.frame())? == OK);
    let asking = |mut draft: Draft| {
        draft.info[0] |= COMPRESS_RESPONSE;
        draft.frame()
    };
    connection.send(&asking(Draft::read("large")))?;
    let reply = connection.compressed_message()?;
    ensure!(reply.result == OK && reply.ops[0].value == value);
    connection.send(&packed(&asking(Draft::read("large"))))?;
    ensure!(connection.compressed_message()?.ops[0].value == value);
    // Without being asked, and where it would gain nothing, never.
    ensure!(connection.ask(&Draft::read("large").frame())?.ops[0].value == value);
    ensure!(connection.result(&asking(Draft::read("absent")))? == NOT_FOUND);
    ensure!(connection.result(&asking(Draft::write_number("small", 1)))? == OK);
    ensure!(connection.ask(&asking(Draft::read("small")))?.ops.len() == 1);
    connection.expect_alive()
}

#[test]
fn what_cannot_be_compressed_is_sent_as_it_is() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let mut noise = 0x9e37_79b9_u32;
    let value: Vec<u8> = (0..20_000)
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        })
        .collect();
    let write = Draft::write("noise").op(OP_WRITE, STRING, b"v", &value);
    ensure!(connection.result(&write.frame())? == OK);
    let mut read = Draft::read("noise");
    read.info[0] |= COMPRESS_RESPONSE;
    connection.send(&read.frame())?;
    let body = connection.body(MESSAGE)?;
    ensure!(body.ends_with(&value) && inflate(&body).is_none());
    Ok(())
}
