//! The log: its sinks and levels, lines on request, and dumps of the node's state.

use std::fmt::Display;

use config::{LOG_CONTEXTS, LogLevel};
use wire::ResultCode;

use super::call::{Call, Refusal, c_number, put, put_joined};
use super::cluster::FLAG_BYTES_MAX;

/// Most bytes of a message.
const MESSAGE_BYTES_MAX: usize = 2047;
/// Most bytes of the name under which a message is written.
const WHO_BYTES_MAX: usize = 127;
/// Most bytes of a parameter of `jem-stats`.
const HEAP_PARAM_BYTES_MAX: usize = 99;

/// Number and place of each sink.
pub(super) fn sinks(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let sinks = call.node.host.log().sinks();
    put_joined(out, b';', sinks.iter().enumerate(), |out, (id, sink)| {
        put(out, format_args!("{id}:{sink}"));
    });
    Ok(())
}

fn shown(level: LogLevel) -> String {
    level.word().to_ascii_uppercase()
}

/// The level of all contexts of a sink (`log/<id>`) or of one (`log/<id>/<context>`).
pub(super) fn levels(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut parts = call.command.arguments.splitn(2, |byte| *byte == b'/');
    let id = match parts.next() {
        None | Some(b"") => 0,
        Some(id) => c_number(id).ok_or_else(|| Refusal::parameter("bad sink-id"))?,
    };
    let levels = usize::try_from(id).ok().and_then(|id| call.node.host.log().levels(id));
    let levels = levels.ok_or_else(|| Refusal::new(ResultCode::UNKNOWN, "bad-id"))?;
    let mut all = LOG_CONTEXTS.iter().zip(levels);
    let put_one = |out: &mut Vec<u8>, (context, level): (&&str, LogLevel)| {
        put(out, format_args!("{context}:{}", shown(level)));
    };
    match parts.next() {
        None | Some(b"") => put_joined(out, b';', all, put_one),
        Some(name) => {
            let one = all.find(|(context, _)| context.as_bytes() == name);
            put_one(out, one.ok_or_else(|| Refusal::new(ResultCode::UNKNOWN, "bad-context"))?);
        }
    }
    Ok(())
}

/// Sets a level. The sink comes first, then one context, or `any` for all.
pub(super) fn set(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut pairs = call.params().pairs();
    let id = match pairs.next() {
        Some((b"id", id)) => c_number(id).ok_or_else(|| Refusal::parameter("bad id"))?,
        _ => return Err(Refusal::parameter("missing id")),
    };
    let (context, level) = pairs.next().ok_or_else(|| Refusal::parameter("missing context"))?;
    let bad = || Refusal::parameter("bad parameter");
    let context = match context {
        b"any" => None,
        name => {
            let place = LOG_CONTEXTS.iter().position(|context| context.as_bytes() == name);
            Some(place.ok_or_else(bad)?)
        }
    };
    let word = String::from_utf8_lossy(level).to_ascii_lowercase();
    let level = LogLevel::from_word(&word).ok_or_else(bad)?;
    let sink = usize::try_from(id).map_err(|_| bad())?;
    if !call.node.host.log().set_level(sink, context, level) {
        return Err(bad());
    }
    put(out, "ok");
    Ok(())
}

/// Writes a line into the log, under a name.
pub(super) fn message(call: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    let message = call.required("message", MESSAGE_BYTES_MAX)?;
    let who = call.optional("who", WHO_BYTES_MAX)?.unwrap_or(b"unknown");
    let text = |bytes| String::from_utf8_lossy(bytes);
    call.node.host.log().message(&format!("{}: {}", text(who), text(message)));
    Ok(())
}

fn dump(call: &Call<'_>, out: &mut Vec<u8>, line: impl Display) -> Result<(), Refusal> {
    call.node.host.log().message(&line.to_string());
    put(out, "ok");
    Ok(())
}

fn check_verbose(call: &Call<'_>) -> Result<(), Refusal> {
    let otherwise = "'verbose' may be either 'true' or 'false'";
    call.flag("verbose", FLAG_BYTES_MAX, otherwise).map(|_| ())
}

pub(super) fn dump_cluster(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    check_verbose(call)?;
    let state = call.node.cluster.state();
    let (key, size) = (state.cluster_key, state.members.len());
    let principal = state.principal().map_or(0, |node| node.0);
    let members: Vec<_> = state.members.iter().map(ToString::to_string).collect();
    let members = members.join(",");
    dump(
        call,
        out,
        format_args!("cluster: key {key:X} size {size} principal {principal:X} members {members}"),
    )
}

pub(super) fn dump_fabric(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    check_verbose(call)?;
    let peers = call.node.cluster.state().members.len().saturating_sub(1);
    dump(call, out, format_args!("fabric: peers {peers}"))
}

pub(super) fn dump_heartbeat(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    check_verbose(call)?;
    let neighbours = call.node.neighbours();
    let peers = neighbours.iter().filter(|peer| peer.is_heard).count();
    for peer in neighbours {
        let last = peer.last_heard.map_or(-1, |ago| ago.as_millis() as i64);
        let line = format!(
            "heartbeat: node {} heard {} adjacent {} last-heard-ms {last} skew-ms {}",
            peer.node, peer.is_heard, peer.is_adjacent, peer.skew_ms
        );
        call.node.host.log().message(&line);
    }
    dump(call, out, format_args!("heartbeat: peers {peers}"))
}

pub(super) fn dump_clock(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    check_verbose(call)?;
    let now = call.node.host.now();
    dump(call, out, format_args!("clock: ms-since-2010 {}", now.0))
}

pub(super) fn dump_migrations(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    check_verbose(call)?;
    let (mut outgoing, mut incoming) = (0, 0);
    for place in 0..call.node.namespaces.len() {
        let remaining = call.node.migrations_remaining(place);
        outgoing += remaining.active_tx;
        incoming += remaining.active_rx;
    }
    dump(call, out, format_args!("migrations: outgoing {outgoing} incoming {incoming}"))
}

pub(super) fn dump_requests(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    dump(call, out, "requests: parked 0")
}

pub(super) fn dump_skew(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let peers = call.node.neighbours().iter().filter(|peer| peer.is_heard).count();
    let skew = call.node.clock_skew_ms();
    dump(call, out, format_args!("clock-skew: peers {peers} skew-ms {skew}"))
}

pub(super) fn dump_write_blocks(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let namespace = call.namespace()?;
    let (used, total) = (namespace.data_used_bytes(), namespace.data_total_bytes());
    let name = &namespace.name;
    dump(call, out, format_args!("{{{name}}} write-blocks: used-bytes {used} total-bytes {total}"))
}

/// Writes the allocator's figures into the log. The names and options of the original's own report
/// are taken but make no difference.
pub(super) fn heap(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    for key in ["file", "options", "sites"] {
        call.optional(key, HEAP_PARAM_BYTES_MAX)?;
    }
    let vitals = call.node.host.vitals();
    let (allocated, active) = (vitals.heap_allocated_kbytes, vitals.heap_active_kbytes);
    let mapped = vitals.heap_mapped_kbytes;
    dump(call, out, format_args!("heap-kbytes: ({allocated},{active},{mapped})"))
}

/// Stacks of all threads: the process cannot look into them.
pub(super) fn thread_traces(_: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    Err(Refusal::new(ResultCode::UNSUPPORTED_FEATURE, "stack traces are not kept: use a debugger"))
}
