//! `get-config` and `set-config` beyond what was recorded.

use super::golden::golden_config;
use crate::info::{Params, set_xdr};
use crate::*;

#[track_caller]
fn set(config: &mut Config, params: &str) -> Change {
    match set_config(config, params, true) {
        Ok(applied) => {
            *config = applied.config;
            applied.change
        }
        Err(error) => panic!("{params}: {error:?}"),
    }
}

#[track_caller]
fn refused(config: &Config, params: &str, answer: &str) {
    let error = set_config(config, params, true).expect_err(params);
    assert_eq!(error.to_string(), answer, "{params}: {error:?}");
}

const INVALID: &str = "ERROR:4:invalid set-config parameter";

#[test]
fn a_change_says_what_it_did() {
    let mut config = golden_config();
    let change = set(&mut config, "context=namespace;id=test;nsup-period=2m");
    let expected = Change {
        context: "namespace",
        namespace: Some("test".into()),
        name: "nsup-period".into(),
        old: "1".into(),
        new: "120".into(),
        ..Change::default()
    };
    assert_eq!(change, expected);
    assert_eq!(config.namespace("test").unwrap().nsup_period_seconds, 120);

    let change = set(&mut config, "context=namespace;namespace=test;set=s;enable-index=true");
    assert_eq!((change.set.as_deref(), change.new.as_str()), (Some("s"), "true"));
    assert!(config.namespace("test").unwrap().set("s").unwrap().enable_index);
}

#[test]
fn a_setting_of_a_set_is_set_as_by_a_command() {
    let config = golden_config();
    for (name, value) in [
        ("stop-writes-count", "10"),
        ("stop-writes-size", "1M"),
        ("default-ttl", "-1"),
        ("default-ttl", "2d"),
        ("default-read-touch-ttl-pct", "80"),
        ("enable-index", "true"),
        ("disable-eviction", "true"),
    ] {
        let params = format!("context=namespace;id=test;set=a|b;{name}={value}");
        assert!(is_about_set(&params));
        let by_command = set_config(&config, &params, true).unwrap();
        let by_itself = set_in_set(&config, ("test", "a|b"), (name, value)).unwrap();
        assert_eq!(by_command, by_itself, "{name}");
        assert_ne!(by_itself.change.old, by_itself.change.new, "{name}");
    }
    for (namespace, set, name, value) in [
        ("none", "s", "stop-writes-count", "1"),
        ("test", "", "stop-writes-count", "1"),
        ("test", "s", "nsup-period", "1"),
        ("test", "s", "enable-index", "yes"),
    ] {
        assert!(set_in_set(&config, (namespace, set), (name, value)).is_err(), "{name}={value}");
    }
    for params in ["context=namespace;id=test;nsup-period=1", "context=service;set=s", ""] {
        assert!(!is_about_set(params), "{params}");
    }
}

#[test]
fn an_error_changes_nothing() {
    let config = golden_config();
    for params in [
        "context=namespace;namespace=test;set=new;default-ttl=nonsense",
        "context=service;microsecond-histograms=maybe",
    ] {
        refused(&config, params, INVALID);
    }
    assert_eq!(config, golden_config());
}

#[test]
fn missing_parameters_are_named() {
    let config = golden_config();
    refused(&config, "context=;a=b", "ERROR:4:missing 'context' value");
    refused(&config, "context=namespace;namespace=;a=b", "ERROR:20:missing 'namespace' value");
    let long = "n".repeat(NAMESPACE_NAME_MAX + 1);
    let params = format!("context=namespace;namespace={long};default-ttl=0");
    refused(&config, &params, "ERROR:20:'namespace' value too long");
}

#[test]
fn prefixes_lead_into_contexts() {
    let mut config = golden_config();
    set(&mut config, "context=network;heartbeat.interval=250");
    assert_eq!(config.network.heartbeat.interval_ms, 250);
    set(&mut config, "context=network;fabric.channel-rw-recv-threads=32");
    let change = set(&mut config, "context=network;heartbeat.protocol=reset");
    assert_eq!((change.old.as_str(), change.new.as_str()), ("v3", "reset"));
    set(&mut config, "context=namespace;namespace=test;geo2dsphere-within-max-cells=20");
    assert_eq!(config.namespace("test").unwrap().geo2dsphere_within.max_cells, 20);
    set(&mut config, "context=namespace;namespace=test;stop-writes-used-pct=60");
    assert_eq!(config.namespace("test").unwrap().storage_engine.stop_writes_used_pct, 60);
    refused(&config, "context=network;heartbeat.port=3000", INVALID);
}

