//! Decoder of the rows in a batch request, as far as it takes to know what they ask for.

use super::message::{Bytes, Malformed, Message};

/// Fields that hold rows.
const FIELDS_BATCH: [u8; 2] = [41, 42];
/// Row count and batch flags.
const HEADER_SIZE: usize = 5;
/// Row index and digest.
const ROW_HEAD_SIZE: usize = 4 + 20;

const ROW_REPEAT: u8 = 0x01;
const ROW_EXTRA_INFO: u8 = 0x02;
/// Further row flags, each with the size of what it adds to a row.
const ROW_PARTS: [(u8, usize); 3] = [(0x10, 1), (0x04, 2), (0x08, 4)];

/// The rows of a batch up to the first that is malformed, without those that repeat another. Each has
/// its first three info bytes, fields and operations only.
pub fn rows(request: &Message) -> Vec<Message> {
    let data = FIELDS_BATCH.iter().find_map(|&kind| request.field(kind)).unwrap_or_default();
    let mut bytes = Bytes(data.get(HEADER_SIZE..).unwrap_or_default());
    let mut rows = Vec::new();
    while let Ok(row) = next_row(&mut bytes) {
        rows.extend(row);
    }
    rows
}

fn next_row(bytes: &mut Bytes<'_>) -> Result<Option<Message>, Malformed> {
    bytes.take(ROW_HEAD_SIZE)?;
    let flags = bytes.u8()?;
    if flags & ROW_REPEAT != 0 {
        return Ok(None);
    }
    let mut info = [bytes.u8()?, 0, 0, 0];
    if flags & ROW_EXTRA_INFO != 0 {
        (info[1], info[2]) = (bytes.u8()?, bytes.u8()?);
    }
    for (flag, size) in ROW_PARTS {
        if flags & flag != 0 {
            bytes.take(size)?;
        }
    }
    let (n_fields, n_ops) = (bytes.u16()?.max(1), bytes.u16()?);
    let fields = (0..n_fields).map(|_| bytes.field()).collect::<Result<_, _>>()?;
    let ops = (0..n_ops).map(|_| bytes.op()).collect::<Result<_, _>>()?;
    Ok(Some(Message { info, fields, ops, ..Message::default() }))
}
