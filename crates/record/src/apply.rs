//! The operations of a write request, applied to one record.

use expr::Operation;
use value::StoredBytes;
use value::cdt::answer::Answer;
use wire::reply::ReplyWriter;
use wire::{Op, OpCode, ParticleType, Request, ResultCode};

use crate::bins::{Bin, BinTable};
use crate::body::{BINS_MAX, Body};
use crate::policy::{WritePolicy, is_read_all};
use crate::view::{Scene, WorkView};
use crate::within;

/// Bins of a record after all operations of a request, not yet stored.
#[derive(Debug, Default)]
pub struct NewBins<'a> {
    table: BinTable<'a>,
}

impl NewBins<'_> {
    /// Whether no bin is left: the record is to be deleted, or not to be created.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// Writes the record's new body into `out`, replacing what was there. Returns the size of key
    /// and bins by the original's arithmetic: see [`crate::size`].
    pub fn write_body(&self, key: Option<&[u8]>, out: &mut Vec<u8>) -> usize {
        self.table.write(out, key)
    }
}

/// Applies a request's operations in order to the record's bins (`None`: it is being created) and
/// appends their results to `reply`. Operations see what earlier ones of the same request did; of
/// metadata, expressions see the `scene`. `new` is empty before; it is the caller's because it is too
/// large to be handed around.
///
/// # Errors
/// The first operation that fails decides; the caller drops the new bins and the results.
pub fn apply<'a>(
    request: &Request<'a>,
    policy: &WritePolicy,
    old: Option<Body<'a>>,
    scene: &Scene<'_>,
    new: &mut NewBins<'a>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), ResultCode> {
    let table = &mut new.table;
    if let Some(body) = old.filter(|_| !policy.replace) {
        table.load(body);
    }
    let mut writer = Writer { table, made_bytes: 0, policy, scene, reply };
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
    Ok(())
}

/// Bytes that a request's operations may make of a few: far more than any record can hold, but a
/// request of a megabyte could otherwise ask for all memory there is, a zero-filled blob or an empty
/// sketch in each of its bins.
const MADE_BYTES_MAX: usize = 128 << 20;

struct Writer<'a, 'r, 'o> {
    table: &'r mut BinTable<'a>,
    /// Bytes of the values that operations within values made and that are still there.
    made_bytes: usize,
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
            OpCode::WRITE if op.particle_type == ParticleType::NULL => self.table.remove(op.name),
            OpCode::WRITE => self.write(op)?,
            OpCode::INCREMENT => self.change(op, value::scalar::increment)?,
            OpCode::APPEND => self.change(op, value::scalar::append)?,
            OpCode::PREPEND => self.change(op, value::scalar::prepend)?,
            OpCode::DELETE_ALL => self.table.clear(),
            OpCode::CDT_MODIFY | OpCode::BITS_MODIFY | OpCode::HLL_MODIFY => {
                if let Some((particle_type, value)) = self.modify(op)? {
                    self.reply.op(op.code, particle_type, op.name, &value);
                    return Ok(());
                }
            }
            OpCode::CDT_READ | OpCode::BITS_READ | OpCode::HLL_READ => {
                if let Some(bin) = self.table.get(op.name) {
                    let bin = bin.stored();
                    let nothing = (ParticleType::NULL, StoredBytes::Borrowed(&[]));
                    let (particle_type, value) = within::read(op, bin)?.unwrap_or(nothing);
                    self.reply.op(op.code, particle_type, op.name, &value);
                    return Ok(());
                }
            }
            OpCode::EXPRESSION_READ => return self.read_evaluated(op),
            OpCode::EXPRESSION_MODIFY => self.write_evaluated(op)?,
            _ => return Err(ResultCode::PARAMETER),
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

    /// Applies an operation that works within a value. Returns its answer.
    fn modify(&mut self, op: &Op<'a>) -> Result<Answer, ResultCode> {
        let existing = self.table.get(op.name).map(Bin::stored);
        let modified = within::modify(op, existing)?;
        if let Some((particle_type, value)) = modified.bin {
            self.account_for(op, &value)?;
            self.set_guided(op, particle_type, StoredBytes::Owned(value), modified.guide);
        }
        Ok(modified.answer)
    }

    fn account_for(&mut self, op: &Op<'a>, new: &[u8]) -> Result<(), ResultCode> {
        let replaced_bytes = match self.table.get(op.name) {
            Some(Bin { value: StoredBytes::Owned(old), .. }) => old.len(),
            _ => 0,
        };
        self.made_bytes = self.made_bytes.saturating_sub(replaced_bytes) + new.len();
        if self.made_bytes <= MADE_BYTES_MAX { Ok(()) } else { Err(ResultCode::RECORD_TOO_BIG) }
    }

    /// Replies an expression's value, with a null for nil.
    fn read_evaluated(&mut self, op: &Op<'a>) -> Result<(), ResultCode> {
        let operation = Operation::to_read(op.value)?;
        let view = WorkView { scene: self.scene, bins: self.table, policy: self.policy };
        let nothing = (ParticleType::NULL, StoredBytes::Borrowed(&[]));
        let (particle_type, value) = operation.read(&view)?.unwrap_or(nothing);
        self.reply.op(op.code, particle_type, op.name, &value);
        Ok(())
    }

    /// Writes an expression's value.
    fn write_evaluated(&mut self, op: &Op<'a>) -> Result<(), ResultCode> {
        let operation = Operation::to_modify(op.value)?;
        let view = WorkView { scene: self.scene, bins: self.table, policy: self.policy };
        match operation.modify(&view, op.name)? {
            expr::Change::Keep => {}
            expr::Change::Remove => self.table.remove(op.name),
            expr::Change::Set(particle_type, value) => {
                let value = detached(value);
                self.account_for(op, &value)?;
                self.set(op, particle_type, value);
            }
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
        let guide = Bin::keep_guide(guide);
        self.table.set(Bin { name: op.name, particle_type, value, guide });
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

#[cfg(test)]
mod tests;
