//! Secondary indexes. None can be made yet; requests are checked as they will be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use config::SET_NAME_MAX;
use value::context::ContextError;
use wire::ResultCode;

use super::call::{Call, Refusal, put};
use super::cluster::FLAG_BYTES_MAX;

/// Most bytes of an index's name.
const NAME_BYTES_MAX: usize = 63;
/// Most bytes of a context in base64.
const CONTEXT_BYTES_MAX: usize = 2047;
/// Most bytes of a kind of index.
const KIND_BYTES_MAX: usize = 31;
/// Most bytes of a bin and its type.
const DATA_BYTES_MAX: usize = 31;
/// Most bytes of a bin's name.
const BIN_NAME_BYTES_MAX: usize = 15;

fn no_index() -> Refusal {
    Refusal::new(ResultCode::SINDEX_NOT_FOUND, "no index")
}

/// `sindex`, `sindex/<ns>`: all indexes; `sindex/<ns>/<index>`: statistics of one.
pub(super) fn by_path(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut parts = call.command.arguments.splitn(2, |byte| *byte == b'/');
    let namespace = parts.next().filter(|name| !name.is_empty());
    if namespace.is_some_and(|name| call.node.namespace(name).is_none()) {
        put(out, "ns_type=unknown");
        return Ok(());
    }
    match parts.next().filter(|index| !index.is_empty()) {
        Some(_) => Err(no_index()),
        None => Ok(()),
    }
}

pub(super) fn list(call: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    call.optional_namespace()?;
    call.flag("b64", FLAG_BYTES_MAX, "bad b64").map(|_| ())
}

/// Notes that the index is not named, and goes on: so does the original.
fn check_name(call: &Call<'_>, out: &mut Vec<u8>) {
    if let Err(refusal) = call.required("indexname", NAME_BYTES_MAX) {
        put(out, refusal);
    }
}

pub(super) fn stat(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    check_name(call, out);
    call.namespace()?;
    Err(no_index())
}

pub(super) fn exists(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    check_name(call, out);
    call.namespace_name()?;
    put(out, "false");
    Ok(())
}

/// Deleting what is not there succeeds.
pub(super) fn delete(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    check_name(call, out);
    call.namespace_name()?;
    put(out, "ok");
    Ok(())
}

pub(super) fn create(call: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    call.required("indexname", NAME_BYTES_MAX)?;
    call.namespace_name()?;
    call.optional("set", SET_NAME_MAX)?;
    if let Some(context) = call.optional("context", CONTEXT_BYTES_MAX)? {
        check_context(context)?;
    }
    let kind =
        call.optional("indextype", KIND_BYTES_MAX)?.unwrap_or(b"default").to_ascii_lowercase();
    if !matches!(&kind[..], b"default" | b"list" | b"mapkeys" | b"mapvalues") {
        return Err(Refusal::parameter(
            "bad 'indextype' - must be one of 'default', 'list', 'mapkeys', 'mapvalues'",
        ));
    }
    check_data(call.required("indexdata", DATA_BYTES_MAX)?, &kind)?;
    let later = "secondary indexes come in a later release";
    Err(Refusal::new(ResultCode::UNSUPPORTED_FEATURE, later))
}

/// Checks the way into a bin, in base64.
fn check_context(context: &[u8]) -> Result<(), Refusal> {
    let refuse = |text| Err(Refusal::parameter(text));
    let Ok(context) = BASE64.decode(context) else { return refuse("'context' invalid base64") };
    match value::context::check(&context) {
        Ok(()) => Ok(()),
        Err(ContextError::Invalid) => refuse("'context' invalid cdt context"),
        Err(ContextError::NotNormalized) => refuse("'context' not normalized msgpack"),
    }
}

/// Checks a bin's name and, after a comma, the type of its values.
fn check_data(data: &[u8], kind: &[u8]) -> Result<(), Refusal> {
    let refuse = |text| Err(Refusal::parameter(text));
    let mut parts = data.splitn(2, |byte| *byte == b',');
    let bin = parts.next().unwrap_or_default();
    if bin.is_empty() {
        return refuse("'indexdata' missing bin name");
    }
    let Some(values) = parts.next() else { return refuse("'indexdata' missing bin type") };
    if bin.len() > BIN_NAME_BYTES_MAX {
        return refuse("'indexdata' bin name too long");
    }
    match &values.to_ascii_lowercase()[..] {
        b"numeric" | b"string" | b"blob" => Ok(()),
        b"geo2dsphere" if kind == b"mapkeys" => refuse(
            "bad 'indexdata' bin type for 'indextype' 'mapkeys' - must be one of 'numeric', \
             'string', 'blob'",
        ),
        b"geo2dsphere" => Ok(()),
        _ => refuse(
            "bad 'indexdata' bin type - must be one of 'numeric', 'string', 'blob', 'geo2dsphere'",
        ),
    }
}
