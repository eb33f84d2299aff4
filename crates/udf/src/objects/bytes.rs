//! `bytes`.
//!
//! A wrong number of arguments or one out of range is no error: getters return nothing, setters
//! false. Variable-length integers are written without becoming content, and read from wherever
//! something was written: so it is in the original.

use std::sync::Arc;

use mlua::Value as LuaValue;
use mlua::{Lua, MetaMethod, MultiValue, UserData, UserDataFields, UserDataMethods};

use super::{Body, meta, object};
use crate::shared::{Answer, Args, Shared, boolean, integer, nothing, one, text};
use crate::value::{BytesRef, Value};

impl UserData for BytesRef {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "Bytes");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_function(MetaMethod::Index, |l, v: MultiValue| meta(l, v, get_byte));
        methods.add_meta_function(MetaMethod::NewIndex, |l, v: MultiValue| meta(l, v, set_byte));
        // The length operator passes its operand twice.
        methods.add_meta_function(MetaMethod::Len, |l, v: MultiValue| meta(l, v, length));
        methods.add_meta_function(MetaMethod::ToString, |l, v: MultiValue| meta(l, v, to_string));
    }
}

pub(super) fn register(lua: &Lua, shared: &Arc<Shared>) -> mlua::Result<()> {
    const BODIES: &[(&str, Body)] = &[
        ("size", size),
        ("set_size", set_size),
        ("get_type", get_type),
        ("set_type", set_type),
        ("get_string", get_string),
        ("get_bytes", get_bytes),
        ("get_byte", get_byte),
        ("get_int16", |args| get_int::<2>(args, true)),
        ("get_int16_be", |args| get_int::<2>(args, true)),
        ("get_int16_le", |args| get_int::<2>(args, false)),
        ("get_int32", |args| get_int::<4>(args, true)),
        ("get_int32_be", |args| get_int::<4>(args, true)),
        ("get_int32_le", |args| get_int::<4>(args, false)),
        ("get_int64", |args| get_int::<8>(args, true)),
        ("get_int64_be", |args| get_int::<8>(args, true)),
        ("get_int64_le", |args| get_int::<8>(args, false)),
        ("get_var_int", get_var_int),
        ("set_string", set_string),
        ("set_bytes", set_bytes),
        ("set_byte", set_byte),
        ("set_int16", |args| set_int::<2>(args, true)),
        ("set_int16_be", |args| set_int::<2>(args, true)),
        ("set_int16_le", |args| set_int::<2>(args, false)),
        ("set_int32", |args| set_int::<4>(args, true)),
        ("set_int32_be", |args| set_int::<4>(args, true)),
        ("set_int32_le", |args| set_int::<4>(args, false)),
        ("set_int64", |args| set_int::<8>(args, true)),
        ("set_int64_be", |args| set_int::<8>(args, true)),
        ("set_int64_le", |args| set_int::<8>(args, false)),
        ("set_var_int", set_var_int),
        ("append_string", append_string),
        ("append_bytes", append_bytes),
        ("append_byte", append_byte),
        ("append_int16", |args| append_int::<2>(args, true)),
        ("append_int16_be", |args| append_int::<2>(args, true)),
        ("append_int16_le", |args| append_int::<2>(args, false)),
        ("append_int32", |args| append_int::<4>(args, true)),
        ("append_int32_be", |args| append_int::<4>(args, true)),
        ("append_int32_le", |args| append_int::<4>(args, false)),
        ("append_int64", |args| append_int::<8>(args, true)),
        ("append_int64_be", |args| append_int::<8>(args, true)),
        ("append_int64_le", |args| append_int::<8>(args, false)),
        ("append_var_int", append_var_int),
        ("tostring", to_string),
    ];
    object(lua, shared, "bytes", BODIES, Some(construct))
}

fn construct(args: &Args<'_>) -> Answer {
    if !(1..=2).contains(&args.len()) {
        return nothing();
    }
    // The capacity means nothing, but must be a number.
    args.integer(2, 0)?;
    let bytes = args.settle(|| BytesRef::empty(&args.shared.budget))?;
    args.answer(Some(Value::Bytes(bytes)))
}

/// Zero-based, from a position as scripts count; `None` outside 32 bits.
fn position(args: &Args<'_>, number: usize) -> mlua::Result<Option<usize>> {
    let index = args.integer(number, 0)?;
    let is_valid = (1..=i64::from(u32::MAX)).contains(&index);
    Ok(is_valid.then(|| usize::try_from(index - 1).unwrap_or(usize::MAX)))
}

