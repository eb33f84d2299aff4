//! The operations of a write request, applied to one record.

use value::StoredBytes;
use value::cdt::Modified;
use wire::reply::ReplyWriter;
use wire::{Op, OpCode, ParticleType, Request, ResultCode};

use crate::bins::{Bin, BinTable};
use crate::body::{BINS_MAX, Body};
use crate::policy::{WritePolicy, is_read_all};

/// Bins of a record after all operations of a request, not yet stored.
#[derive(Debug)]
pub struct NewBins<'a> {
    table: BinTable<'a>,
}

impl NewBins<'_> {
    /// Whether no bin is left: the record is to be deleted, or not to be created.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// Writes the record's new body into `out`, replacing what was there.
    pub fn write_body(&self, key: Option<&[u8]>, out: &mut Vec<u8>) {
        self.table.write(out, key);
    }
}

/// Applies a request's operations in order to the record's bins (`None`: it is being created) and
/// appends their results to `reply`. Operations see what earlier ones of the same request did.
///
/// # Errors
/// The first operation that fails decides; the caller drops the new bins and the results.
pub fn apply<'a>(
    request: &Request<'a>,
    policy: &WritePolicy,
    old: Option<Body<'a>>,
    reply: &mut ReplyWriter<'_>,
) -> Result<NewBins<'a>, ResultCode> {
    let table = match old {
        Some(body) if !policy.replace => BinTable::of(body),
        _ => BinTable::default(),
    };
    let mut writer = Writer { table, respond_all: policy.respond_all, reply };
    for op in request.ops() {
        if is_read_all(&op, request.header.info1) {
            writer.read_all();
        } else {
            writer.apply(&op)?;
        }
    }
    if writer.table.len() > BINS_MAX {
        return Err(ResultCode::PARAMETER);
    }
    Ok(NewBins { table: writer.table })
}

struct Writer<'a, 'r, 'o> {
    table: BinTable<'a>,
    respond_all: bool,
    reply: &'r mut ReplyWriter<'o>,
}

impl<'a> Writer<'a, '_, '_> {
    fn apply(&mut self, op: &Op<'a>) -> Result<(), ResultCode> {
        match op.code {
            OpCode::TOUCH => return Ok(()),
            OpCode::READ => {
                self.read(op);
                return Ok(());
            }
            OpCode::WRITE if op.particle_type == ParticleType::NULL => self.table.remove(op.name),
            OpCode::WRITE => self.write(op)?,
            OpCode::INCREMENT => self.change(op, value::scalar::increment)?,
            OpCode::APPEND => self.change(op, value::scalar::append)?,
            OpCode::PREPEND => self.change(op, value::scalar::prepend)?,
            OpCode::DELETE_ALL => self.table.clear(),
            OpCode::CDT_READ | OpCode::BITS_READ | OpCode::HLL_READ
                if self.table.get(op.name).is_none() => {}
            OpCode::CDT_READ => return self.read_collection(op),
            OpCode::CDT_MODIFY => return self.modify_collection(op),
            _ => return Err(unsupported(op.code)),
        }
        if self.respond_all {
            self.reply.op(op.code, ParticleType::NULL, op.name, &[]);
        }
        Ok(())
    }

    fn read(&mut self, op: &Op<'a>) {
        match self.table.get(op.name) {
            Some(bin) => self.reply.op(op.code, bin.particle_type, bin.name, &bin.value),
            None if self.respond_all => {
                self.reply.op(op.code, ParticleType::NULL, op.name, &[]);
            }
            None => {}
        }
    }

    fn read_all(&mut self) {
        for bin in self.table.iter() {
            self.reply.op(OpCode::READ, bin.particle_type, bin.name, &bin.value);
        }
    }

    fn write(&mut self, op: &Op<'a>) -> Result<(), ResultCode> {
        let value = value::from_wire(op.particle_type, op.value)?;
        let guide = value::cdt::guide_of_written((op.particle_type, &value), op.value);
        self.set_guided(op, op.particle_type, value, guide);
        Ok(())
    }

    /// Applies an operation that makes a new value of the old one.
    fn change(&mut self, op: &Op<'a>, change: Change) -> Result<(), ResultCode> {
        let old = self.table.take_value(op.name);
        let (particle_type, value) = match old {
            // What the request or the stored record lends outlives this operation.
            Some((old_type, StoredBytes::Borrowed(old))) => {
                change(Some((old_type, old)), op.particle_type, op.value)?
            }
            Some((old_type, old)) => {
                let (new_type, new) = change(Some((old_type, &old)), op.particle_type, op.value)?;
                (new_type, detached(new))
            }
            None => change(None, op.particle_type, op.value)?,
        };
        self.set(op, particle_type, value);
        Ok(())
    }

    /// Answers from a list or map, with a null if there is no answer.
    fn read_collection(&mut self, op: &Op<'a>) -> Result<(), ResultCode> {
        if let Some(bin) = self.table.get(op.name) {
            let answer = value::cdt::read(bin.stored(), op.value)?;
            let (particle_type, value) = answer.unwrap_or((ParticleType::NULL, Vec::new()));
            self.reply.op(op.code, particle_type, op.name, &value);
        }
        Ok(())
    }

    /// Modifies a list or map, or creates it.
    fn modify_collection(&mut self, op: &Op<'a>) -> Result<(), ResultCode> {
        let old = self.table.get(op.name).map(Bin::stored);
        let Modified { bin, guide, answer } = value::cdt::modify(old, op.value)?;
        if let Some((particle_type, value)) = bin {
            self.set_guided(op, particle_type, StoredBytes::Owned(value), guide);
        }
        match answer {
            Some((particle_type, value)) => {
                self.reply.op(op.code, particle_type, op.name, &value);
            }
            None if self.respond_all => {
                self.reply.op(op.code, ParticleType::NULL, op.name, &[]);
            }
            None => {}
        }
        Ok(())
    }

    fn set(&mut self, op: &Op<'a>, particle_type: ParticleType, value: StoredBytes<'a>) {
        self.set_guided(op, particle_type, value, Vec::new());
    }

    fn set_guided(
        &mut self,
        op: &Op<'a>,
        particle_type: ParticleType,
        value: StoredBytes<'a>,
        guide: Vec<u8>,
    ) {
        self.table.set(Bin { name: op.name, particle_type, value, guide: guide.into() });
    }
}

/// One of [`value::scalar`]'s functions.
type Change =
    for<'v> fn(value::scalar::Existing<'v>, ParticleType, &'v [u8]) -> value::scalar::Changed<'v>;

/// The value without what it borrows.
fn detached<'a>(value: StoredBytes<'_>) -> StoredBytes<'a> {
    match value {
        StoredBytes::Borrowed(bytes) => StoredBytes::Owned(bytes.to_vec()),
        StoredBytes::Word(bytes) => StoredBytes::Word(bytes),
        StoredBytes::Owned(bytes) => StoredBytes::Owned(bytes),
    }
}

/// Bit, sketch and expression operations come with a later step; everything else that
/// is no known operation is a bad request.
pub(crate) fn unsupported(code: OpCode) -> ResultCode {
    match code {
        OpCode::BITS_READ
        | OpCode::BITS_MODIFY
        | OpCode::HLL_READ
        | OpCode::HLL_MODIFY
        | OpCode::EXPRESSION_READ
        | OpCode::EXPRESSION_MODIFY => ResultCode::UNSUPPORTED_FEATURE,
        _ => ResultCode::PARAMETER,
    }
}

#[cfg(test)]
mod tests;
