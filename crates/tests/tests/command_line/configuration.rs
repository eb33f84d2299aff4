//! Configuration files: what is refused, and with which words; what is taken.

use anyhow::{Result, ensure};
use tests::harness::{GOLDEN_CONFIGURATION, Launch, Server};

use crate::{ask, configuration, expect_failure, expect_service, launch, start};

/// The golden configuration, as YAML.
const YAML: &str = "\
service:
  proto-fd-max: 15000
  work-directory: '@FOLDER@'
  pidfile: '@FOLDER@/bolide.pid'
  cluster-name: golden
  node-id: a1
  run-as-daemon: false
mod-lua:
  user-path: '@FOLDER@/udf'
  cache-enabled: true
logging:
  file:
    '@FOLDER@/server.log':
      context:
        - any critical
        - as info
network:
  service:
    address: any
    access-address: 127.0.0.1
    port: @SERVICE_PORT@
  heartbeat:
    mode: mesh
    address: 127.0.0.1
    port: @HEARTBEAT_PORT@
    interval: 150
    timeout: 10
  fabric:
    address: 127.0.0.1
    port: @FABRIC_PORT@
  info:
    port: @INFO_PORT@
namespace:
  test:
    replication-factor: 1
    default-ttl: 0
    nsup-period: 1
    allow-ttl-without-nsup: true
    storage-engine:
      memory:
        data-size: 2G
  bar:
    replication-factor: 1
    default-ttl: 0
    nsup-period: 1
    allow-ttl-without-nsup: true
    storage-engine:
      memory:
        data-size: 512M
";

#[test]
fn a_bad_file_is_refused_with_its_place_and_a_reason() -> Result<()> {
    // What is changed, and what the message must name.
    let table: &[(&str, &str, &[&str])] = &[
        ("cluster-name golden", "cluster-nam golden", &[":8:", "'cluster-nam'", "'cluster-name'"]),
        ("node-id a1", "node-id xyz", &[":9:", "'node-id'", "'xyz'"]),
        ("proto-fd-max 15000", "proto-fd-max 12", &[":5:", "'proto-fd-max'", "1024", "'12'"]),
        ("proto-fd-max 15000", "transaction-queues 4", &[":5:", "obsolete", "service-threads"]),
        ("mode mesh", "mode meshed", &["'mode'", "'meshed'", "'mesh'"]),
        ("storage-engine memory", "storage-engine memry", &["'memry'", "'memory'"]),
        ("namespace bar", "namespace test", &["'namespace test'"]),
        ("data-size 2G", "data-size 2X", &["'data-size'", "'2X'"]),
        ("replication-factor 1", "replicaton-factor 1", &["'replication-factor'"]),
        ("context as info", "context ass info", &[":21:", "'ass info'", "'as'"]),
        ("mod-lua {", "mod-lau {", &["'mod-lau'", "'mod-lua'"]),
    ];
    for (old, new, named) in table {
        let text = configuration(&[(old, new)])?;
        let outcome = launch()?.configured("bad.conf", &text)?.run()?;
        expect_failure(&outcome, &[&["bad.conf:"], *named].concat())?;
    }
    Ok(())
}

#[test]
fn every_fault_of_a_file_is_told_at_once() -> Result<()> {
    let text = configuration(&[
        ("cluster-name golden", "cluster-nam golden"),
        ("mode mesh", "mode meshed"),
        ("data-size 512M", "data-size none"),
    ])?;
    let outcome = launch()?.configured("bad.conf", &text)?.run()?;
    expect_failure(&outcome, &["cluster-nam", "meshed", "data-size"])
}

