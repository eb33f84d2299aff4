//! Requests and replies as a person can read them.

use std::fmt::Write;

use super::message::{Field, Message, Op, decode_body, decode_first};
use super::reply::{FRAME_HEADER_SIZE, Reply, TYPE_INFO, TYPE_MESSAGE, latin1};
use super::transcript::Norm;

/// Longest text of one request or reply.
const TEXT_MAX: usize = 1200;
/// Characters shown before the place where two texts part.
const SHOWN_BEFORE: usize = 60;
/// Longest dump of bytes.
const HEX_MAX: usize = 40;

const INFO_FLAGS: [&[&str]; 4] = [
    &[
        "READ",
        "GET_ALL",
        "SHORT_QUERY",
        "BATCH",
        "XDR",
        "GET_NO_BINS",
        "CONSISTENCY_ALL",
        "COMPRESS_RESPONSE",
    ],
    &[
        "WRITE",
        "DELETE",
        "GENERATION",
        "GENERATION_GT",
        "DURABLE_DELETE",
        "CREATE_ONLY",
        "RELAX_LONG",
        "RESPOND_ALL",
    ],
    &[
        "LAST",
        "COMMIT_MASTER",
        "PARTITION_DONE",
        "UPDATE_ONLY",
        "CREATE_OR_REPLACE",
        "REPLACE_ONLY",
        "SC_TYPE",
        "SC_RELAX",
    ],
    &["VERIFY_READ", "ROLL_FORWARD", "ROLL_BACK", "MONITOR_DRIVEN", "ON_LOCKING_ONLY"],
];

/// A request frame.
pub fn request(frame: &[u8]) -> String {
    let body = frame.get(FRAME_HEADER_SIZE..).unwrap_or_default();
    let text = match frame.get(1) {
        Some(&TYPE_INFO) => format!("info {:?}", latin1(body)),
        Some(&TYPE_MESSAGE) => match decode_first(body) {
            Ok(message) => message_text(&message, Side::Request),
            Err(error) => format!("{error}: {}", hex(frame)),
        },
        _ => format!("frame {}", hex(frame)),
    };
    shortened(text)
}

/// All frames of a reply.
pub fn reply(reply: &Reply) -> String {
    let frames = match reply {
        Reply::Frames(frames) => frames,
        Reply::Closed => return "connection closed".to_owned(),
        Reply::Silence => return "no reply".to_owned(),
    };
    let texts: Vec<String> = frames.iter().map(|frame| reply_frame(frame)).collect();
    shortened(texts.join("\n"))
}

/// Two info replies that differ: of long ones only the part where they do.
pub fn info_replies(norm: Norm, recorded: &Reply, got: &Reply) -> (String, String) {
    let (Some(a), Some(b)) = (recorded.info_text(), got.info_text()) else {
        return (reply(recorded), reply(got));
    };
    let Norm::Info(norm) = norm else {
        let common = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
        let from = |text: &str| text.chars().skip(common.saturating_sub(SHOWN_BEFORE)).collect();
        return (shortened(from(&a)), shortened(from(&b)));
    };
    let (a, b) = (norm.comparable(&a), norm.comparable(&b));
    let only = |these: &[String], those: &[String]| {
        let lines: Vec<_> = these.iter().filter(|line| !those.contains(line)).cloned().collect();
        if lines.is_empty() { "the same items".to_owned() } else { shortened(lines.join("\n")) }
    };
    (format!("only here: {}", only(&a, &b)), format!("only here: {}", only(&b, &a)))
}

fn reply_frame(frame: &[u8]) -> String {
    let body = frame.get(FRAME_HEADER_SIZE..).unwrap_or_default();
    match frame.get(1) {
        Some(&TYPE_INFO) => format!("info {:?}", latin1(body)),
        Some(&TYPE_MESSAGE) => match decode_body(body) {
            Ok(messages) => {
                let texts = messages.iter().map(|message| message_text(message, Side::Reply));
                texts.collect::<Vec<_>>().join("\n")
            }
            Err(error) => format!("{error}: {}", hex(frame)),
        },
        _ => format!("frame {}", hex(frame)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Reply,
}

fn message_text(message: &Message, side: Side) -> String {
    let flags = flags_text(message.info);
    let ttl = message.void_time;
    let mut text = match side {
        Side::Request => flags,
        Side::Reply => format!("result={} {flags}", message.result),
    };
    // Writing to a string cannot fail.
    let _ = match side {
        Side::Request => write!(text, " gen={} ttl={}", message.generation, ttl.cast_signed()),
        Side::Reply => write!(text, " gen={} void-time={ttl}", message.generation),
    };
    for field in &message.fields {
        let _ = write!(text, " {}", field_text(field));
    }
    for op in &message.ops {
        let _ = write!(text, "\n{}", op_text(op));
    }
    text
}

fn flags_text(info: [u8; 4]) -> String {
    let mut names = Vec::new();
    for (byte, flags) in info.into_iter().zip(INFO_FLAGS) {
        let set = flags.iter().enumerate().filter(|(bit, _)| byte >> bit & 1 == 1);
        names.extend(set.map(|(_, name)| *name));
    }
    if names.is_empty() { "-".to_owned() } else { names.join("|") }
}

fn field_text(field: &Field) -> String {
    match field.kind {
        0 => format!("ns={:?}", latin1(&field.data)),
        1 => format!("set={:?}", latin1(&field.data)),
        2 => match field.data.split_first() {
            Some((particle, value)) => format!("key={}", value_text(*particle, value)),
            None => "key=empty".to_owned(),
        },
        4 => format!("digest={}", hex(&field.data)),
        other => format!("field{other}={}", hex(&field.data)),
    }
}

fn op_text(op: &Op) -> String {
    let name = match op.code {
        1 => "read",
        2 => "write",
        3 => "cdt-read",
        4 => "cdt-modify",
        5 => "incr",
        7 => "exp-read",
        8 => "exp-modify",
        9 => "append",
        10 => "prepend",
        11 => "touch",
        12 => "bits-read",
        13 => "bits-modify",
        14 => "delete-all",
        15 => "hll-read",
        16 => "hll-modify",
        _ => "op",
    };
    let flags = if op.flags == 0 { String::new() } else { format!(" flags={:#x}", op.flags) };
    let value = value_text(op.particle, &op.value);
    format!("{name}({}) {:?}{flags} {value}", op.code, latin1(&op.name))
}

fn value_text(particle: u8, value: &[u8]) -> String {
    let number = <[u8; 8]>::try_from(value);
    match (particle, number) {
        (0, _) if value.is_empty() => "nil".to_owned(),
        (1, Ok(bytes)) => format!("int {}", i64::from_be_bytes(bytes)),
        (2, Ok(bytes)) => format!("float {:?}", f64::from_be_bytes(bytes)),
        (3, _) if value.len() <= 200 => format!("string {:?}", latin1(value)),
        _ => format!("particle {particle} {}", hex(value)),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::from("<");
    for byte in bytes.iter().take(HEX_MAX) {
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > HEX_MAX {
        let _ = write!(text, "..({})", bytes.len());
    }
    text.push('>');
    text
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(TEXT_MAX) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}
