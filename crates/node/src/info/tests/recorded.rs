//! What the original answered to commands that need no more than ten records.

use std::sync::Arc;

use super::super::answer;
use super::super::testing::{CLIENT, node_with, send, write};
use crate::node::Node;

/// Values that differ from one server to the next.
const VOLATILE: [&str; 2] = ["data_used_bytes", "truncate_lut"];

/// A node like the one recorded.
fn recorded_node() -> Arc<Node> {
    let text = include_bytes!("../../../../config/testdata/golden.conf");
    let parsed = config::parse(text, "golden.conf", config::Notation::Conf).unwrap();
    let mut config = parsed.config;
    config.resolve(&config::Host { cpus: 2, node_id: 0xA1, heartbeat_mtu_bytes: 65_536 });
    let (_, node) = node_with(config);
    for number in 0..10 {
        assert_eq!(send(&node, &write(Some("yinfo"), &format!("r{number}"), 0)), 0);
    }
    node
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        out.push(match next {
            '\\' => match rest.next().unwrap() {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '0' => '\0',
                other => other,
            },
            other => other,
        });
    }
    out
}

fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    text.trim_end_matches(separator).split(separator)
}

fn key_of(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(key, _)| key)
}

fn joined<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.collect::<Vec<_>>().join(",")
}

fn before_colon(record: &str) -> &str {
    record.split_once(':').map_or(record, |(name, _)| name)
}

/// A reply as far as it can be compared.
fn comparable(norm: &str, reply: &str) -> String {
    if reply.starts_with("ERROR") && norm != "presence" {
        return reply.into();
    }
    match norm {
        "exact" | "records" | "hist" | "lines" => reply.into(),
        "keys" => joined(parts(reply, ';').map(key_of)),
        "presence" if reply.starts_with("ERROR") => "error".into(),
        "presence" => if reply.is_empty() { "empty" } else { "value" }.into(),
        "node" => {
            let is_hex = (1..=16).contains(&reply.len())
                && reply.chars().all(|c| matches!(c, '0'..='9' | 'A'..='F'));
            if is_hex { "hex" } else { reply }.into()
        }
        "lat" | "log" | "sinks" => joined(reply.split(';').map(before_colon)),
        "digits" => without_numbers(reply),
        "set" => parts(reply.trim_end_matches(';'), ':').map(masked).collect::<Vec<_>>().join(":"),
        "setkeys" => set_keys(reply),
        "smdinfo" => parts(reply, ';').map(module).collect::<Vec<_>>().join(" "),
        "debug" => joined(names(reply)),
        "pinfo" => partition_row(reply),
        other => panic!("no such norm: {other}"),
    }
}

fn masked(pair: &str) -> String {
    match pair.split_once('=') {
        Some((key, _)) if VOLATILE.contains(&key) => format!("{key}=*"),
        _ => pair.into(),
    }
}

fn set_keys(reply: &str) -> String {
    if !reply.contains('=') {
        return reply.into();
    }
    let keys = |record: &str| joined(record.split(':').map(key_of));
    let mut records: Vec<_> = parts(reply, ';').map(keys).collect();
    records.sort_unstable();
    records.dedup();
    let end = if reply.ends_with(';') { "closed" } else { "open" };
    format!("{end} {}", records.join(" "))
}

fn module(record: &str) -> String {
    let (name, pairs) = record.split_once(':').unwrap();
    format!("{name}:{}", joined(pairs.split(',').map(key_of)))
}

/// The words before each `=`.
fn names(reply: &str) -> impl Iterator<Item = &str> {
    reply.match_indices('=').filter_map(|(at, _)| {
        let before = &reply[..at];
        let is_name = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
        let start = before.rfind(|c| !is_name(c)).map_or(0, |place| place + 1);
        let name = before[start..].trim_start_matches(|c: char| !c.is_ascii_lowercase());
        (!name.is_empty()).then_some(name)
    })
}

/// Decimal and hexadecimal numbers replaced by `#`.
fn without_numbers(reply: &str) -> String {
    let mut out = String::new();
    let mut rest = reply;
    while !rest.is_empty() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let is_number =
            word.chars().all(|c| c.is_ascii_hexdigit()) && word.chars().any(|c| c.is_ascii_digit());
        out.push_str(if is_number { "#" } else { word });
        let mut after = after.chars();
        out.extend(after.next());
        rest = after.as_str();
    }
    out
}

/// Number of rows, names of the columns, and the first row without what differs between servers.
fn partition_row(reply: &str) -> String {
    let rows: Vec<_> = reply.split(';').collect();
    let columns = rows[1].split(':').enumerate().map(|(place, value)| match place {
        6 | 7 | 11 | 12 => "*".into(),
        14.. => format!("key.{}", value.split_once('.').unwrap().1),
        _ => value.to_owned(),
    });
    let first = columns.collect::<Vec<_>>().join(":");
    format!("{} rows, {}, {first}", rows.len() - 1, rows[0])
}

fn reply_to(node: &Node, norm: &str, command: &str) -> String {
    let is_body = norm == "lines";
    let body = if is_body { command.to_owned() } else { format!("{command}\n") };
    let mut out = Vec::new();
    answer(node, body.as_bytes(), CLIENT, &mut out);
    let reply = String::from_utf8(out).unwrap();
    if is_body {
        return reply;
    }
    // The echo, which ends at a zero byte, and the newline are alike for all.
    let echo = command.split('\0').next().unwrap();
    let value = reply.strip_prefix(echo).and_then(|rest| rest.strip_prefix('\t'));
    comparable(norm, value.and_then(|value| value.strip_suffix('\n')).expect("echo and newline"))
}

#[test]
fn every_recorded_reply_is_matched() {
    let node = recorded_node();
    let script = include_str!("../../../testdata/info_replies.txt");
    let mut differing = Vec::new();
    for line in script.lines().filter(|line| !line.starts_with('#')) {
        let [norm, command, expected] =
            line.split('\t').collect::<Vec<_>>().try_into().expect("three columns");
        let actual = reply_to(&node, norm, &unescaped(command));
        if actual != unescaped(expected) {
            differing.push(format!("{norm} {command}\n   original {expected}\n   here {actual}"));
        }
    }
    assert!(differing.is_empty(), "{}\n{} replies differ", differing.join("\n"), differing.len());
}