/// A count in 32 bits.
fn count(args: &Args<'_>, number: usize) -> mlua::Result<Option<usize>> {
    let count = args.integer(number, 0)?;
    Ok(u32::try_from(count).ok().map(|count| count as usize))
}

fn write(args: &Args<'_>, bytes: &BytesRef, position: usize, new: &[u8]) -> Answer {
    args.settle(|| bytes.write(position, new, true))?;
    boolean(true)
}

fn length(args: &Args<'_>) -> Answer {
    integer(args.bytes(1)?.len())
}

fn size(args: &Args<'_>) -> Answer {
    if args.len() != 1 {
        return integer(0);
    }
    length(args)
}

/// Sees to capacity, which nobody can tell from none.
fn set_size(args: &Args<'_>) -> Answer {
    if args.len() != 2 {
        return boolean(false);
    }
    args.bytes(1)?;
    boolean(count(args, 2)?.is_some())
}

fn get_type(args: &Args<'_>) -> Answer {
    if args.len() < 1 {
        return nothing();
    }
    integer(usize::from(args.bytes(1)?.kind()))
}

fn set_type(args: &Args<'_>) -> Answer {
    if args.len() != 2 {
        return boolean(false);
    }
    let (bytes, kind) = (args.bytes(1)?, args.integer(2, 0)?);
    if kind == 0 {
        return boolean(false);
    }
    bytes.set_kind(kind.to_le_bytes()[0]);
    boolean(true)
}

fn to_string(args: &Args<'_>) -> Answer {
    text(args, &Value::Bytes(args.bytes(1)?))
}

fn get_byte(args: &Args<'_>) -> Answer {
    if args.len() != 2 {
        return nothing();
    }
    let (bytes, position) = (args.bytes(1)?, position(args, 2)?);
    let byte = position.and_then(|at| bytes.read(|data, _| data.get(at).copied()));
    byte.map_or_else(nothing, |byte| integer(usize::from(byte)))
}

fn get_int<const N: usize>(args: &Args<'_>, is_big_endian: bool) -> Answer {
    if args.len() != 2 {
        return nothing();
    }
    let (bytes, position) = (args.bytes(1)?, position(args, 2)?);
    let raw =
        position.and_then(|at| bytes.read(|data, _| data.get(at..)?.first_chunk::<N>().copied()));
    let Some(mut raw) = raw else { return nothing() };
    if !is_big_endian {
        raw.reverse();
    }
    let unsigned = raw.iter().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    let unused_bits = 64 - 8 * N as u32;
    one(LuaValue::Integer((unsigned << unused_bits).cast_signed() >> unused_bits))
}

fn get_var_int(args: &Args<'_>) -> Answer {
    if args.len() != 2 {
        return nothing();
    }
    let (bytes, position) = (args.bytes(1)?, position(args, 2)?);
    let Some(position) = position else { return nothing() };
    let (value, size) = bytes.read_beyond(position, read_var_int);
    Ok(MultiValue::from_iter([LuaValue::Integer(value.into()), LuaValue::Integer(size)]))
}

fn read_var_int(data: &[u8]) -> (u32, i64) {
    const SIZE_MAX: usize = 5;
    let mut value = 0_u32;
    for (index, &byte) in data.iter().take(SIZE_MAX).enumerate() {
        value |= u32::from(byte & 0x7f).wrapping_shl(7 * index as u32);
        if byte & 0x80 == 0 {
            return (value, index as i64 + 1);
        }
    }
    (0, 0)
}

fn var_int(mut value: u32) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
    out
}

fn get_part(args: &Args<'_>) -> mlua::Result<Option<Vec<u8>>> {
    if args.len() != 3 {
        return Ok(None);
    }
    let bytes = args.bytes(1)?;
    let (Some(position), Some(count)) = (position(args, 2)?, count(args, 3)?) else {
        return Ok(None);
    };
    // Only what is there: the original reads on into other memory.
    Ok(Some(bytes.read(|data, _| {
        let from = data.get(position..).unwrap_or_default();
        from[..count.min(from.len())].to_vec()
    })))
}

fn get_string(args: &Args<'_>) -> Answer {
    match get_part(args)? {
        Some(part) => one(LuaValue::String(args.lua.create_string(part)?)),
        None => nothing(),
    }
}

fn get_bytes(args: &Args<'_>) -> Answer {
    let Some(part) = get_part(args)? else { return nothing() };
    let budget = &args.shared.budget;
    let blob = wire::ParticleType::BLOB.0;
    let bytes = args.settle(|| BytesRef::new(budget, part.clone(), blob))?;
    args.answer(Some(Value::Bytes(bytes)))
}

