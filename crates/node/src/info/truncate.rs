//! Truncation, and what eviction is told.

use config::SET_NAME_MAX;
use record::LastUpdateTime;
use record::meta::EPOCH_UNIX_SECONDS;
use wire::ResultCode;

use super::call::{Call, Refusal, c_number_prefix, put};
use crate::metadata::{Module, SetError, truncation_key};

/// Most bytes of a time.
const TIME_BYTES_MAX: usize = 24;
/// Longest time to live, in seconds.
const TTL_SECONDS_MAX: u64 = 315_360_000;

/// The moment before which records go: the parameter `lut` in ns since 1970, or now.
fn threshold(call: &Call<'_>) -> Result<LastUpdateTime, Refusal> {
    let now = call.node.host.now();
    let Some(text) = call.optional("lut", TIME_BYTES_MAX)? else { return Ok(now) };
    let (unix_ns, _) = c_number_prefix(text);
    let since_2010_ms = (unix_ns / 1_000_000).saturating_sub(EPOCH_UNIX_SECONDS * 1000);
    if since_2010_ms == 0 {
        return Err(Refusal::parameter("would truncate to 0"));
    }
    if since_2010_ms > now.0 {
        return Err(Refusal::parameter("would truncate in the future"));
    }
    Ok(LastUpdateTime(since_2010_ms))
}

/// Sets a truncation, or takes it back. Namespaces and sets that this node does not have are no error:
/// they may be on others.
fn truncate(
    call: &Call<'_>,
    set: Option<&[u8]>,
    time: Option<LastUpdateTime>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let key = truncation_key(call.namespace_name()?, set);
    let value = time.map(|time| time.0.to_string());
    let value = value.as_ref().map(String::as_bytes);
    call.node.metadata.set(Module::Truncate, &key, value).map_err(not_kept)?;
    put(out, "ok");
    Ok(())
}

/// The disk does not take what has to last.
pub(super) fn not_kept(error: SetError) -> Refusal {
    Refusal::new(ResultCode::UNKNOWN, format!("cannot be kept through a restart: {error}"))
}

pub(super) fn set(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    call.namespace_name()?;
    let set = call.required("set", SET_NAME_MAX)?;
    truncate(call, Some(set), Some(threshold(call)?), out)
}

pub(super) fn namespace(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    call.namespace_name()?;
    refuse_set(call)?;
    truncate(call, None, Some(threshold(call)?), out)
}

/// Whoever names a set may have meant the other command.
fn refuse_set(call: &Call<'_>) -> Result<(), Refusal> {
    match call.params().pairs().any(|(key, _)| key == b"set") {
        true => Err(Refusal::parameter("unexpected set name")),
        false => Ok(()),
    }
}

/// Takes a truncation back; what is removed stays so.
pub(super) fn undo_set(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    call.namespace_name()?;
    let set = call.required("set", SET_NAME_MAX)?;
    truncate(call, Some(set), None, out)
}

pub(super) fn undo_namespace(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    call.namespace_name()?;
    refuse_set(call)?;
    truncate(call, None, None, out)
}

/// Sets the void-time below which eviction takes records: `ttl` seconds from now, or none.
pub(super) fn eviction_reset(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let namespace = call.namespace_name()?;
    let void_time = match call.optional("ttl", TIME_BYTES_MAX)? {
        None => 0,
        Some(text) => {
            let (ttl, _) = c_number_prefix(text);
            if ttl > TTL_SECONDS_MAX {
                return Err(Refusal::parameter("ttl too big"));
            }
            // At most ten years from now: that fits.
            call.node.host.now().seconds().0.saturating_add(ttl as u32)
        }
    };
    let value = (void_time != 0).then(|| void_time.to_string());
    let value = value.as_ref().map(String::as_bytes);
    call.node.metadata.replace(Module::Evict, namespace, value).map_err(not_kept)?;
    put(out, "ok");
    Ok(())
}
