//! Statistics of sets.

use std::sync::atomic::Ordering;

use engine::Namespace;
use engine::sets::Set;

use super::call::{Call, Pairs, Refusal, put};

/// `sets`, `sets/<ns>`: all sets; `sets/<ns>/<set>`: one.
pub(super) fn sets(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut parts = call.command.arguments.splitn(2, |byte| *byte == b'/');
    let name = parts.next().unwrap_or_default();
    if name.is_empty() {
        call.node.namespaces.iter().for_each(|namespace| put_sets(namespace, out));
        return Ok(());
    }
    let Some(namespace) = call.node.namespace(name) else {
        put(out, "ns_type=unknown");
        return Ok(());
    };
    match parts.next() {
        None => put_sets(namespace, out),
        Some(set) => {
            if let Some(set) = namespace.sets.by_name(set) {
                put_set(namespace, set, out);
            }
        }
    }
    Ok(())
}

fn put_sets(namespace: &Namespace, out: &mut Vec<u8>) {
    for set in namespace.sets.iter() {
        put(out, format_args!("ns={}:set=", namespace.name));
        out.extend_from_slice(&set.name);
        out.push(b':');
        put_set(namespace, set, out);
    }
}

/// Every set ends in `;`, the last one too: tools drop what follows it.
fn put_set(namespace: &Namespace, set: &Set, out: &mut Vec<u8>) {
    let mut pairs = Pairs::new(out, b':');
    pairs.put("objects", set.objects.load(Ordering::Relaxed));
    pairs.put("tombstones", set.tombstones.load(Ordering::Relaxed));
    pairs.put("data_used_bytes", set.data_used_bytes.load(Ordering::Relaxed));
    pairs.put("truncate_lut", set.truncate_lut.load(Ordering::Relaxed));
    pairs.put("sindexes", set.sindexes.load(Ordering::Relaxed));
    pairs.put("index_populating", namespace.is_set_index_populating(set));
    pairs.put("truncating", set.truncating.load(Ordering::Relaxed));
    for (name, value) in config::set_config_pairs(&set.config.load()) {
        pairs.put(name, value);
    }
    out.push(b';');
}
