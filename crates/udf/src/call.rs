//! Running a function on a record.

use std::sync::Arc;

use mlua::{MultiValue, Value as LuaValue};
use wire::ResultCode;

use crate::convert::{self, Particle};
use crate::host::Host;
use crate::modules::Modules;
use crate::record::{RecordAccess, RecordRef, Write};
use crate::shared::{NO_MEMORY, from_lua, to_lua};
use crate::state::{State, record_argument, text_of};
use crate::value::Trouble;

/// The module cannot be loaded.
const UNLOADABLE: &str = "UDF: Execution Error 1";
/// The arguments do not fit onto Lua's stack.
const TOO_MANY_ARGUMENTS: &str = "UDF: Execution Error 2";
/// Values that Lua's stack takes.
const ARGUMENTS_MAX: usize = 990_000;
/// The module has no such function.
pub(crate) const NO_FUNCTION: &str = "function not found";

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The module's file without extension.
    pub module: &'a str,
    /// The function's name.
    pub function: &'a [u8],
    /// Its arguments after the first, a msgpack list. Anything else is none.
    pub arguments: &'a [u8],
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The function returned this: the value of the bin `SUCCESS`.
    Success(Particle),
    /// It failed: result 100, and this is the value of the bin `FAILURE`.
    Failure(Vec<u8>),
    /// It returned, but one of its updates had failed: this result, and no bin.
    Code(ResultCode),
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the client is told.
    pub reply: Reply,
    /// What is to be written. `None`: the call only read, or all that it did is to be forgotten.
    pub write: Option<Write>,
}

impl Outcome {
    fn failure(text: impl Into<Vec<u8>>) -> Self {
        Self { reply: Reply::Failure(text.into()), write: None }
    }
}

impl Modules {
    /// Runs a function on a record.
    pub fn apply(
        &self,
        call: Call<'_>,
        record: Box<dyn RecordAccess>,
        host: Arc<dyn Host>,
    ) -> Outcome {
        let Some(state) = self.take(call.module, &host) else {
            return Outcome::failure(UNLOADABLE);
        };
        let record = RecordRef::new(record, false);
        let outcome = run(&state, call, &record);
        // Scripts may keep the record: from here on it is empty.
        record.take();
        self.give_back(call.module, state);
        outcome
    }
}

fn run(state: &State, call: Call<'_>, record: &RecordRef) -> Outcome {
    let function = state.global(call.function);
    if function.is_nil() {
        return Outcome::failure(NO_FUNCTION);
    }
    let arguments = match arguments(state, call.arguments, record) {
        Ok(arguments) if arguments.len() <= ARGUMENTS_MAX => arguments,
        Ok(_) => return Outcome::failure(TOO_MANY_ARGUMENTS),
        Err(_) => return Outcome::failure(NO_MEMORY),
    };
    let value = match state.call_value(function, arguments) {
        Ok(value) => value,
        Err(error) => return Outcome::failure(text_of(&error)),
    };
    let reply = match to_particle(state, &value) {
        Ok(particle) => Reply::Success(particle),
        Err(_) => return Outcome::failure(NO_MEMORY),
    };
    match record.take().map(crate::record::Session::finish) {
        Some(Ok(write)) => Outcome { reply, write },
        Some(Err(code)) => Outcome { reply: Reply::Code(code), write: None },
        None => Outcome { reply, write: None },
    }
}

fn arguments(state: &State, packed: &[u8], record: &RecordRef) -> mlua::Result<MultiValue> {
    let mut arguments = plain_arguments(state, packed)?;
    arguments.push_front(record_argument(state, record.clone())?);
    Ok(arguments)
}

/// The arguments without the first.
pub(crate) fn plain_arguments(state: &State, packed: &[u8]) -> mlua::Result<MultiValue> {
    let values = convert::arguments(packed, &state.shared.budget)
        .map_err(|_| mlua::Error::runtime(NO_MEMORY))?;
    values.iter().map(|value| to_lua(state.lua(), value)).collect()
}

/// What a returned value is on the wire: nothing if it cannot be.
pub(crate) fn to_particle(state: &State, value: &LuaValue) -> Result<Particle, Trouble> {
    match from_lua(value) {
        Some(value) => convert::to_reply(&value, &state.shared.budget),
        None => Ok(Particle::NULL),
    }
}
