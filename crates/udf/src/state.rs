//! One Lua state: what it may do, how long, and with how much memory.

use std::sync::Arc;

use mlua::{Function, Lua, LuaOptions, MultiValue, StdLib, Value as LuaValue};

use crate::hook;
use crate::host::{Host, Level};
use crate::modules::Sources;
use crate::objects::{self, Body, fill, function, others, record::RecordObject};
use crate::shared::{Answer, Args, NO_MEMORY, OVERDUE, Shared, boolean, nothing, one};

/// What makes a state safe and complete.
const PRELUDE: &str = include_str!("prelude.lua");

/// A state with a module loaded.
pub(crate) struct State {
    lua: Lua,
    invoke: Function,
    invoke_stream: Function,
    /// After `lua`: fields are dropped in their order, and the hook looks at this.
    pub shared: Arc<Shared>,
    /// Of the sources that it was made from.
    pub version: u64,
}

/// What a script ended with: a value, or an error's value.
pub(crate) type Ended = Result<LuaValue, LuaValue>;

impl State {
    /// A state that has run no script yet. `host` watches over it until [`State::leave`].
    pub fn new(
        sources: &Arc<Sources>,
        limit_bytes: usize,
        host: Arc<dyn Host>,
    ) -> mlua::Result<Self> {
        let libs = StdLib::TABLE
            | StdLib::STRING
            | StdLib::UTF8
            | StdLib::MATH
            | StdLib::COROUTINE
            | StdLib::OS;
        let lua = Lua::new_with(libs, LuaOptions::new())?;
        let shared = Shared::new(limit_bytes);
        shared.enter(host);
        objects::register(&lua, &shared)?;
        let native = natives(&lua, &shared, sources)?;
        let (invoke, invoke_stream) = lua.load(PRELUDE).set_name("=prelude").call(native)?;
        lua.set_memory_limit(limit_bytes)?;
        hook::install(&lua, &shared)?;
        Ok(Self { lua, invoke, invoke_stream, shared, version: sources.version })
    }

    /// Compiles and runs a chunk, as something that a script has no hand in.
    pub fn run(&self, source: &[u8], name: &str) -> Result<(), Vec<u8>> {
        let chunk = self.lua.load(source).set_name(name).set_mode(mlua::chunk::ChunkMode::Text);
        let chunk = match chunk.into_function() {
            Ok(chunk) => chunk,
            Err(mlua::Error::SyntaxError { message, .. }) => return Err(message.into_bytes()),
            Err(error) => return Err(error.to_string().into_bytes()),
        };
        self.call(&chunk, MultiValue::new()).map(drop).map_err(|error| text_of(&error))
    }

    /// Loads the module that calls will be about.
    pub fn require(&self, module: &str) -> Result<(), Vec<u8>> {
        let require: Function =
            self.lua.globals().raw_get("require").map_err(|error| error.to_string())?;
        let name = self.lua.create_string(module).map_err(|error| error.to_string())?;
        let args = MultiValue::from_iter([LuaValue::String(name)]);
        self.call(&require, args).map(drop).map_err(|error| text_of(&error))
    }

    /// The global with this name.
    pub fn global(&self, name: &[u8]) -> LuaValue {
        let name = self.lua.create_string(name);
        name.and_then(|name| self.lua.globals().raw_get(name)).unwrap_or(LuaValue::Nil)
    }

    pub fn lua(&self) -> &Lua {
        &self.lua
    }

    /// Calls a function. Errors come back as the values that they are.
    pub fn call(&self, function: &Function, args: MultiValue) -> Ended {
        self.call_value(LuaValue::Function(function.clone()), args)
    }

    /// Calls whatever a script calls a function.
    pub fn call_value(&self, function: LuaValue, mut args: MultiValue) -> Ended {
        args.push_front(function);
        self.ended(self.invoke.call(args))
    }

    /// Runs a function over a stream; `read` and `write` are its ends.
    pub fn call_stream(
        &self,
        function: LuaValue,
        read: Function,
        write: Function,
        mut args: MultiValue,
    ) -> Ended {
        args.push_front(LuaValue::Function(write));
        args.push_front(LuaValue::Function(read));
        args.push_front(function);
        self.ended(self.invoke_stream.call(args))
    }

    fn ended(&self, result: mlua::Result<(bool, LuaValue)>) -> Ended {
        let overdue = |otherwise| match self.shared.was_overdue() {
            true => self.string(OVERDUE),
            false => otherwise,
        };
        match result {
            Ok((true, value)) if !self.shared.was_overdue() => Ok(value),
            Ok((_, value)) => Err(overdue(value)),
            // The prelude catches what scripts raise: this is about memory or the stack.
            Err(error) => {
                self.shared.spend();
                Err(overdue(self.string(&plain(&error))))
            }
        }
    }

