//! `record` and `aerospike`.

use std::sync::Arc;

use mlua::Value as LuaValue;
use mlua::{Lua, MetaMethod, MultiValue, UserData, UserDataFields, UserDataMethods};
use wire::ParticleType;

use super::{Body, meta, object};
use crate::record::{RecordInfo, RecordRef, Session};
use crate::shared::{Answer, Args, Shared, boolean, integer, nothing, one, until_nul};
use crate::value::{BytesRef, Value};

/// A record as scripts hold it.
#[derive(Clone)]
pub(crate) struct RecordObject(pub RecordRef);

impl UserData for RecordObject {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "Record");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_function(MetaMethod::Index, |l, v: MultiValue| meta(l, v, get_bin));
        methods.add_meta_function(MetaMethod::NewIndex, |l, v: MultiValue| meta(l, v, set_bin));
    }
}

/// What `aerospike:` stands for.
#[derive(Clone)]
pub(crate) struct Aerospike;

impl UserData for Aerospike {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "Aerospike");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_function("create", |l, v: MultiValue| meta(l, v, create));
        methods.add_function("update", |l, v: MultiValue| meta(l, v, update));
        methods.add_function("exists", |l, v: MultiValue| meta(l, v, exists));
        methods.add_function("remove", |l, v: MultiValue| meta(l, v, remove));
        methods.add_function("log", |l, v: MultiValue| meta(l, v, log));
        methods.add_function("get_current_time", |l, v: MultiValue| meta(l, v, current_time));
        methods.add_function("set_context", |l, v: MultiValue| meta(l, v, inert));
        methods.add_function("get_config", |l, v: MultiValue| meta(l, v, inert));
    }
}

pub(super) fn register(lua: &Lua, shared: &Arc<Shared>) -> mlua::Result<()> {
    const BODIES: &[(&str, Body)] = &[
        ("ttl", |args| number(args, |info| u64::from(info.ttl_seconds))),
        ("last_update_time", |args| number(args, |info| info.last_update_time_ms)),
        ("gen", |args| number(args, |info| u64::from(info.generation))),
        ("size", |args| number(args, |info| info.size_bytes)),
        ("memory_size", |args| number(args, |info| info.memory_size_bytes)),
        ("device_size", |args| number(args, |info| info.device_size_bytes)),
        ("key", key),
        ("setname", set_name),
        ("digest", digest),
        ("numbins", bin_count),
        ("set_ttl", set_ttl),
        ("drop_key", drop_key),
        ("bin_names", bin_names),
    ];
    object(lua, shared, "record", BODIES, None)?;
    lua.globals().raw_set("aerospike", Aerospike)
}

/// Works with a record; `T::default()` when its call is over.
fn with<T: Default>(
    args: &Args<'_>,
    number: usize,
    work: impl FnOnce(&mut Session) -> T,
) -> mlua::Result<T> {
    Ok(args.record(number)?.0.with(work).unwrap_or_default())
}

fn number(args: &Args<'_>, get: fn(&RecordInfo) -> u64) -> Answer {
    let value = with(args, 1, |session| get(&session.info()))?;
    one(LuaValue::Integer(value.cast_signed()))
}

fn get_bin(args: &Args<'_>) -> Answer {
    let record = args.record(1)?;
    let Some(name) = args.optional_c_string(2)? else { return one(LuaValue::Nil) };
    let value = args.settle(|| {
        let budget = &args.shared.budget;
        record.0.with(|session| session.get(&name, budget)).unwrap_or(Ok(Value::Nil))
    })?;
    args.answer(Some(value))
}

fn set_bin(args: &Args<'_>) -> Answer {
    let record = args.record(1)?;
    let Some(name) = args.optional_c_string(2)? else { return nothing() };
    let value = match args.value(3) {
        Some(value) => value,
        // Accepted here, and without a particle when it is to be stored.
        None if args.record(3).is_ok() => Value::Ext(Arc::from([])),
        None => {
            let name = String::from_utf8_lossy(&name);
            return Err(args.error(format_args!("can't set bin {name} to unsupported type")));
        }
    };
    record.0.with(|session| session.set(&name, value));
    nothing()
}

