//! Settings, read and changed.

use config::Change;
use engine::latencies::LatencyKind;

use super::call::{Call, Refusal, put};

pub(super) fn get(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, ::config::get_config(&call.node.config(), &call.text()));
    Ok(())
}

pub(super) fn set(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let params = call.text();
    let change = call.node.reconfigure(|config| {
        ::config::set_config(config, &params).map(|applied| (applied.config, applied.change))
    });
    match change {
        Ok(change) => {
            start_afresh(call, &change);
            call.node.host.log().message(&describe(&change, call.from));
            put(out, "ok");
        }
        Err(error) => put(out, error),
    }
    Ok(())
}

/// A histogram that is switched on or off starts from zero.
fn start_afresh(call: &Call<'_>, change: &Change) {
    if change.old == change.new {
        return;
    }
    if change.name == "enable-hist-info" {
        call.node.info_latency.clear();
        call.node.slices.lock().forget("info");
    }
    let namespace = change.namespace.as_ref().and_then(|name| call.node.namespace(name.as_bytes()));
    if let Some(namespace) = namespace {
        for kind in LatencyKind::ALL.into_iter().filter(|kind| kind.is_benchmark()) {
            // `enable-benchmarks-read` is for all histograms whose names begin with `read-`.
            let group = change.name.strip_prefix("enable-benchmarks-");
            if group.is_some_and(|group| kind.name().split('-').next() == Some(group)) {
                namespace.latencies.of(kind).clear();
                let name = format!("{{{}}}-{}", namespace.name, kind.name());
                call.node.slices.lock().forget(&name);
            }
        }
    }
}

fn describe(change: &Change, from: std::net::SocketAddr) -> String {
    let scope = [
        change.namespace.as_ref().map(|name| format!(" {name}")),
        change.set.as_ref().map(|name| format!(" set {name}")),
        change.data_center.as_ref().map(|name| format!(" dc {name}")),
    ];
    let scope: String = scope.into_iter().flatten().collect();
    let Change { context, name, old, new, .. } = change;
    format!("{context}{scope}: changed {name} from {old} to {new} (client {from})")
}
