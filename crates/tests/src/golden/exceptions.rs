//! Requests that need a capability of a later step of this project.
//!
//! Such a request may be refused (result 16 or 25) without counting as a difference: it is excepted,
//! counted and listed. This list shrinks as capabilities arrive, and ends empty.

use super::batch;
use super::link::Request;
use super::message::{Message, decode_first};
use super::reply::{FRAME_HEADER_SIZE, Kind, Reply, latin1};

/// Results that refuse a request for lack of a feature.
const REFUSALS: [u8; 2] = [16, 25];

/// Flag of the second info byte.
const INFO2_DURABLE_DELETE: u8 = 0x10;

const FIELD_UDF_FILE: u8 = 30;

/// Why a step may be refused: the capability it needs.
pub type Capability = &'static str;

/// The later capability that a request needs, if any.
pub fn later_capability(request: Request<'_>) -> Option<Capability> {
    match request.kind {
        Kind::Batch => later_batch(&decode_first(body(request.bytes)).ok()?),
        Kind::Query => Some("query"),
        Kind::Info => later_info(&latin1(body(request.bytes))),
        Kind::Record => later_message(&decode_first(body(request.bytes)).ok()?),
    }
}

/// Whether a reply refuses its request for lack of a feature.
pub fn is_refusal(kind: Kind, reply: &Reply) -> bool {
    if kind == Kind::Info {
        let text = reply.info_text().unwrap_or_default();
        return REFUSALS.iter().any(|code| text.contains(&format!("\tERROR:{code}:")));
    }
    reply
        .messages()
        .is_ok_and(|messages| messages.iter().any(|message| REFUSALS.contains(&message.result)))
}

/// Whether a reply says that the request was carried out, so that a server which refused it now
/// holds other data than the original did.
pub fn took_effect(kind: Kind, reply: &Reply) -> bool {
    if kind == Kind::Info {
        let text = reply.info_text().unwrap_or_default();
        return !text.contains("\tERROR") && !text.contains("\terror=");
    }
    reply.messages().is_ok_and(|messages| messages.iter().any(|message| message.result == 0))
}

fn later_message(message: &Message) -> Option<Capability> {
    message.field(FIELD_UDF_FILE).map(|_| "record UDF")
}

fn later_batch(message: &Message) -> Option<Capability> {
    let rows = batch::rows(message);
    later_message(message).or_else(|| rows.iter().find_map(later_message)).or_else(|| {
        let is_durable = |row: &Message| row.info[1] & INFO2_DURABLE_DELETE != 0;
        rows.iter().any(is_durable).then_some("durable deletes, which the recorded server refused")
    })
}

/// Whether a batch did things that its reply does not tell: rows are carried out, but not answered,
/// once one has failed.
pub fn may_hide_effects(request: Request<'_>, reply: &Reply) -> bool {
    let overall = reply.messages().ok().and_then(|messages| messages.last().cloned());
    request.kind == Kind::Batch
        && later_capability(request).is_some()
        && overall.is_some_and(|last| last.result != 0)
}

fn later_info(text: &str) -> Option<Capability> {
    text.lines().find_map(|line| {
        let name = line.split([':', '/', ';']).next()?;
        match name {
            "query-show" | "query-abort" | "query-abort-all" => Some("query jobs"),
            _ if name.starts_with("udf-") => Some("UDF modules"),
            _ => None,
        }
    })
}

fn body(frame: &[u8]) -> &[u8] {
    frame.get(FRAME_HEADER_SIZE..).unwrap_or_default()
}