#[test]
fn a_bad_yaml_file_is_refused_with_its_place_and_a_reason() -> Result<()> {
    let table: &[(&str, &str, &[&str])] = &[
        ("cluster-name:", "cluster-nam:", &["bad.yaml:5:", "'cluster-nam'", "'cluster-name'"]),
        ("mode: mesh", "mode: meshed", &["bad.yaml:23:", "'mesh'"]),
        ("  test:\n", "  test: [\n", &["bad.yaml"]),
    ];
    for (old, new, named) in table {
        ensure!(YAML.contains(old), "no {old:?}");
        let outcome = launch()?.configured("bad.yaml", &YAML.replacen(old, new, 1))?.run()?;
        expect_failure(&outcome, named)?;
    }
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_named() -> Result<()> {
    let outcome = launch()?.argument("--config-file").argument("/no/such.conf").run()?;
    expect_failure(&outcome, &["/no/such.conf"])?;
    let folder = launch()?;
    let path = folder.folder().to_owned();
    let outcome = folder.argument("--config-file").argument(&path).run()?;
    expect_failure(&outcome, &[&path.display().to_string()])
}

#[test]
fn yaml_says_the_same() -> Result<()> {
    let conf = Server::start(GOLDEN_CONFIGURATION)?;
    let yaml = launch()?.configured("bolide.yaml", YAML)?.start()?;
    expect_service(&yaml, "test")?;
    for context in ["service", "network", "namespace;namespace=test", "namespace;namespace=bar"] {
        let settings = |server: &Server| -> Result<String> {
            let answer = ask(server, &format!("get-config:context={context}"))?;
            let folder = server.folder().display().to_string();
            Ok(without_ports(&answer.replace(&folder, "@FOLDER@")))
        };
        let (of_conf, of_yaml) = (settings(&conf)?, settings(&yaml)?);
        ensure!(of_conf == of_yaml, "{context}:\n{of_conf}\n{of_yaml}");
    }
    Ok(())
}

/// Each server has ports of its own.
fn without_ports(settings: &str) -> String {
    let is_port = |pair: &&str| pair.split('=').next().is_some_and(|name| name.ends_with("port"));
    let kept: Vec<&str> = settings.split(';').filter(|pair| !is_port(pair)).collect();
    kept.join(";")
}

#[test]
fn a_device_that_cannot_be_opened_is_named() -> Result<()> {
    for engine in [
        "storage-engine device {\n device /dev/none/such\n",
        "storage-engine device {\n file /dev/none/such\n filesize 1G\n",
        "storage-engine pmem {\n file /dev/none/such\n filesize 1G\n",
        "storage-engine memory {\n file /dev/none/such\n filesize 1G\n",
    ] {
        let text = configuration(&[("storage-engine memory {\n\t\tdata-size 2G\n", engine)])?;
        let launch = || launch()?.configured("device.conf", &text);
        expect_failure(&launch()?.run()?, &["namespace test", "/dev/none/such"])?;
        // Whether the devices are there is not a question of the configuration.
        let checked = launch()?.argument("--check-config").run()?;
        ensure!(checked.status.success(), "{engine}: {checked:?}");
    }
    Ok(())
}

/// A file with so many namespaces beside `test` and `bar`.
fn with_namespaces(more: usize) -> Result<Launch> {
    let namespace = |number| {
        format!("namespace n{number} {{\n storage-engine memory {{\n data-size 512M\n }}\n}}\n")
    };
    let more: String = (0..more).map(namespace).collect();
    launch()?.configured("many.conf", &format!("{GOLDEN_CONFIGURATION}\n{more}"))
}

#[test]
fn thirty_two_namespaces_are_served() -> Result<()> {
    let server = with_namespaces(30)?.start()?;
    ensure!(ask(&server, "namespaces")?.split(';').count() == 32);
    for namespace in ["test", "bar", "n0", "n29"] {
        expect_service(&server, namespace)?;
    }
    expect_failure(&with_namespaces(31)?.run()?, &["many.conf", "32"])
}

#[test]
fn missing_directories_are_made() -> Result<()> {
    let server = start(&[
        ("work-directory @FOLDER@", "work-directory @FOLDER@/deep/er/files"),
        ("user-path @FOLDER@/udf", "user-path @FOLDER@/other/udf"),
        ("pidfile @FOLDER@/bolide.pid", "pidfile @FOLDER@/run/here/bolide.pid"),
        ("file @FOLDER@/server.log", "file @FOLDER@/log/there/server.log"),
    ])?;
    let folder = server.folder();
    for directory in ["deep/er/files", "deep/er/files/smd", "other/udf"] {
        ensure!(folder.join(directory).is_dir(), "{directory} is missing");
    }
    let pid = std::fs::read_to_string(folder.join("run/here/bolide.pid"))?;
    ensure!(pid.trim() == server.process_id().to_string(), "{pid:?}");
    ensure!(folder.join("log/there/server.log").is_file());
    Ok(())
}

#[test]
fn a_directory_that_cannot_be_made_is_named() -> Result<()> {
    let text = configuration(&[("work-directory @FOLDER@", "work-directory /proc/no/such")])?;
    let outcome = launch()?.configured("bolide.conf", &text)?.run()?;
    expect_failure(&outcome, &["/proc/no/such", "work-directory"])
}
