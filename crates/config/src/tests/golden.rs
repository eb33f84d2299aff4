//! Replays what the original answered to configuration commands.

use std::collections::BTreeMap;

use crate::{Applied, Config, Host, Notation, get_config, parse, set_config, set_config_pairs};

/// The configuration of the recorded server, as it runs.
pub(super) fn golden_config() -> Config {
    let text = include_bytes!("../../testdata/golden.conf");
    let parsed = parse(text, "golden.conf", Notation::Conf).expect("the original accepted it");
    assert_eq!(parsed.warnings, []);
    let mut config = parsed.config;
    config.resolve(&Host { cpus: 2, node_id: 0xbb9, heartbeat_mtu_bytes: 65_536 });
    config
}

/// Applies or answers one recorded command.
fn answer(config: &mut Config, command: &str) -> String {
    let name_end = command.find([':', '/', ';']).unwrap_or(command.len());
    let (name, rest) = command.split_at(name_end);
    let params = rest.get(1..).unwrap_or_default();
    match name {
        "get-config" | "config-get" => get_config(config, params),
        "set-config" | "config-set" => match set_config(config, params, true) {
            Ok(Applied { config: changed, .. }) => {
                *config = changed;
                "ok".into()
            }
            Err(error) => error.to_string(),
        },
        "sets" => {
            let set = config.namespace("bar").unwrap().set("yinfo").cloned().unwrap_or_default();
            let pairs: Vec<_> = set_config_pairs(&set).map(|(n, v)| format!("{n}={v}")).collect();
            pairs.join(":")
        }
        _ => panic!("not a configuration command: {command}"),
    }
}

/// Puts `*` where the expected answer has it.
fn masked(answer: &str, expected: &str) -> String {
    let pair = |(actual, expected): (&str, &str)| match expected.split_once('=') {
        Some((name, "*")) if actual.starts_with(&format!("{name}=")) => expected.to_owned(),
        _ => actual.to_owned(),
    };
    if answer.split(';').count() != expected.split(';').count() {
        return answer.to_owned();
    }
    answer.split(';').zip(expected.split(';')).map(pair).collect::<Vec<_>>().join(";")
}

/// Replaces the pairs of `first` that `changes` names.
fn changed(first: &str, changes: &str) -> String {
    let changes: BTreeMap<_, _> =
        changes.split(';').filter_map(|pair| pair.split_once('=')).collect();
    let pairs = first.split(';').map(|pair| match pair.split_once('=') {
        Some((name, _)) if changes.contains_key(name) => format!("{name}={}", changes[name]),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join(";")
}

#[test]
fn every_recorded_reply_is_matched() {
    let mut config = golden_config();
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let script = include_str!("../../testdata/golden.txt");
    let lines = script.lines().filter(|line| !line.starts_with('#'));
    for (count, line) in lines.enumerate() {
        let (command, reply) = line.split_once('\t').unwrap();
        let expected = match reply.strip_prefix('~') {
            Some(changes) => changed(first[command], changes),
            None => {
                first.insert(command, reply);
                reply.to_owned()
            }
        };
        let actual = answer(&mut config, command);
        assert_eq!(masked(&actual, &expected), expected, "reply {count} to {command}");
    }
}