#[test]
fn a_command_may_not_lead_where_a_file_could_not() {
    let mut config = golden_config();
    set(&mut config, "context=namespace;namespace=test;allow-ttl-without-nsup=false");
    set(&mut config, "context=namespace;namespace=test;default-ttl=1d");
    refused(&config, "context=namespace;namespace=test;nsup-period=0", INVALID);
    config.namespaces[0].default_ttl_seconds = 0;
    config.namespaces[0].nsup_period_seconds = 0;
    assert!(set_in_set(&config, ("test", "s"), ("default-ttl", "1d")).is_err(), "as a command");
    refused(&config, "context=network;heartbeat.connect-timeout-ms=501", INVALID);
    refused(&config, "context=namespace;namespace=test;geo2dsphere-within-min-level=21", INVALID);
}

#[test]
fn settings_follow_the_mode_of_their_context() {
    let mut config = golden_config();
    // Only devices have this cache; only transactions have a duration.
    refused(&config, "context=namespace;namespace=test;post-write-cache=1G", INVALID);
    refused(&config, "context=namespace;namespace=test;mrt-duration=20", INVALID);
    set(&mut config, "context=service;enable-hist-info=true");
    refused(&config, "context=service;microsecond-histograms=true", INVALID);
    set(&mut config, "context=service;enable-hist-info=false");
    set(&mut config, "context=service;microsecond-histograms=true");
}

#[test]
fn features_of_a_later_release_are_not_promised() {
    let config = golden_config();
    refused(&config, "context=namespace;namespace=test;rack-id=1", INVALID);
    refused(&config, "context=xdr;dc=a;action=create", "ERROR:25:not in this release");
    refused(&config, "context=security;session-ttl=200", "ERROR:25:not in this release");
}

#[test]
fn answers_follow_engine_and_mode() {
    let text = include_bytes!("../../testdata/every-setting.conf");
    let config = parse(text, "every-setting.conf", Notation::Conf).unwrap().config;
    let mut out = String::new();
    for params in [
        "context=network",
        "context=namespace;namespace=memory",
        "context=namespace;namespace=backed",
        "context=namespace;namespace=device",
        "context=namespace;namespace=pmem",
        "context=security",
        "context=xdr",
        "context=xdr;dc=far",
        "context=xdr;dc=far;namespace=memory",
        "context=xdr;dc=near",
    ] {
        out += &format!("{params}\n  {}\n", get_config(&config, params).replace(';', "\n  "));
    }
    super::expect_file("every-setting.answers", &out);
}

#[test]
fn a_namespace_shows_the_same_pairs_beside_its_statistics() {
    let config = golden_config();
    let pairs = namespace_config_pairs(config.namespace("bar").unwrap());
    let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(pairs.join(";"), get_config(&config, "context=namespace;namespace=bar"));
}

#[test]
fn shipping_is_changed_by_actions() {
    let mut config = golden_config();
    let mut run = |params: &str| set_xdr(&mut config, &Params::new(params));
    assert!(run("dc=a;namespace=test;action=add").is_err());
    for params in [
        "src-id=3",
        "dc=a;action=create",
        "dc=a;node-address-port=10.0.0.5:3000;action=add",
        "dc=a;node-address-port=[fd00::5]:4333:far;action=add",
        "dc=a;namespace=test;action=add;rewind=3600",
        "dc=a;namespace=test;ship-bin=x",
        "dc=a;namespace=test;ignore-bin=y",
        "dc=a;namespace=test;ignore-bin=x",
        "dc=a;period-ms=50",
    ] {
        run(params).unwrap_or_else(|error| panic!("{params}: {error:?}"));
    }
    for params in [
        "dc=a;action=create",
        "dc=a;action=delete",
        "dc=b;action=delete",
        "dc=a;node-address-port=10.0.0.5:3000",
        "dc=a;node-address-port=10.0.0.5;action=add",
        "dc=a;namespace=test;max-throughput=150",
        "dc=a;namespace=bar;action=add;rewind=soon",
    ] {
        assert!(run(params).is_err(), "{params}");
    }
    let nodes = "node-address-port=10.0.0.5:3000,[fd00::5]:4333:far;period-ms=50";
    assert!(get_config(&config, "context=xdr;dc=a").contains(nodes));
    let namespace = get_config(&config, "context=xdr;dc=a;namespace=test");
    assert!(namespace.contains("ignored-bins=y,x;"), "{namespace}");
    assert!(namespace.contains("shipped-bins=;"), "{namespace}");
    assert_eq!(get_config(&config, "context=xdr"), "dcs=a;src-id=3;trace-sample=0");
}
