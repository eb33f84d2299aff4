//! Whole files: the good, in both notations, and the bad with their messages.

use std::fmt::Write as _;
use std::path::Path;

use super::expect_file;
use super::registry::for_each_row;
use crate::*;

const EVERY_CONF: &str = include_str!("../../testdata/every-setting.conf");
const EVERY_YAML: &str = include_str!("../../testdata/every-setting.yaml");

fn read(text: &str, file: &str) -> Result<Parsed, ConfigErrors> {
    parse(text.as_bytes(), file, Notation::of(Path::new(file)))
}

#[test]
fn every_setting_reaches_its_field() {
    let parsed = read(EVERY_CONF, "every-setting.conf").unwrap();
    expect_file("every-setting.tree", &format!("{:#?}\n", parsed.config));
}

#[test]
fn the_file_with_every_setting_names_every_setting() {
    let words = |name: &str| EVERY_CONF.lines().any(|l| l.split_whitespace().next() == Some(name));
    // These two contradict others; their bounds are tested like everyone's.
    let contradicting = ["node-id-interface", "multicast-group"];
    for_each_row(&mut |_, row| {
        let left_out = row.spec.command_only || contradicting.contains(&row.name);
        assert!(left_out || words(row.name), "{} is not in every-setting.conf", row.name);
    });
}

#[test]
fn yaml_is_the_same_tree() {
    let conf = read(EVERY_CONF, "every-setting.conf").unwrap();
    let yaml = read(EVERY_YAML, "every-setting.yaml").unwrap();
    assert_eq!(conf.config, yaml.config);
    let texts = |parsed: &Parsed| -> Vec<(String, String)> {
        parsed.warnings.iter().map(|w| (w.name.clone(), w.text.clone())).collect()
    };
    assert_eq!(texts(&conf), texts(&yaml));
}

#[test]
fn warnings_name_line_and_reason() {
    let parsed = read(EVERY_CONF, "every-setting.conf").unwrap();
    let mut out = String::new();
    for warning in &parsed.warnings {
        let _ = writeln!(out, "{warning}");
    }
    expect_file("every-setting.warnings", &out);
}

/// `bad-files.txt` holds files, each after a line `=== name`, with the messages that they yield
/// after a line `---`.
#[test]
fn bad_files_are_refused_with_line_and_reason() {
    let script = include_str!("../../testdata/bad-files.txt");
    let mut blocks = script.split("=== ");
    let mut out = blocks.next().unwrap_or_default().to_owned();
    for block in blocks {
        let (file, rest) = block.split_once('\n').unwrap();
        let (text, _expected) = rest.split_once("---\n").unwrap();
        let messages = match read(text.trim_end_matches('\n'), file) {
            Ok(_) => panic!("{file} was accepted:\n{text}"),
            Err(errors) => errors.to_string(),
        };
        let _ = write!(out, "=== {file}\n{text}---\n{messages}\n\n");
    }
    expect_file("bad-files.txt", &(out.trim_end().to_owned() + "\n"));
}

#[test]
fn the_file_of_the_reference_needs_nothing_more() {
    let text = "
service {
    cluster-name demo
}
network {
    service {
        address any
        port 3000
    }
    heartbeat {
        mode mesh
        port 3002
    }
    fabric {
        port 3001
    }
}
namespace test {
    replication-factor 2 # two
    storage-engine memory {
        data-size 1G
    }
}
service {
    PIDFILE /tmp/x
}
";
    let errors = read(text, "a.conf").unwrap_err();
    assert_eq!(errors.0.len(), 1, "{errors}");
    let parsed = read(&text.replace("PIDFILE", "pidfile"), "a.conf").unwrap();
    assert_eq!(parsed.warnings, []);
    // A context that is opened again adds to what it has.
    assert_eq!(parsed.config.service.cluster_name.as_deref(), Some("demo"));
    assert_eq!(parsed.config.service.pidfile.as_deref(), Some("/tmp/x"));
    let test = parsed.config.namespace("test").unwrap();
    assert_eq!(test.storage_engine.data_size_bytes, 1 << 30);
}

#[test]
fn a_file_without_utf8_in_its_comments_is_read() {
    let mut text = EVERY_CONF.as_bytes().to_vec();
    text.extend(b"# \xe9\xff");
    assert!(parse(&text, "every-setting.conf", Notation::Conf).is_ok());
}

#[test]
fn load_reads_files_and_names_those_that_are_missing() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    for file in ["every-setting.conf", "every-setting.yaml", "golden.conf"] {
        assert!(load(&directory.join(file)).is_ok(), "{file}");
    }
    let errors = load(&directory.join("missing.conf")).unwrap_err().to_string();
    assert!(errors.contains("missing.conf: cannot be read: No such file"), "{errors}");
}

#[test]
fn log_levels_follow_the_last_rule_that_fits() {
    let parsed = read(EVERY_CONF, "every-setting.conf").unwrap();
    let sink = parsed.config.logging.sinks.first().unwrap();
    assert_eq!(sink.level_of("drv-mem"), LogLevel::Debug);
    assert_eq!(sink.level_of("audit"), LogLevel::Info);
    assert_eq!(LogSink::default().level_of("audit"), LogLevel::Critical);
    assert_eq!(LOG_CONTEXTS.len(), 64);
}

#[test]
fn the_default_needs_no_file() {
    let config = Config::default_single_node(Path::new("/tmp/bolide"));
    assert_eq!(validate(&config), []);
    let names: Vec<_> = config.namespaces.iter().map(|ns| ns.name.as_str()).collect();
    assert_eq!(names, ["test", "bar"]);
    assert_eq!(config.network.service.port, Some(3_000));
    assert_eq!(config.mod_lua.user_path, "/tmp/bolide/usr/udf/lua");
}

#[test]
fn resolving_fills_in_what_the_host_decides() {
    let host = Host { cpus: 4, node_id: 0xBB9, heartbeat_mtu_bytes: 1_500 };
    let mut config = Config::default_single_node(Path::new("/tmp/bolide"));
    config.resolve(&host);
    assert_eq!(config.service.service_threads, Some(4));
    assert_eq!(config.service.batch_index_threads, Some(4));
    assert_eq!(config.service.node_id, Some(0xBB9));
    assert_eq!(config.service.tls_refresh_period_seconds, None);
    assert_eq!(config.network.heartbeat.mtu_bytes, 1_500);

    let mut every = read(EVERY_CONF, "every-setting.conf").unwrap().config;
    let as_written = every.clone();
    every.resolve(&host);
    assert_eq!(every, as_written);
    every.service.service_threads = None;
    every.service.tls_refresh_period_seconds = None;
    every.resolve(&host);
    // Device storage wants no more threads; TLS wants its certificates looked after.
    assert_eq!(every.service.service_threads, Some(4));
    assert_eq!(every.service.tls_refresh_period_seconds, Some(60));
}
