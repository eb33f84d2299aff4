//! What the functions of one Lua state share, and what they say when something is wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use mlua::{Lua, MultiValue, Value as LuaValue};
use parking_lot::Mutex;

use crate::convert;
use crate::host::{Host, Level};
use crate::objects::record::RecordObject;
use crate::value::{Budget, BytesRef, ListRef, MapRef, Trouble, Value};

/// What a call that had its time answers.
pub(crate) const OVERDUE: &str = "UDF Execution Timeout";
/// What Lua says when a state reached its memory limit.
pub(crate) const NO_MEMORY: &str = "not enough memory";

/// Of one Lua state.
pub(crate) struct Shared {
    pub budget: Arc<Budget>,
    host: Mutex<Option<Arc<dyn Host>>>,
    is_overdue: AtomicBool,
    is_spent: AtomicBool,
}

impl Shared {
    pub fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            budget: Budget::new(limit_bytes),
            host: Mutex::new(None),
            is_overdue: AtomicBool::new(false),
            is_spent: AtomicBool::new(false),
        })
    }

    /// Starts a call.
    pub fn enter(&self, host: Arc<dyn Host>) {
        *self.host.lock() = Some(host);
    }

    /// Ends a call; says whether the state may be used for another.
    pub fn leave(&self) -> bool {
        *self.host.lock() = None;
        !self.is_overdue.load(Relaxed) && !self.is_spent.load(Relaxed)
    }

    /// Whether the call has had its time. Without a call there is none.
    pub fn is_overdue(&self) -> bool {
        if self.is_overdue.load(Relaxed) {
            return true;
        }
        let is_overdue = self.host.lock().as_ref().is_none_or(|host| host.is_overdue());
        if is_overdue {
            self.is_overdue.store(true, Relaxed);
        }
        is_overdue
    }

    /// Whether the call was found to have had its time.
    pub fn was_overdue(&self) -> bool {
        self.is_overdue.load(Relaxed)
    }

    /// The state reached its memory limit: nobody uses it again.
    pub fn spend(&self) {
        self.is_spent.store(true, Relaxed);
    }

    pub fn log(&self, level: i64, file: &str, line: usize, text: &[u8]) {
        let host = self.host.lock().clone();
        if let Some(host) = host {
            host.log(Level::of(level), file, line, text);
        }
    }

    pub fn now_ms(&self) -> u64 {
        self.host.lock().as_ref().map_or(0, |host| host.now_ms())
    }
}

/// The arguments of a function called by a script, numbered from 1.
pub(crate) struct Args<'a> {
    pub lua: &'a Lua,
    pub shared: &'a Arc<Shared>,
    pub values: MultiValue,
}

/// What a function returns to a script.
pub(crate) type Answer = mlua::Result<MultiValue>;

/// No value at all.
pub(crate) fn nothing() -> Answer {
    Ok(MultiValue::new())
}

/// One value.
pub(crate) fn one(value: LuaValue) -> Answer {
    Ok(MultiValue::from_iter([value]))
}

/// One integer.
pub(crate) fn integer(value: usize) -> Answer {
    one(LuaValue::Integer(i64::try_from(value).unwrap_or(i64::MAX)))
}

/// One boolean.
pub(crate) fn boolean(value: bool) -> Answer {
    one(LuaValue::Boolean(value))
}

