//! The system metadata, as their store has them.

use wire::ResultCode;

use super::call::{Call, Refusal, put, put_joined};
use crate::metadata::Module;
use crate::metadata::file::Committed;

/// Most bytes of a module's name.
const MODULE_BYTES_MAX: usize = 31;

/// The modules that the recorded edition has.
const SHOWN: [Module; 4] = [Module::Evict, Module::Sindex, Module::Truncate, Module::Udf];

/// State of each module.
pub(super) fn info(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let state = call.node.cluster.state();
    let (count, key) = (state.members.len(), state.cluster_key);
    let principal = state.principal().unwrap_or(call.node.cluster.me());
    let role = if principal == call.node.cluster.me() { "pr" } else { "npr" };
    put(
        out,
        format_args!(
            "smd:n_pending_sets=0,n_events=0,n_nodes={count},principal={principal},\
             cluster_key={key:X};"
        ),
    );
    for module in SHOWN {
        let Committed { cluster_key, tid } = call.node.metadata.committed(module);
        let items = call.node.metadata.items(module);
        let keys = items.iter().filter(|item| item.value.is_some()).count();
        let name = module.name();
        put(
            out,
            format_args!(
                "{name}:committed_key={cluster_key:X},committed_tid={tid},n_keys={keys},state={role};"
            ),
        );
    }
    Ok(())
}

/// Keys and values of a module, whose name is taken in any case.
pub(super) fn show(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let module = Module::named(call.required("module", MODULE_BYTES_MAX)?)
        .ok_or_else(|| Refusal::parameter("unknown 'module'"))?;
    if module == Module::Security {
        return Err(Refusal::new(ResultCode::FORBIDDEN, "security module forbidden"));
    }
    let items = call.node.metadata.items(module);
    let live: Vec<_> =
        items.iter().filter_map(|item| Some((&item.key, item.value.as_deref()?))).collect();
    if live.is_empty() {
        put(out, "<empty>");
    }
    put_joined(out, b';', live, |out, (key, value)| {
        out.extend_from_slice(key);
        out.push(b'=');
        out.extend_from_slice(value);
    });
    Ok(())
}
