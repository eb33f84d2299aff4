//! The operations of a read request, answered from one record.

use expr::Operation;
use wire::reply::ReplyWriter;
use wire::{Info1, Info2, Op, OpCode, ParticleType, Request, ResultCode};

use crate::bins::{Bin, BinTable};
use crate::body::{Body, StoredBin};
use crate::policy::is_valid_bin_name;
use crate::view::{Scene, StoredView};
use crate::within;

/// Bins from which, and operations from which, looking bins up in a table pays.
const TABLE_PAYS_FROM: u16 = 16;

/// Appends what a read request asks of a record's bins to `reply`.
///
/// # Errors
/// `PARAMETER` without operations or with one that writes, `BIN_NAME` for a bad name, those of the
/// operations that look into a value. The caller drops the results.
pub fn read(
    request: &Request<'_>,
    body: Body<'_>,
    scene: &Scene<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), ResultCode> {
    let header = &request.header;
    if header.info1.contains(Info1::GET_ALL) {
        reply.raw_ops(body.bin_count(), body.reply_ops());
        return Ok(());
    }
    if header.n_ops == 0 {
        return Err(ResultCode::PARAMETER);
    }
    let respond_all = header.info2.contains(Info2::RESPOND_ALL_OPS);
    let mut table = (header.n_ops >= TABLE_PAYS_FROM && body.bin_count() >= TABLE_PAYS_FROM)
        .then(|| BinTable::of(body));
    for op in request.ops() {
        if !is_valid_bin_name(op.name) {
            return Err(ResultCode::BIN_NAME);
        }
        if op.code == OpCode::EXPRESSION_READ {
            evaluate(&op, scene, respond_all, reply)?;
            continue;
        }
        let found = match &mut table {
            Some(table) => table.get(op.name).map(Bin::stored),
            None => body.bin(op.name).map(StoredBin::stored),
        };
        match (op.code, found) {
            (OpCode::READ, Some(bin)) => {
                reply.op(op.code, bin.particle_type, op.name, bin.value);
            }
            (OpCode::READ | OpCode::CDT_READ | OpCode::BITS_READ | OpCode::HLL_READ, None) => {
                if respond_all {
                    reply.op(op.code, ParticleType::NULL, op.name, &[]);
                }
            }
            (OpCode::CDT_READ | OpCode::BITS_READ | OpCode::HLL_READ, Some(bin)) => {
                match within::read(&op, bin)? {
                    Some((particle_type, value)) => {
                        reply.op(op.code, particle_type, op.name, &value);
                    }
                    None if respond_all => reply.op(op.code, ParticleType::NULL, op.name, &[]),
                    None => {}
                }
            }
            _ => return Err(ResultCode::PARAMETER),
        }
    }
    Ok(())
}

/// Replies an expression's value; nil only if every operation is to have a result.
fn evaluate(
    op: &Op<'_>,
    scene: &Scene<'_>,
    respond_all: bool,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), ResultCode> {
    let operation = Operation::to_read(op.value)?;
    match operation.read(&StoredView(scene))? {
        Some((particle_type, value)) => reply.op(op.code, particle_type, op.name, &value),
        None if respond_all => reply.op(op.code, ParticleType::NULL, op.name, &[]),
        None => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests;
