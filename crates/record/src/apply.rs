//! The operations of a write request, applied to one record.

use expr::{Change as BinChange, Operation};
use value::StoredBytes;
use wire::reply::ReplyWriter;
use wire::{Op, OpCode, ParticleType, Request, ResultCode};

use crate::bins::{Bin, BinTable};
use crate::body::{BINS_MAX, Body};
use crate::policy::{WritePolicy, is_read_all};
use crate::view::{Scene, WorkView};

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
/// appends their results to `reply`. Operations see what earlier ones of the same request did; of
/// metadata, those that evaluate expressions see the `scene`.
///
/// # Errors
/// The first operation that fails decides; the caller drops the new bins and the results.
pub fn apply<'a>(
    request: &Request<'a>,
    policy: &WritePolicy,
    old: Option<Body<'a>>,
    scene: &Scene<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<NewBins<'a>, ResultCode> {
    let table = match old {
        Some(body) if !policy.replace => BinTable::of(body),
        _ => BinTable::default(),
    };
    let mut writer = Writer { table, policy, scene, reply };
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
    policy: &'r WritePolicy,
    scene: &'r Scene<'r>,
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
            OpCode::EXPRESSION_READ => return self.evaluate(op),
            OpCode::WRITE if op.particle_type == ParticleType::NULL => self.table.remove(op.name),
            OpCode::WRITE => self.write(op)?,
            OpCode::INCREMENT => self.change(op, value::scalar::increment)?,
            OpCode::APPEND => self.change(op, value::scalar::append)?,
            OpCode::PREPEND => self.change(op, value::scalar::prepend)?,
            OpCode::DELETE_ALL => self.table.clear(),
            OpCode::EXPRESSION_MODIFY => self.write_evaluated(op)?,
            OpCode::CDT_READ | OpCode::BITS_READ | OpCode::HLL_READ
                if self.table.get(op.name).is_none() => {}
            _ => return Err(unsupported(op.code)),
        }
        if self.policy.respond_all {
            self.reply.op(op.code, ParticleType::NULL, op.name, &[]);
        }
        Ok(())
    }

    fn read(&mut self, op: &Op<'a>) {
        match self.table.get(op.name) {
            Some(bin) => self.reply.op(op.code, bin.particle_type, bin.name, &bin.value),
            None if self.policy.respond_all => {
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
        self.set(op, op.particle_type, value);
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

    /// Replies an expression's value.
    fn evaluate(&mut self, op: &Op<'a>) -> Result<(), ResultCode> {
        let operation = Operation::to_read(op.value)?;
        let view = view(&self.table, self.scene, self.policy);
        match operation.read(&view)? {
            Some((particle_type, value)) => {
                self.reply.op(op.code, particle_type, op.name, &value);
            }
            None => self.reply.op(op.code, ParticleType::NULL, op.name, &[]),
        }
        Ok(())
    }

    /// Writes an expression's value.
    fn write_evaluated(&mut self, op: &Op<'a>) -> Result<(), ResultCode> {
        let operation = Operation::to_modify(op.value)?;
        let view = view(&self.table, self.scene, self.policy);
        match operation.modify(&view, op.name)? {
            BinChange::Keep => {}
            BinChange::Remove => self.table.remove(op.name),
            BinChange::Set(particle_type, value) => {
                let value = detached(value);
                self.set(op, particle_type, value);
            }
        }
        Ok(())
    }

    fn set(&mut self, op: &Op<'a>, particle_type: ParticleType, value: StoredBytes<'a>) {
        self.table.set(Bin { name: op.name, particle_type, value });
    }
}

/// What an expression sees of the record between two operations.
fn view<'v, 'a>(
    bins: &'v BinTable<'a>,
    scene: &'v Scene<'v>,
    policy: &WritePolicy,
) -> WorkView<'v, 'a> {
    WorkView { scene, bins, replaces: policy.replace }
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

/// Collection, bit and sketch operations come with a later step; everything else that
/// is no known operation is a bad request.
pub(crate) fn unsupported(code: OpCode) -> ResultCode {
    match code {
        OpCode::CDT_READ
        | OpCode::CDT_MODIFY
        | OpCode::BITS_READ
        | OpCode::BITS_MODIFY
        | OpCode::HLL_READ
        | OpCode::HLL_MODIFY => ResultCode::UNSUPPORTED_FEATURE,
        _ => ResultCode::PARAMETER,
    }
}

#[cfg(test)]
mod tests;