impl Args<'_> {
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The argument with this number; nil beyond the last.
    pub fn get(&self, number: usize) -> &LuaValue {
        self.values.get(number - 1).unwrap_or(&LuaValue::Nil)
    }

    /// An error with the position of the caller before it.
    pub fn error(&self, message: impl std::fmt::Display) -> mlua::Error {
        error_at(self.lua, message)
    }

    /// An error about an argument.
    pub fn bad(&self, number: usize, message: impl std::fmt::Display) -> mlua::Error {
        let names = self.lua.inspect_stack(0, |frame| {
            let names = frame.names();
            (names.name.map(|name| name.into_owned()), names.name_what == Some("method"))
        });
        let (name, is_method) = names.unwrap_or_default();
        let name = name.unwrap_or_else(|| "?".to_owned());
        match number - usize::from(is_method) {
            0 => self.error(format_args!("calling '{name}' on bad self ({message})")),
            number => self.error(format_args!("bad argument #{number} to '{name}' ({message})")),
        }
    }

    /// An argument of the wrong type.
    pub fn expected(&self, number: usize, what: &str) -> mlua::Error {
        let got =
            if number > self.len() { "no value".to_owned() } else { type_name(self.get(number)) };
        self.bad(number, format_args!("{what} expected, got {got}"))
    }

    /// An object of ours.
    pub fn object<T: Clone + 'static>(&self, number: usize, class: &str) -> mlua::Result<T> {
        let LuaValue::UserData(data) = self.get(number) else {
            return Err(self.expected(number, "userdata"));
        };
        data.borrow_scoped(T::clone).map_err(|_| self.expected(number, class))
    }

    pub fn list(&self, number: usize) -> mlua::Result<ListRef> {
        self.object(number, "List")
    }

    pub fn map(&self, number: usize) -> mlua::Result<MapRef> {
        self.object(number, "Map")
    }

    pub fn bytes(&self, number: usize) -> mlua::Result<BytesRef> {
        self.object(number, "Bytes")
    }

    pub fn record(&self, number: usize) -> mlua::Result<RecordObject> {
        self.object(number, "Record")
    }

    /// An integer, or `default` for nil.
    pub fn integer(&self, number: usize, default: i64) -> mlua::Result<i64> {
        match self.get(number) {
            LuaValue::Nil => Ok(default),
            LuaValue::Integer(value) => Ok(*value),
            other => match self.lua.coerce_integer(other.clone()) {
                Ok(Some(value)) => Ok(value),
                _ if matches!(self.lua.coerce_number(other.clone()), Ok(Some(_))) => {
                    Err(self.bad(number, "number has no integer representation"))
                }
                _ => Err(self.expected(number, "number")),
            },
        }
    }

    /// A string, or a number as one.
    pub fn string(&self, number: usize) -> mlua::Result<mlua::LuaString> {
        match self.get(number) {
            LuaValue::String(text) => Ok(text.clone()),
            number_like @ (LuaValue::Integer(_) | LuaValue::Number(_)) => self
                .lua
                .coerce_string(number_like.clone())?
                .ok_or_else(|| self.expected(number, "string")),
            _ => Err(self.expected(number, "string")),
        }
    }

    /// A string up to its first NUL; `None` for nil.
    pub fn optional_c_string(&self, number: usize) -> mlua::Result<Option<Vec<u8>>> {
        if self.get(number).is_nil() {
            return Ok(None);
        }
        Ok(Some(until_nul(&self.string(number)?.as_bytes()).to_vec()))
    }

    /// The value that an argument is for lists, maps and bins; `None` for tables, functions,
    /// records and the like.
    pub fn value(&self, number: usize) -> Option<Value> {
        from_lua(self.get(number))
    }

    /// A value as scripts see it.
    pub fn push(&self, value: &Value) -> mlua::Result<LuaValue> {
        to_lua(self.lua, value)
    }

    /// Answers with a value.
    pub fn answer(&self, value: Option<Value>) -> Answer {
        one(value.map_or(Ok(LuaValue::Nil), |value| self.push(&value))?)
    }

    /// Runs what may need memory; once more after collecting what scripts no longer hold.
    pub fn settle<T>(&self, mut work: impl FnMut() -> Result<T, Trouble>) -> mlua::Result<T> {
        let first = work();
        let result = match first {
            Err(Trouble::Memory) if !self.shared.is_overdue() => {
                self.lua.gc_collect()?;
                work()
            }
            other => other,
        };
        result.map_err(|trouble| match trouble {
            Trouble::Memory if self.shared.was_overdue() => mlua::Error::runtime(OVERDUE),
            Trouble::Memory => {
                self.shared.spend();
                mlua::Error::runtime(NO_MEMORY)
            }
            Trouble::Cycle => self.error("a list or map cannot contain itself"),
            Trouble::Depth => self.error("lists and maps are nested too deeply"),
            Trouble::Unsupported => self.error("value cannot be converted"),
        })
    }
}

/// An error with the position of whoever called the function that is running.
pub(crate) fn error_at(lua: &Lua, message: impl std::fmt::Display) -> mlua::Error {
    let position = lua.inspect_stack(1, |frame| {
        let line = frame.current_line()?;
        let source = frame.source();
        Some(format!("{}:{line}: ", source.short_src.as_deref().unwrap_or("?")))
    });
    mlua::Error::RuntimeError(format!("{}{message}", position.flatten().unwrap_or_default()))
}

fn type_name(value: &LuaValue) -> String {
    match value {
        LuaValue::UserData(data) => match data.type_name() {
            Ok(name) => name.to_string_lossy(),
            Err(_) => "userdata".to_owned(),
        },
        other => other.type_name().replace("integer", "number"),
    }
}

/// The part of a text that C sees.
pub(crate) fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// See [`Args::value`].
pub(crate) fn from_lua(value: &LuaValue) -> Option<Value> {
    Some(match value {
        LuaValue::Nil => Value::Nil,
        LuaValue::Boolean(value) => Value::Bool(*value),
        LuaValue::Integer(value) => Value::Int(*value),
        LuaValue::Number(value) => Value::Float(*value),
        LuaValue::String(text) => Value::Str(until_nul(&text.as_bytes()).into()),
        LuaValue::UserData(data) => {
            if let Ok(list) = data.borrow_scoped(ListRef::clone) {
                Value::List(list)
            } else if let Ok(map) = data.borrow_scoped(MapRef::clone) {
                Value::Map(map)
            } else if let Ok(bytes) = data.borrow_scoped(BytesRef::clone) {
                Value::Bytes(bytes)
            } else {
                let geo = data.borrow_scoped(|geo: &crate::objects::others::Geo| geo.0.clone());
                Value::Geo(geo.ok()?)
            }
        }
        _ => return None,
    })
}

/// See [`Args::push`].
pub(crate) fn to_lua(lua: &Lua, value: &Value) -> mlua::Result<LuaValue> {
    Ok(match value {
        Value::Nil | Value::Ext(_) => LuaValue::Nil,
        Value::Bool(value) => LuaValue::Boolean(*value),
        Value::Int(value) => LuaValue::Integer(*value),
        Value::Float(value) => LuaValue::Number(*value),
        Value::Str(text) => LuaValue::String(lua.create_string(until_nul(text))?),
        Value::Geo(text) => {
            LuaValue::UserData(lua.create_userdata(crate::objects::others::Geo(text.clone()))?)
        }
        Value::Bytes(bytes) => LuaValue::UserData(lua.create_userdata(bytes.clone())?),
        Value::List(list) => LuaValue::UserData(lua.create_userdata(list.clone())?),
        Value::Map(map) => LuaValue::UserData(lua.create_userdata(map.clone())?),
    })
}

/// The text of a value, as an answer.
pub(crate) fn text(args: &Args<'_>, value: &Value) -> Answer {
    let text = args.settle(|| convert::text(value, &args.shared.budget))?;
    one(LuaValue::String(args.lua.create_string(until_nul(&text))?))
}
