//! The hook that ends a call whose time is over.
//!
//! It is set through Lua's own interface: an error raised through the binding's hooks first clears
//! the stack of the function that was interrupted, and with it runs the script's `__close` handlers
//! while no hook can interrupt them. Lua itself unwinds to the next protected call first, and
//! handlers that it runs there are watched like everything else.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use mlua::{Lua, ffi};

use crate::shared::{OVERDUE, Shared};

/// Instructions between two looks at the clock.
const INSTRUCTIONS: c_int = 100;
/// The same while they are slow: a single one can take milliseconds, on texts that nearly fill the
/// memory.
const SLOW_INSTRUCTIONS: c_int = 4;

/// Its address is the key under which the registry holds what the hook asks.
static KEY: u8 = 0;

fn key() -> *const c_void {
    (&raw const KEY).cast()
}

/// Watches over a state and over every coroutine that is made in it. `shared` must live as long as
/// the state: whoever keeps both drops the state first.
pub(crate) fn install(lua: &Lua, shared: &Arc<Shared>) -> mlua::Result<()> {
    let shared = Arc::as_ptr(shared).cast_mut().cast::<c_void>();
    // SAFETY: the closure leaves the stack as it was and raises nothing but Lua errors, as
    // `exec_raw` demands. Scripts cannot reach the registry, so the pointer stays what it is.
    unsafe {
        lua.exec_raw::<()>((), |state| {
            ffi::lua_pushlightuserdata(state, shared);
            ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, key());
            ffi::lua_sethook(state, Some(watch), ffi::LUA_MASKCOUNT, INSTRUCTIONS);
        })
    }
}

/// Raises an error in the script that is running if its time is over.
unsafe extern "C-unwind" fn watch(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: Lua calls a hook with a valid state and room for some values on its stack. The registry
    // holds a pointer to a `Shared` that outlives the state (see `install`). `lua_error` leaves this
    // function by a jump: nothing here needs to be dropped.
    unsafe {
        ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, key());
        let shared = ffi::lua_touserdata(state, -1).cast_const().cast::<Shared>();
        ffi::lua_pop(state, 1);
        let Some(shared) = shared.as_ref() else { return };
        let look = AssertUnwindSafe(|| (shared.is_overdue(), shared.is_slow()));
        // If the host panics, the call ends.
        let (is_overdue, is_slow) = catch_unwind(look).unwrap_or((true, false));
        if is_overdue {
            ffi::lua_pushlstring(state, OVERDUE.as_ptr().cast(), OVERDUE.len());
            ffi::lua_error(state);
        }
        let count = if is_slow { SLOW_INSTRUCTIONS } else { INSTRUCTIONS };
        if count != ffi::lua_gethookcount(state) {
            ffi::lua_sethook(state, Some(watch), ffi::LUA_MASKCOUNT, count);
        }
    }
}
