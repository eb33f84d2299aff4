//! Running a function over the records of a query.

use std::cell::RefCell;
use std::sync::Arc;

use mlua::Value as LuaValue;

use crate::call::{Call, NO_FUNCTION, plain_arguments, to_particle};
use crate::convert::Particle;
use crate::host::Host;
use crate::modules::Modules;
use crate::record::{RecordAccess, RecordRef};
use crate::shared::{NO_MEMORY, from_lua};
use crate::state::{State, record_argument, text_of};

/// Why a stream ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFailure {
    /// The module cannot be loaded.
    Unloadable,
    /// Its function failed, with this message.
    Failed(Vec<u8>),
}

impl StreamFailure {
    /// The value of the bin `FAILURE`.
    pub fn text(&self) -> Vec<u8> {
        match self {
            Self::Unloadable => b"UDF: Execution Error 1".to_vec(),
            Self::Failed(message) => [b"UDF: Execution Error 2 : ", &**message].concat(),
        }
    }
}

/// Where records come from: the next one, until there is none.
pub type Source<'a> = dyn FnMut() -> Option<Box<dyn RecordAccess>> + Send + 'a;
/// Where values go: each is the value of a bin `SUCCESS`. False ends the stream.
pub type Sink<'a> = dyn FnMut(Particle) -> bool + Send + 'a;

impl Modules {
    /// Runs the server's part of a stream function over records: its operations up to and including
    /// the first `reduce`. Records are pulled one at a time, and one is gone when the next comes.
    ///
    /// # Errors
    /// What the client is told in place of the values still to come.
    pub fn aggregate(
        &self,
        call: Call<'_>,
        source: &mut Source<'_>,
        sink: &mut Sink<'_>,
        host: Arc<dyn Host>,
    ) -> Result<(), StreamFailure> {
        let state = self.take(call.module, &host).ok_or(StreamFailure::Unloadable)?;
        let result = run(&state, call, source, sink);
        self.give_back(call.module, state);
        result.map_err(StreamFailure::Failed)
    }
}

fn run(
    state: &State,
    call: Call<'_>,
    source: &mut Source<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), Vec<u8>> {
    let function = state.global(call.function);
    if function.is_nil() {
        return Err(NO_FUNCTION.into());
    }
    let arguments =
        plain_arguments(state, call.arguments).map_err(|_| NO_MEMORY.as_bytes().to_vec())?;
    let current = RefCell::new(None::<RecordRef>);
    let ended = state.lua().scope(|scope| {
        let read = scope.create_function_mut(|_, ()| {
            if let Some(previous) = current.take() {
                previous.take();
            }
            let Some(record) = source() else { return Ok(LuaValue::Nil) };
            let record = RecordRef::new(record, true);
            current.replace(Some(record.clone()));
            record_argument(state, record)
        })?;
        let write = scope.create_function_mut(|_, value: LuaValue| {
            // What cannot be sent is left out; records have nothing that could be.
            if from_lua(&value).is_none() && !value.is_userdata() {
                return Ok(true);
            }
            match to_particle(state, &value) {
                Ok(particle) => Ok(sink(particle)),
                Err(_) => Err(mlua::Error::runtime(NO_MEMORY)),
            }
        })?;
        Ok(state.call_stream(function.clone(), read, write, arguments))
    });
    if let Some(last) = current.take() {
        last.take();
    }
    match ended {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(text_of(&error)),
        Err(_) => Err(NO_MEMORY.into()),
    }
}