fn set_byte(args: &Args<'_>) -> Answer {
    if args.len() != 3 {
        return boolean(false);
    }
    let (bytes, position) = (args.bytes(1)?, position(args, 2)?);
    let (Some(position), Ok(byte)) = (position, u8::try_from(args.integer(3, 0)?)) else {
        return boolean(false);
    };
    write(args, &bytes, position, &[byte])
}

/// The low bytes of an integer that fits into them.
fn encode<const N: usize>(value: i64, is_big_endian: bool) -> Option<[u8; N]> {
    let unused_bits = 64 - 8 * N as u32;
    if (value << unused_bits) >> unused_bits != value {
        return None;
    }
    let mut raw = *value.to_be_bytes().last_chunk::<N>()?;
    if !is_big_endian {
        raw.reverse();
    }
    Some(raw)
}

fn set_int<const N: usize>(args: &Args<'_>, is_big_endian: bool) -> Answer {
    if args.len() != 3 {
        return boolean(false);
    }
    let (bytes, position) = (args.bytes(1)?, position(args, 2)?);
    let (Some(position), Some(raw)) = (position, encode::<N>(args.integer(3, 0)?, is_big_endian))
    else {
        return boolean(false);
    };
    write(args, &bytes, position, &raw)
}

fn append_int<const N: usize>(args: &Args<'_>, is_big_endian: bool) -> Answer {
    if args.len() != 2 {
        return boolean(false);
    }
    let bytes = args.bytes(1)?;
    match encode::<N>(args.integer(2, 0)?, is_big_endian) {
        Some(raw) => write(args, &bytes, bytes.len(), &raw),
        None => boolean(false),
    }
}

fn append_byte(args: &Args<'_>) -> Answer {
    if args.len() != 2 {
        return boolean(false);
    }
    let bytes = args.bytes(1)?;
    match u8::try_from(args.integer(2, 0)?) {
        Ok(byte) => write(args, &bytes, bytes.len(), &[byte]),
        Err(_) => boolean(false),
    }
}

fn put_var_int(args: &Args<'_>, bytes: &BytesRef, at: Option<usize>, value: i64) -> Answer {
    let (Some(at), Ok(value)) = (at, i32::try_from(value)) else { return integer(0) };
    let raw = var_int(value.cast_unsigned());
    args.settle(|| bytes.write(at, &raw, false))?;
    integer(raw.len())
}

fn set_var_int(args: &Args<'_>) -> Answer {
    if args.len() != 3 {
        return integer(0);
    }
    put_var_int(args, &args.bytes(1)?, position(args, 2)?, args.integer(3, 0)?)
}

fn append_var_int(args: &Args<'_>) -> Answer {
    if args.len() != 2 {
        return integer(0);
    }
    let bytes = args.bytes(1)?;
    put_var_int(args, &bytes, Some(bytes.len()), args.integer(2, 0)?)
}

fn set_string(args: &Args<'_>) -> Answer {
    if args.len() != 3 {
        return boolean(false);
    }
    let (bytes, position) = (args.bytes(1)?, position(args, 2)?);
    if args.get(3).is_nil() {
        return boolean(false);
    }
    let new = args.string(3)?;
    match position {
        Some(position) => write(args, &bytes, position, &new.as_bytes()),
        None => boolean(false),
    }
}

fn append_string(args: &Args<'_>) -> Answer {
    if args.len() != 2 {
        return boolean(false);
    }
    let bytes = args.bytes(1)?;
    if args.get(2).is_nil() {
        return boolean(false);
    }
    let new = args.string(2)?;
    if new.as_bytes().is_empty() {
        return boolean(false);
    }
    write(args, &bytes, bytes.len(), &new.as_bytes())
}

/// The first `count` bytes of an argument.
fn start_of(args: &Args<'_>, number: usize, count: usize) -> mlua::Result<Vec<u8>> {
    let source = args.bytes(number)?;
    Ok(source.read(|data, _| data[..count.min(data.len())].to_vec()))
}

fn set_bytes(args: &Args<'_>) -> Answer {
    if args.len() != 4 {
        return boolean(false);
    }
    let (bytes, position) = (args.bytes(1)?, position(args, 2)?);
    args.bytes(3)?;
    let (Some(position), Some(count)) = (position, count(args, 4)?) else {
        return boolean(false);
    };
    write(args, &bytes, position, &start_of(args, 3, count)?)
}

fn append_bytes(args: &Args<'_>) -> Answer {
    if args.len() != 3 {
        return boolean(false);
    }
    let bytes = args.bytes(1)?;
    args.bytes(2)?;
    match count(args, 3)? {
        Some(count) => write(args, &bytes, bytes.len(), &start_of(args, 2, count)?),
        None => boolean(false),
    }
}
