//! Metadata that a cluster's nodes keep in common. A node alone keeps it by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::sindex::Sindex;
use wire::ResultCode;

use super::call::{Call, Refusal, put, put_joined};

/// Most bytes of a module's name.
const MODULE_BYTES_MAX: usize = 31;

/// How often modules of metadata have changed.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    pub truncate: Changes,
    pub evict: Changes,
    pub sindex: Changes,
}

/// How often a module has changed.
#[derive(Debug, Default)]
pub(crate) struct Changes(AtomicU64);

impl Changes {
    /// Counts a change.
    pub fn note(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// State of each module.
pub(super) fn info(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let (node, key) = (call.node.id(), call.node.view.lock().cluster_key);
    let Metadata { truncate, evict, sindex } = &call.node.metadata;
    let changes = |changes: &Changes| changes.0.load(Ordering::Relaxed);
    put(
        out,
        format_args!(
            "smd:n_pending_sets=0,n_events=0,n_nodes=1,principal={node:X},cluster_key={key:X};"
        ),
    );
    for (module, changes, items) in [
        ("evict", changes(evict), evictions(call).len()),
        ("sindex", changes(sindex), definitions(call).len()),
        ("truncate", changes(truncate), truncations(call).len()),
        ("UDF", 0, 0),
    ] {
        let committed = if changes == 0 { 0 } else { key };
        put(
            out,
            format_args!(
                "{module}:committed_key={committed:X},committed_tid={changes},n_keys={items},\
                 state=pr;"
            ),
        );
    }
    Ok(())
}

/// Keys and values of a module, whose name is taken in any case.
pub(super) fn show(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let module = call.required("module", MODULE_BYTES_MAX)?.to_ascii_lowercase();
    let items = match &module[..] {
        b"evict" => evictions(call),
        b"truncate" => truncations(call),
        b"sindex" => definitions(call),
        b"roster" | b"udf" | b"xdr" => Vec::new(),
        b"security" => {
            return Err(Refusal::new(ResultCode::FORBIDDEN, "security module forbidden"));
        }
        _ => return Err(Refusal::parameter("unknown 'module'")),
    };
    if items.is_empty() {
        put(out, "<empty>");
    }
    put_joined(out, b';', items, |out, (key, value)| {
        out.extend_from_slice(&key);
        out.push(b'=');
        out.extend_from_slice(&value);
    });
    Ok(())
}

/// Key and value of an item.
type Item = (Vec<u8>, Vec<u8>);

/// An item whose value is a number; none if that is 0.
fn numbered((key, value): (Vec<u8>, u64)) -> Option<Item> {
    (value != 0).then(|| (key, value.to_string().into_bytes()))
}

/// Names of secondary indexes by what they hold.
fn definitions(call: &Call<'_>) -> Vec<Item> {
    let of_namespace = |namespace: &Arc<engine::Namespace>| {
        let sindexes = namespace.sindexes.all();
        let item =
            |sindex: &Arc<Sindex>| (sindex.definition.key(&namespace.name), sindex.name().to_vec());
        sindexes.iter().map(item).collect::<Vec<_>>()
    };
    call.node.namespaces.iter().flat_map(of_namespace).collect()
}

/// Void-times below which eviction takes records, by namespace.
fn evictions(call: &Call<'_>) -> Vec<Item> {
    let threshold = |namespace: &engine::Namespace| {
        u64::from(namespace.gauges.evict_void_time.load(Ordering::Relaxed))
    };
    let all = call.node.namespaces.iter();
    all.map(|namespace| (namespace.name.as_bytes().to_vec(), threshold(namespace)))
        .filter_map(numbered)
        .collect()
}

/// Times of truncations: of namespaces under their names, of sets under `namespace|set`.
fn truncations(call: &Call<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    for namespace in &call.node.namespaces {
        let name = namespace.name.as_bytes();
        items.push((name.to_vec(), namespace.gauges.truncate_lut.load(Ordering::Relaxed)));
        items.extend(namespace.sets.iter().map(|set| {
            let key = [name, b"|", &set.name].concat();
            (key, set.truncate_lut.load(Ordering::Relaxed))
        }));
    }
    items.into_iter().filter_map(numbered).collect()
}
