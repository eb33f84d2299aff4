//! Info commands: text in, text out.
//!
//! [`registry`] is the table of all commands; the other modules hold their handlers, by subject.
//! The names, formats and error texts are the original's (info reference); where the reference and
//! its recorded replies differ, the replies are followed.

pub mod registry;

mod administration;
mod call;
mod cluster;
mod config;
mod debug_record;
mod endpoints;
mod health;
mod histograms;
mod holdings;
mod identity;
mod latencies;
mod logs;
mod metadata;
mod namespace_stats;
mod partitions;
mod peers;
mod query;
mod racks;
mod sets;
mod sindex;
mod statistics;
mod storage_stats;
mod truncate;
mod udf;

use std::net::SocketAddr;
use std::time::Duration;

use engine::Stripe;
use wire::info::{Command, append_answer, commands};

use crate::metadata::Module;
use crate::node::Node;
use call::{Call, Refusal, put};
use registry::Permission;

pub use administration::Administration;
pub(crate) use endpoints::with_port;
pub(crate) use holdings::Holdings;
pub use identity::BUILD;
pub(crate) use identity::COMPATIBILITY_ID;
pub(crate) use latencies::enabled_benchmarks;
pub(crate) use statistics::heap_efficiency_pct;

/// Once an answer has more bytes than this, what else was asked is left unanswered. A few bytes can
/// ask for a hundred thousand, and a request has room for millions of them.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// The same after so many commands that may change metadata: each may wait for the disk.
const CHANGES_MAX: usize = 1_000;

/// Answers the body of an info request: a line for each command, in order. An empty body asks for
/// the summary. Returns how many commands may have waited for the disk.
pub fn answer(node: &Node, body: &[u8], from: SocketAddr, out: &mut Vec<u8>) -> usize {
    let start = node.host.monotonic();
    let before = out.len();
    let mut changes = 0;
    let mut append = |command: &Command<'_>| {
        let mut value = Vec::new();
        answer_command(node, command, from, &mut value);
        append_answer(out, command.line, &value);
        out.len() - before
    };
    if body.is_empty() {
        for item in registry::summary() {
            append(&Command::parse(item.name.as_bytes()));
        }
    } else {
        for command in commands(body) {
            changes += usize::from(module_of(&command).is_some());
            let is_long = append(&as_c_string(command.line)) > ANSWER_BYTES_MAX;
            if is_long || changes == CHANGES_MAX {
                break;
            }
        }
    }
    record_time(node, node.host.monotonic().saturating_sub(start));
    changes
}

/// The metadata that a command may change.
fn module_of(command: &Command<'_>) -> Option<Module> {
    Some(match registry::find(command.name)?.permission {
        Permission::Truncate => Module::Truncate,
        Permission::EvictAdmin => Module::Evict,
        Permission::SindexAdmin => Module::Sindex,
        Permission::UdfAdmin => Module::Udf,
        Permission::SetConfig if config::is_about_set(command) => Module::SetSettings,
        _ => return None,
    })
}

/// The commands of a request if other nodes have to do with any of them; otherwise [`answer`] is for it.
pub(crate) fn shared_commands(node: &Node, body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let is_shared = |command| module_of(&command).is_some();
    if node.cluster.state().members.len() <= 1 || !commands(body).any(is_shared) {
        return None;
    }
    let lines = commands(body).map(|command| command.line.to_vec());
    Some(lines.take(CHANGES_MAX).collect())
}

/// Answers one line with its value alone.
pub fn answer_value(node: &Node, line: &[u8], from: SocketAddr, out: &mut Vec<u8>) {
    let start = node.host.monotonic();
    answer_command(node, &as_c_string(line), from, out);
    record_time(node, node.host.monotonic().saturating_sub(start));
}

/// To the original a line ends at its first zero byte.
fn as_c_string(line: &[u8]) -> Command<'_> {
    Command::parse(line.split(|byte| *byte == 0).next().unwrap_or_default())
}

fn answer_command(node: &Node, command: &Command<'_>, from: SocketAddr, out: &mut Vec<u8>) {
    let outcome = match registry::find(command.name) {
        Some(found) => (found.handler)(&Call { node, command: *command, from }, out),
        None => Err(Refusal::parameter("unrecognized command")),
    };
    if let Err(refusal) = outcome {
        put(out, refusal);
    }
}

fn record_time(node: &Node, took: Duration) {
    if node.config().service.enable_hist_info {
        let micros = took.as_micros() as u64;
        let value = if node.histograms_in_micros() { micros } else { micros / 1000 };
        node.info_latency.record(Stripe::SHARED, value);
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
