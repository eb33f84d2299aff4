//! The rules by which two replies count as equal.
//!
//! Compared: result code, generation, every field, every bin in order (type and bytes). Void-times
//! are absolute, so those of the replayed server count from a moment that lies as much later as the
//! replay does; they may differ by two seconds more.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use regex::Regex;

use super::message::{Message, Op};
use super::multi;
use super::reply::{Kind, Reply, latin1};
use super::transcript::Norm;

/// Seconds by which two void-times may differ.
const VOID_TIME_SLACK_S: i64 = 2;

const PARTICLE_STRING: u8 = 3;
const PARTICLE_GEOJSON: u8 = 23;

/// In what two replies differ: a short class, by which differences are counted.
pub type Difference = String;

/// What may differ between two replies that count as equal.
#[derive(Clone, Debug)]
pub struct Rules {
    pub norm: Norm,
    /// Seconds between the recording and the replay: what is the same there may lie as far apart as
    /// any of them here, each on its own.
    pub elapsed_s: RangeInclusive<i64>,
}

impl Rules {
    /// The same rules where nothing but the time may differ.
    pub(super) fn exact(&self) -> Self {
        Self { norm: Norm::Exact, elapsed_s: self.elapsed_s.clone() }
    }

    /// A recorded void-time and one that we got, of which 0 means never.
    pub(super) fn void_times_equal(&self, recorded: u32, got: u32) -> bool {
        let passed_s = i64::from(got) - i64::from(recorded);
        let (least, most) = (self.elapsed_s.start(), self.elapsed_s.end());
        let as_expected = least - VOID_TIME_SLACK_S..=most + VOID_TIME_SLACK_S;
        if recorded == 0 || got == 0 { recorded == got } else { as_expected.contains(&passed_s) }
    }
}

/// The first difference between the recorded reply and the one that we got, none when equal.
pub fn difference(kind: Kind, rules: &Rules, recorded: &Reply, got: &Reply) -> Option<Difference> {
    match (recorded, got) {
        (Reply::Frames(_), Reply::Frames(_)) => {}
        _ if recorded == got => return None,
        (_, Reply::Closed) => return Some("got: connection closed".to_owned()),
        (_, Reply::Silence) => return Some("got: no reply".to_owned()),
        _ => return Some("recorded: connection closed".to_owned()),
    }
    if kind == Kind::Info {
        return info_difference(rules.norm, recorded, got);
    }
    let (Ok(a), Ok(b)) = (recorded.messages(), got.messages()) else {
        return (recorded != got).then(|| "undecodable".to_owned());
    };
    match kind {
        Kind::Record => record_difference(&a, &b, rules),
        Kind::Batch => multi::batch_difference(&a, &b, rules),
        Kind::Query | Kind::Info => multi::query_difference(&a, &b, rules),
    }
}

fn info_difference(norm: Norm, recorded: &Reply, got: &Reply) -> Option<Difference> {
    if recorded.frame_type() != got.frame_type() {
        return Some("frame-type".to_owned());
    }
    let (a, b) = (recorded.info_text()?, got.info_text()?);
    let equal = match norm {
        Norm::Info(norm) => norm.comparable(&a) == norm.comparable(&b),
        _ => a == b,
    };
    let command = a.split([':', '/', ';', '\t', '\n']).next().unwrap_or_default();
    (!equal).then(|| format!("text of {command:.40?}"))
}

fn record_difference(a: &[Message], b: &[Message], rules: &Rules) -> Option<Difference> {
    if a.len() != b.len() {
        return Some("message-count".to_owned());
    }
    a.iter().zip(b).find_map(|(a, b)| message_difference(a, b, rules))
}

/// The first difference between two messages.
pub(super) fn message_difference(a: &Message, b: &Message, rules: &Rules) -> Option<Difference> {
    if a.result != b.result {
        return Some(format!("result-code {} became {}", a.result, b.result));
    }
    if let Some(difference) = ops_difference(&a.ops, &b.ops, rules.norm) {
        return Some(difference);
    }
    let class = if a.generation != b.generation {
        "generation"
    } else if !rules.void_times_equal(a.void_time, b.void_time) {
        "void-time"
    } else if a.fields != b.fields {
        "fields"
    } else if (a.header_size, a.info, a.transaction_ttl)
        != (b.header_size, b.info, b.transaction_ttl)
    {
        "header"
    } else {
        return None;
    };
    Some(class.to_owned())
}

/// The first difference between two lists of bins.
pub(super) fn ops_difference(a: &[Op], b: &[Op], norm: Norm) -> Option<Difference> {
    if a.len() != b.len() {
        return Some("op-count".to_owned());
    }
    let (x, y) = a.iter().zip(b).find(|(x, y)| x != y && !udf_texts_equal(x, y, norm))?;
    let class = if (x.code, x.flags) != (y.code, y.flags) {
        "op-header"
    } else if x.name != y.name {
        if sorted(a) == sorted(b) { "bin-order" } else { "bin-name" }
    } else if x.particle != y.particle {
        "particle-type"
    } else if x.particle == PARTICLE_GEOJSON && geo_text(&x.value) == geo_text(&y.value) {
        "geo-cells"
    } else {
        "value"
    };
    Some(class.to_owned())
}

/// Text in which paths of Lua modules have lost their folders.
pub(super) fn without_folders(text: &[u8]) -> String {
    static LUA_PATH: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?:/[^\s:'"/\[\]]+)+/([^\s:'"/\[\]]+\.lua)"#).expect("a valid pattern")
    });
    LUA_PATH.replace_all(&latin1(text), "$1").into_owned()
}

fn udf_texts_equal(x: &Op, y: &Op, norm: Norm) -> bool {
    norm == Norm::Udf
        && (x.code, x.flags, &x.name) == (y.code, y.flags, &y.name)
        && (x.particle, y.particle) == (PARTICLE_STRING, PARTICLE_STRING)
        && without_folders(&x.value) == without_folders(&y.value)
}

/// What follows the cells of a geo value.
fn geo_text(value: &[u8]) -> &[u8] {
    let [_, high, low, rest @ ..] = value else { return value };
    let cells_size = 8 * usize::from(u16::from_be_bytes([*high, *low]));
    rest.get(cells_size..).unwrap_or_default()
}

fn sorted(ops: &[Op]) -> Vec<&Op> {
    let mut sorted: Vec<_> = ops.iter().collect();
    sorted.sort();
    sorted
}