    fn string(&self, text: &str) -> LuaValue {
        // A state that is out of memory may not even have this much.
        self.lua.create_string(text).map_or(LuaValue::Nil, LuaValue::String)
    }

    /// Ends a call; says whether the state may serve another. One that keeps much is not kept.
    pub fn leave(&self) -> bool {
        let limit = self.shared.budget.limit_bytes() / 2;
        let is_small = self.shared.budget.used_bytes() < limit && self.lua.used_memory() < limit;
        self.shared.leave() && is_small
    }
}

fn natives(lua: &Lua, shared: &Arc<Shared>, sources: &Arc<Sources>) -> mlua::Result<mlua::Table> {
    const BODIES: &[(&str, Body)] = &[
        ("caught", caught),
        ("plain", plain_error),
        ("class_of", class_of),
        ("is_overdue", |args| boolean(args.shared.was_overdue())),
        ("check", check),
        ("expand", others::expand),
    ];
    let native = lua.create_table()?;
    fill(lua, shared, &native, BODIES)?;
    native.raw_set("log", function(lua, shared, objects::record::log)?)?;
    let sources = sources.clone();
    let find = lua.create_function(move |lua, name: LuaValue| {
        let name = match &name {
            LuaValue::String(name) => name.to_string_lossy(),
            _ => String::new(),
        };
        let source = sources.of_module(&name).map(|source| lua.create_string(source));
        Ok((source.transpose()?, sources.path(&name)))
    })?;
    native.raw_set("source", find)?;
    Ok(native)
}

/// An error that a script is about to see: raised again if it is the one that ends the call. With a
/// second argument, it is from a C function that was called under no name, so the library's is
/// taken off.
fn caught(args: &Args<'_>) -> Answer {
    if args.shared.was_overdue() {
        return Err(mlua::Error::runtime(OVERDUE));
    }
    let error = native_value(args.lua, args.get(1))?;
    let is_no_memory =
        matches!(&error, LuaValue::String(text) if &*text.as_bytes() == NO_MEMORY.as_bytes());
    if is_no_memory {
        args.shared.spend();
    }
    match &error {
        LuaValue::String(text) if args.len() > 1 => {
            let name = args.string(2)?.to_string_lossy();
            let text = text.to_string_lossy().replacen("to '?'", &format!("to '{name}'"), 1);
            one(LuaValue::String(args.lua.create_string(text)?))
        }
        _ => one(error),
    }
}

/// An error that ended the call, as the value that a script raised.
fn plain_error(args: &Args<'_>) -> Answer {
    one(native_value(args.lua, args.get(1))?)
}

/// Errors of Rust functions become strings, as those of C functions are.
fn native_value(lua: &Lua, error: &LuaValue) -> mlua::Result<LuaValue> {
    match error {
        LuaValue::Error(error) => Ok(LuaValue::String(lua.create_string(plain(error))?)),
        other => Ok(other.clone()),
    }
}

/// An error's message, without what is added on the way.
fn plain(error: &mlua::Error) -> String {
    match error {
        mlua::Error::CallbackError { cause, .. } => plain(cause),
        mlua::Error::RuntimeError(message) => {
            message.split("\nstack traceback:").next().unwrap_or_default().to_owned()
        }
        mlua::Error::MemoryError(_) => NO_MEMORY.to_owned(),
        other => other.to_string(),
    }
}

/// Ends the call if its time is over: before work that the hook does not see.
fn check(args: &Args<'_>) -> Answer {
    match args.shared.is_overdue() {
        true => Err(mlua::Error::runtime(OVERDUE)),
        false => nothing(),
    }
}

fn class_of(args: &Args<'_>) -> Answer {
    match args.get(1) {
        LuaValue::UserData(data) => one(LuaValue::String(data.type_name()?)),
        _ => nothing(),
    }
}

/// An error's value as text; what is no string has none.
pub(crate) fn text_of(error: &LuaValue) -> Vec<u8> {
    match error {
        LuaValue::String(text) => crate::shared::until_nul(&text.as_bytes()).to_vec(),
        _ => b"result value type unexpected".to_vec(),
    }
}

/// A record as the first argument of a function.
pub(crate) fn record_argument(
    state: &State,
    record: crate::record::RecordRef,
) -> mlua::Result<LuaValue> {
    Ok(LuaValue::UserData(state.lua.create_userdata(RecordObject(record))?))
}

/// Tells that a module could not be loaded.
pub(crate) fn log_unloadable(host: &dyn Host, path: &str, reason: &[u8]) {
    let text = [b"lua create error: ", reason].concat();
    host.log(Level::Warning, path, 0, &text);
}
