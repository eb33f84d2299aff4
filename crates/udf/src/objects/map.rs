//! `map`, but for what calls back: see `prelude.lua`.

use std::sync::Arc;

use mlua::{Lua, MetaMethod, MultiValue, UserData, UserDataFields, UserDataMethods};
use mlua::{Table, Value as LuaValue};
use value::msgpack::Flags;

use super::others::Iter;
use super::{Body, meta, object};
use crate::convert;
use crate::shared::{Answer, Args, Shared, from_lua, integer, nothing, text};
use crate::value::{Key, MapRef, Value};

impl UserData for MapRef {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "Map");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_function(MetaMethod::Index, |l, v: MultiValue| meta(l, v, index));
        methods.add_meta_function(MetaMethod::NewIndex, |l, v: MultiValue| meta(l, v, new_index));
        methods.add_meta_function(MetaMethod::Len, |l, v: MultiValue| meta(l, v, size));
        methods.add_meta_function(MetaMethod::ToString, |l, v: MultiValue| meta(l, v, to_string));
    }
}

pub(super) fn register(lua: &Lua, shared: &Arc<Shared>) -> mlua::Result<()> {
    const BODIES: &[(&str, Body)] = &[
        ("new", create),
        ("create", create),
        ("iterator", |args| Iter::over_map(args, args.map(1)?, Iter::pair)),
        ("pairs", |args| Iter::over_map(args, args.map(1)?, Iter::pair)),
        ("keys", |args| Iter::over_map(args, args.map(1)?, Iter::key)),
        ("values", |args| Iter::over_map(args, args.map(1)?, Iter::value)),
        ("remove", remove),
        ("size", size),
        ("nbytes", nbytes),
        ("tostring", to_string),
    ];
    object(lua, shared, "map", BODIES, Some(construct))
}

fn new_map(args: &Args<'_>) -> mlua::Result<MapRef> {
    args.settle(|| MapRef::new(&args.shared.budget, Flags::NONE))
}

fn key(args: &Args<'_>, number: usize) -> Option<Key> {
    args.value(number).as_ref().and_then(Key::of)
}

fn construct(args: &Args<'_>) -> Answer {
    // The capacity means nothing, but must be a number.
    args.integer(3, 0)?;
    let map = new_map(args)?;
    if let (2 | 3, LuaValue::Table(table)) = (args.len(), args.get(2)) {
        fill_from(args, &map, table)?;
    }
    args.answer(Some(Value::Map(map)))
}

fn fill_from(args: &Args<'_>, map: &MapRef, table: &Table) -> mlua::Result<()> {
    for pair in table.pairs::<LuaValue, LuaValue>() {
        let (key, value) = pair?;
        let key = from_lua(&key).as_ref().and_then(Key::of);
        if let (Some(key), Some(value)) = (key, from_lua(&value)) {
            args.settle(|| map.set(key.clone(), value.clone()))?;
        }
    }
    Ok(())
}

fn create(args: &Args<'_>) -> Answer {
    if args.len() != 1 || args.integer(1, 0)? < 1 {
        return nothing();
    }
    args.answer(Some(Value::Map(new_map(args)?)))
}

fn index(args: &Args<'_>) -> Answer {
    let map = args.map(1)?;
    args.answer(key(args, 2).and_then(|key| map.get(&key)))
}

fn new_index(args: &Args<'_>) -> Answer {
    let map = args.map(1)?;
    let Some(key) = key(args, 2) else { return nothing() };
    match args.value(3) {
        Some(value) => args.settle(|| map.set(key.clone(), value.clone()))?,
        None if is_record(args.get(3)) => {}
        None => map.remove(&key),
    }
    nothing()
}

fn is_record(value: &LuaValue) -> bool {
    matches!(value, LuaValue::UserData(data) if data.is::<super::record::RecordObject>())
}

fn remove(args: &Args<'_>) -> Answer {
    let map = args.map(1)?;
    if let Some(key) = key(args, 2) {
        map.remove(&key);
    }
    nothing()
}

fn size(args: &Args<'_>) -> Answer {
    integer(args.map(1)?.len())
}

fn nbytes(args: &Args<'_>) -> Answer {
    let value = Value::Map(args.map(1)?);
    let packed = args.settle(|| convert::to_msgpack(&value, &args.shared.budget))?;
    integer(packed.len())
}

fn to_string(args: &Args<'_>) -> Answer {
    text(args, &Value::Map(args.map(1)?))
}
