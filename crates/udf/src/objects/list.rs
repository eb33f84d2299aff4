//! `list`.

use std::sync::Arc;

use mlua::{Lua, MetaMethod, MultiValue, UserData, UserDataFields, UserDataMethods};
use mlua::{Table, Value as LuaValue};
use value::msgpack::Flags;

use super::others::Iter;
use super::{Body, meta, object};
use crate::convert;
use crate::shared::{Answer, Args, Shared, from_lua, integer, nothing, one, text};
use crate::value::{ListRef, Value};

impl UserData for ListRef {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "List");
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
        ("insert", insert),
        ("append", append),
        ("prepend", prepend),
        ("remove", remove),
        ("concat", concat),
        ("trim", trim),
        ("take", take),
        ("drop", drop_first),
        ("size", size),
        ("nbytes", nbytes),
        ("iterator", iterator),
        ("tostring", to_string),
        ("clone", clone),
        ("merge", merge),
    ];
    object(lua, shared, "list", BODIES, Some(construct))
}

fn new_list(args: &Args<'_>) -> mlua::Result<ListRef> {
    args.settle(|| ListRef::new(&args.shared.budget, Flags::NONE))
}

/// Zero-based, from an index as scripts count; `None` below the first.
fn position(args: &Args<'_>, number: usize) -> mlua::Result<Option<usize>> {
    let index = args.integer(number, 0)?;
    Ok(usize::try_from(index).ok().and_then(|index| index.checked_sub(1)))
}

fn construct(args: &Args<'_>) -> Answer {
    let list = new_list(args)?;
    if let (2, LuaValue::Table(table)) = (args.len(), args.get(2)) {
        fill_from(args, &list, table)?;
    }
    args.answer(Some(Value::List(list)))
}

/// Takes the values of all keys that are numbers, in the table's own order.
fn fill_from(args: &Args<'_>, list: &ListRef, table: &Table) -> mlua::Result<()> {
    for pair in table.pairs::<LuaValue, LuaValue>() {
        let (key, value) = pair?;
        if !matches!(key, LuaValue::Integer(_) | LuaValue::Number(_)) {
            continue;
        }
        if let Some(value) = from_lua(&value) {
            args.settle(|| list.push(value.clone()))?;
        }
    }
    Ok(())
}

fn create(args: &Args<'_>) -> Answer {
    const DEFAULT_STEP: i64 = 10;
    if !(1..=2).contains(&args.len())
        || args.integer(1, -1)? < 0
        || args.integer(2, DEFAULT_STEP)? < 0
    {
        return nothing();
    }
    args.answer(Some(Value::List(new_list(args)?)))
}

fn index(args: &Args<'_>) -> Answer {
    let list = args.list(1)?;
    let value = position(args, 2)?.and_then(|position| list.get(position));
    args.answer(value)
}

fn new_index(args: &Args<'_>) -> Answer {
    let list = args.list(1)?;
    if let (Some(position), Some(value)) = (position(args, 2)?, args.value(3)) {
        args.settle(|| list.set(position, value.clone()))?;
    }
    nothing()
}

fn insert(args: &Args<'_>) -> Answer {
    let list = args.list(1)?;
    if let (Some(position), Some(value)) = (position(args, 2)?, args.value(3)) {
        args.settle(|| list.insert(position, value.clone()))?;
    }
    nothing()
}

fn append(args: &Args<'_>) -> Answer {
    let list = args.list(1)?;
    if let Some(value) = args.value(2) {
        args.settle(|| list.push(value.clone()))?;
    }
    nothing()
}

fn prepend(args: &Args<'_>) -> Answer {
    let list = args.list(1)?;
    if let Some(value) = args.value(2) {
        args.settle(|| list.insert(0, value.clone()))?;
    }
    nothing()
}

fn remove(args: &Args<'_>) -> Answer {
    let list = args.list(1)?;
    if let Some(position) = position(args, 2)? {
        list.remove(position);
    }
    nothing()
}

fn concat(args: &Args<'_>) -> Answer {
    let (list, other) = (args.list(1)?, args.list(2)?);
    args.settle(|| list.extend(other.items()))?;
    nothing()
}

fn trim(args: &Args<'_>) -> Answer {
    let list = args.list(1)?;
    if let Some(position) = position(args, 2)? {
        list.truncate(position);
    }
    nothing()
}

fn take(args: &Args<'_>) -> Answer {
    part(args, |items, count| items.truncate(count))
}

fn drop_first(args: &Args<'_>) -> Answer {
    part(args, |items, count| {
        items.drain(..count.min(items.len()));
    })
}

fn part(args: &Args<'_>, cut: fn(&mut Vec<Value>, usize)) -> Answer {
    let list = args.list(1)?;
    let count = usize::try_from(args.integer(2, 0)?).unwrap_or(0);
    if count == 0 {
        return one(LuaValue::Nil);
    }
    let mut items = list.items();
    cut(&mut items, count);
    let part = new_list(args)?;
    args.settle(|| {
        part.truncate(0);
        part.extend(items.clone())
    })?;
    args.answer(Some(Value::List(part)))
}

fn size(args: &Args<'_>) -> Answer {
    integer(args.list(1)?.len())
}

fn nbytes(args: &Args<'_>) -> Answer {
    let value = Value::List(args.list(1)?);
    let packed = args.settle(|| convert::to_msgpack(&value, &args.shared.budget))?;
    integer(packed.len())
}

fn to_string(args: &Args<'_>) -> Answer {
    text(args, &Value::List(args.list(1)?))
}

fn iterator(args: &Args<'_>) -> Answer {
    Iter::over_list(args, args.list(1)?)
}

/// A new list of the items before the first nil, where iterating ends.
fn clone(args: &Args<'_>) -> Answer {
    let list = new_list(args)?;
    copy_until_nil(args, &args.list(1)?, &list)?;
    args.answer(Some(Value::List(list)))
}

fn merge(args: &Args<'_>) -> Answer {
    let list = new_list(args)?;
    copy_until_nil(args, &args.list(1)?, &list)?;
    copy_until_nil(args, &args.list(2)?, &list)?;
    args.answer(Some(Value::List(list)))
}

fn copy_until_nil(args: &Args<'_>, from: &ListRef, to: &ListRef) -> mlua::Result<()> {
    let items = from.items().into_iter();
    // Scripts see nil for extension values too.
    for item in items.take_while(|item| !matches!(item, Value::Nil | Value::Ext(_))) {
        args.settle(|| to.push(item.clone()))?;
    }
    Ok(())
}
