//! Settings, read and changed.

use config::{Change, SetConfigError};
use engine::latencies::LatencyKind;
use wire::info::Command;

use super::call::{Call, Refusal, put};
use super::truncate::not_kept;
use crate::fabric_latency::FabricLatencies;
use crate::metadata::{Module, SetSetting};
use crate::node::Node;

/// The setting that says what latency histograms count.
const UNIT: &str = "microsecond-histograms";

pub(super) fn get(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, ::config::get_config(&call.node.config(), &call.text()));
    Ok(())
}

pub(super) fn set(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let params = call.text();
    let is_alone = call.node.cluster.state().members.len() <= 1;
    let apply = |config: &_| {
        ::config::set_config(config, &params, is_alone)
            .map(|applied| (applied.config, applied.change))
    };
    let change = match is_about_set(&call.command) {
        true => apply(&call.node.config()).map(|(_, change)| change),
        false => call.node.reconfigure(apply),
    };
    let log = call.node.host.log();
    match change {
        Ok(change) => {
            set_on_all_nodes(call, &change)?;
            if change.old != change.new {
                clear_histograms(call.node, &change);
            }
            log.message(&describe(&change, call.from));
            put(out, "ok");
        }
        Err(error) => {
            if let SetConfigError::InvalidParameter(why) = &error {
                log.message(&format!("set-config:{params}: refused: {why}"));
            }
            put(out, error);
        }
    }
    Ok(())
}

/// Whether a command that changes settings is about those of a set: all nodes of a cluster have the same,
/// and keep them.
pub(super) fn is_about_set(command: &Command<'_>) -> bool {
    ::config::is_about_set(&String::from_utf8_lossy(command.arguments))
}

/// Makes a change of a set's setting one of the metadata. It takes effect from there.
fn set_on_all_nodes(call: &Call<'_>, change: &Change) -> Result<(), Refusal> {
    let (Some(namespace), Some(set)) = (&change.namespace, &change.set) else { return Ok(()) };
    let name = &*change.name;
    let given = call.params().pairs().find(|(key, _)| *key == name.as_bytes());
    let value = given.map(|(_, value)| value);
    let key = SetSetting { namespace, set, name }.key();
    call.node.metadata.set(Module::SetSettings, &key, value).map_err(not_kept)?;
    Ok(())
}

/// Histograms that are switched on or off start from zero, and so do all when their unit changes.
fn clear_histograms(node: &Node, change: &Change) {
    let mut slices = node.slices.lock();
    if matches!(&*change.name, "enable-hist-info" | UNIT) {
        node.info_latency.clear();
        slices.forget("info");
    }
    if change.name == UNIT {
        node.batch_latency.clear();
        slices.forget("batch-index");
    }
    if matches!(&*change.name, "enable-benchmarks-fabric" | UNIT) {
        node.fabric_latencies.clear();
        FabricLatencies::names().for_each(|name| slices.forget(&name));
    }
    let name = change.namespace.as_deref();
    let namespaces = node.namespaces.iter().filter(|of| name.is_none_or(|name| name == &*of.name));
    for namespace in namespaces {
        for kind in LatencyKind::ALL {
            if change.name == UNIT || kind.setting() == Some(&change.name) {
                namespace.latencies.of(kind).clear();
                slices.forget(&format!("{{{}}}-{}", namespace.name, kind.name()));
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
