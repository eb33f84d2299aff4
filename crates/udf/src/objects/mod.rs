//! The objects that scripts work with (`reference`: udf-lua.md, section 4).
//!
//! What needs to call back into a script (`map.merge`, the operations of streams) is written in Lua,
//! in `prelude.lua`: an error in the callback then passes through as it is.

pub(crate) mod bytes;
pub(crate) mod list;
pub(crate) mod map;
pub(crate) mod others;
pub(crate) mod record;

use std::sync::Arc;

use mlua::{Function, Lua, MultiValue, Table};

use crate::shared::{Answer, Args, Shared};

/// The body of a function that scripts call.
pub(crate) type Body = fn(&Args<'_>) -> Answer;

/// Makes a function.
pub(crate) fn function(lua: &Lua, shared: &Arc<Shared>, body: Body) -> mlua::Result<Function> {
    let shared = shared.clone();
    lua.create_function(move |lua, values: MultiValue| body(&Args { lua, shared: &shared, values }))
}

/// Fills a table with functions.
pub(crate) fn fill(
    lua: &Lua,
    shared: &Arc<Shared>,
    table: &Table,
    bodies: &[(&str, Body)],
) -> mlua::Result<()> {
    for (name, body) in bodies {
        table.raw_set(*name, function(lua, shared, *body)?)?;
    }
    Ok(())
}

/// A global table of functions that can be called itself, with the table as first argument.
pub(crate) fn object(
    lua: &Lua,
    shared: &Arc<Shared>,
    name: &str,
    bodies: &[(&str, Body)],
    call: Option<Body>,
) -> mlua::Result<()> {
    let table = lua.create_table()?;
    fill(lua, shared, &table, bodies)?;
    if let Some(call) = call {
        let meta = lua.create_table()?;
        meta.raw_set("__call", function(lua, shared, call)?)?;
        meta.raw_set("__metatable", table.clone())?;
        table.set_metatable(Some(meta))?;
    }
    lua.globals().raw_set(name, table)
}

/// What the methods of a class need, kept with the state.
pub(crate) struct Context(pub Arc<Shared>);

/// Calls a body from a metamethod.
pub(crate) fn meta(lua: &Lua, values: MultiValue, body: Body) -> Answer {
    let shared = match lua.app_data_ref::<Context>() {
        Some(context) => context.0.clone(),
        None => return Err(mlua::Error::runtime("no state")),
    };
    body(&Args { lua, shared: &shared, values })
}

/// Registers everything.
pub(crate) fn register(lua: &Lua, shared: &Arc<Shared>) -> mlua::Result<()> {
    lua.set_app_data(Context(shared.clone()));
    list::register(lua, shared)?;
    map::register(lua, shared)?;
    bytes::register(lua, shared)?;
    record::register(lua, shared)?;
    others::register(lua, shared)
}