fn key(args: &Args<'_>) -> Answer {
    let record = args.record(1)?;
    let budget = &args.shared.budget;
    let key =
        args.settle(|| record.0.with(|session| session.key(budget)).unwrap_or(Ok(Value::Nil)))?;
    args.answer(Some(key))
}

fn set_name(args: &Args<'_>) -> Answer {
    match with(args, 1, |session| session.set_name())? {
        Some(name) => one(LuaValue::String(args.lua.create_string(name)?)),
        None => one(LuaValue::Nil),
    }
}

fn digest(args: &Args<'_>) -> Answer {
    let digest = with(args, 1, |session| session.digest())?;
    let budget = &args.shared.budget;
    let blob = ParticleType::BLOB.0;
    let bytes = args.settle(|| BytesRef::new(budget, digest.to_vec(), blob))?;
    args.answer(Some(Value::Bytes(bytes)))
}

fn bin_count(args: &Args<'_>) -> Answer {
    integer(with(args, 1, |session| session.bin_count())?)
}

fn bin_names(args: &Args<'_>) -> Answer {
    let Some(names) = with(args, 1, |session| session.bin_names())? else {
        return Err(args.error("can't get bin names"));
    };
    let table = args.lua.create_table_with_capacity(names.len(), 0)?;
    for (index, name) in names.iter().enumerate() {
        table.raw_set(index + 1, args.lua.create_string(until_nul(name))?)?;
    }
    one(LuaValue::Table(table))
}

fn set_ttl(args: &Args<'_>) -> Answer {
    let ttl = args.integer(2, 0)?;
    // Whatever does not fit wraps around, so that -1 is what never expires on the wire.
    let [_, _, _, _, low @ ..] = ttl.to_be_bytes();
    with(args, 1, |session| session.set_ttl(u32::from_be_bytes(low)))?;
    nothing()
}

fn drop_key(args: &Args<'_>) -> Answer {
    with(args, 1, Session::drop_key)?;
    nothing()
}

/// Whether the function was called on `aerospike`.
fn check_self(args: &Args<'_>) -> mlua::Result<()> {
    args.object::<Aerospike>(1, "Aerospike").map(drop)
}

fn change(args: &Args<'_>, work: impl FnOnce(&mut Session) -> i64) -> Answer {
    const FAILED: i64 = -1;
    check_self(args)?;
    let record = args.object::<RecordObject>(2, "Record")?;
    one(LuaValue::Integer(record.0.with(work).unwrap_or(FAILED)))
}

fn create(args: &Args<'_>) -> Answer {
    change(args, |session| session.create(&args.shared.budget))
}

fn update(args: &Args<'_>) -> Answer {
    change(args, |session| session.update(&args.shared.budget))
}

fn remove(args: &Args<'_>) -> Answer {
    change(args, Session::remove)
}

fn exists(args: &Args<'_>) -> Answer {
    check_self(args)?;
    boolean(with(args, 2, |session| session.exists())?)
}

pub(crate) fn log(args: &Args<'_>) -> Answer {
    check_self(args)?;
    let level = args.integer(2, 0)?;
    let text = args.optional_c_string(3)?.unwrap_or_default();
    // The helpers `info` and so on are one level further up, where the original always looks.
    let position = [2, 1].into_iter().find_map(|level| {
        args.lua.inspect_stack(level, |frame| {
            let line = frame.current_line()?;
            let source = frame.source().source?;
            Some((source.trim_start_matches(['@', '=']).to_owned(), line))
        })?
    });
    let (file, line) = position.unwrap_or_default();
    args.shared.log(level, &file, line, &text);
    nothing()
}

fn current_time(args: &Args<'_>) -> Answer {
    check_self(args)?;
    one(LuaValue::Integer(args.shared.now_ms().cast_signed()))
}

/// Without a function in this version.
fn inert(_: &Args<'_>) -> Answer {
    const FAILED: i64 = -1;
    one(LuaValue::Integer(FAILED))
}
