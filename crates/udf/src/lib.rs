//! User-defined functions: the only crate that knows Lua.
