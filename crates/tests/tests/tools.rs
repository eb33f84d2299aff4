//! What the official tools ask, and the form in which they need the answers.
//!
//! The tools themselves are not run: asadm and asinfo are no packages of a registry (`cluster/asadm.rs` runs
//! asadm where somebody has it). The requests and the demands are those of their sources (info reference,
//! sections 8 and 9).

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use tests::harness::{GOLDEN_CONFIGURATION, Server};
use tests::raw::{Connection, Draft};

const FIELD_SET: u8 = 1;

/// A server with a few records, and a connection to it.
struct Asked {
    connection: Connection,
    _server: Server,
}

impl Asked {
    fn new() -> Result<Self> {
        let server = Server::start(GOLDEN_CONFIGURATION)?;
        let mut connection = Connection::open(server.port())?;
        for number in 0..100 {
            let label = format!("record {number}");
            let draft = Draft::write_number(&label, number).field(FIELD_SET, b"demo");
            ensure!(connection.result(&draft.frame())? == 0);
        }
        Ok(Self { connection, _server: server })
    }

    /// The value that answers a command.
    fn value(&mut self, command: &str) -> Result<String> {
        let answer = self.connection.info(&format!("{command}\n"))?;
        let value = answer.strip_prefix(command).and_then(|rest| rest.strip_prefix('\t'));
        let value = value.with_context(|| format!("{command} is not echoed: {answer}"))?;
        Ok(value.strip_suffix('\n').context("no newline")?.to_owned())
    }

    /// A value made of `name=value` pairs.
    fn pairs(&mut self, command: &str) -> Result<BTreeMap<String, String>> {
        let value = self.value(command)?;
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        };
        let pairs = value.split(';').map(|text| pair(text).with_context(|| text.to_owned()));
        pairs.collect::<Result<_>>().with_context(|| command.to_owned())
    }
}

/// What asadm sends for info, summary, show, health and collectinfo, and the exporter for a scrape.
#[test]
fn nothing_that_tools_ask_is_an_error() -> Result<()> {
    let mut asked = Asked::new()?;
    for command in [
        "best-practices",
        "build",
        "cluster-name",
        "cluster-stable:size=1;ignore_migrations=true;namespace=test",
        "edition",
        "endpoints",
        "feature-key",
        "features",
        "get-config:",
        "get-config:context=namespace;namespace=test",
        "get-config:context=network",
        "get-config:context=security",
        "get-config:context=service",
        "get-config:context=xdr",
        "get-stats:context=xdr",
        "health-outliers",
        "health-stats",
        "histogram:namespace=test;type=object-size",
        "histogram:namespace=test;type=object-size-linear",
        "histogram:namespace=test;type=ttl",
        "index-pressure",
        "latencies:",
        "latencies:hist={test}-benchmarks-read",
        "latencies:hist={test}-proxy",
        "latencies:hist=benchmarks-fabric",
        "log/0",
        "logs",
        "namespace/test",
        "namespaces",
        "node",
        "node:",
        "partition-generation",
        "partition-info",
        "peers-clear-alt",
        "peers-clear-std",
        "peers-generation",
        "peers-tls-std",
        "query-show",
        "rack-ids",
        "racks:",
        "recluster:",
        "replicas:max=1",
        "roster:",
        "service-clear-alt",
        "service-clear-std",
        "service-tls-std",
        "sets",
        "sets/test/demo",
        "sindex-list:",
        "sindex-list:namespace=test",
        "sindex-list:ns=test;b64=true",
        "smd-info",
        "statistics",
        "status",
        "udf-list",
        "version",
    ] {
        let value = asked.value(command)?;
        let lower = value.to_lowercase();
        ensure!(!lower.starts_with("error") && !lower.starts_with("fail:"), "{command}: {value}");
    }
    Ok(())
}

#[test]
fn identity() -> Result<()> {
    let mut asked = Asked::new()?;
    let build = asked.value("build")?;
    let parts: Vec<u32> = build.split('.').map(str::parse).collect::<Result<_, _>>()?;
    ensure!(parts.len() == 4 && parts[..2] == [8, 0], "backup tools want four numbers: {build}");
    let edition = asked.value("edition")?;
    ensure!(edition.contains("Community") || edition.contains("Enterprise"), "{edition}");
    ensure!(asked.value("version")? == format!("{edition} build {build}"));
    let features = asked.value("features")?;
    let features: Vec<&str> = features.split(';').collect();
    for needed in ["pscans", "pquery", "query-show", "batch-any"] {
        ensure!(features.contains(&needed), "no {needed} in {features:?}");
    }
    Ok(())
}

#[test]
fn statistics_are_pairs() -> Result<()> {
    let mut asked = Asked::new()?;
    let statistics = asked.pairs("statistics")?;
    for name in ["cluster_size", "cluster_key", "uptime", "client_connections", "objects"] {
        ensure!(statistics.contains_key(name), "no {name}");
    }
    let namespace = asked.pairs("namespace/test")?;
    ensure!(namespace.get("objects").is_some_and(|count| count == "100"), "{namespace:?}");
    for name in ["stop_writes", "effective_replication_factor", "nsup-period", "storage-engine"] {
        ensure!(namespace.contains_key(name), "no {name}");
    }
    ensure!(asked.value("namespace/nowhere")? == "type=unknown", "asadm: not on this node");
    for context in ["service", "network", "namespace;namespace=test"] {
        ensure!(asked.pairs(&format!("get-config:context={context}"))?.len() > 20, "{context}");
    }
    Ok(())
}

#[test]
fn lists_have_the_form_that_asadm_takes_apart() -> Result<()> {
    let mut asked = Asked::new()?;
    let sets = asked.value("sets")?;
    ensure!(sets.starts_with("ns=test:set=demo:objects=100:"), "{sets}");
    ensure!(sets.ends_with(';'), "asadm drops what stands behind the last semicolon: {sets}");
    for sink in asked.value("logs")?.split(';') {
        ensure!(sink.split(':').count() == 2, "a number and a name: {sink}");
    }
    for entry in asked.value("latencies:")?.split(';') {
        let (name, columns) = entry.split_once(':').with_context(|| entry.to_owned())?;
        ensure!(!name.is_empty() && !columns.contains(':'), "one colon: {entry}");
        // The unit, operations a second, 17 thresholds; or nothing yet.
        ensure!(columns.is_empty() || columns.split(',').count() == 19, "{entry}");
    }
    for command in ["roster:", "racks:"] {
        for entry in asked.value(command)?.split(';') {
            ensure!(entry.starts_with("ns="), "{command} {entry}");
        }
    }
    let practices = asked.value("best-practices")?;
    ensure!(practices.starts_with("failed_best_practices="), "{practices}");
    Ok(())
}

#[test]
fn the_partition_map_is_whole() -> Result<()> {
    let mut asked = Asked::new()?;
    let replicas = asked.value("replicas:max=1")?;
    for namespace in replicas.split(';') {
        let (name, map) = namespace.split_once(':').context("no name")?;
        let columns: Vec<&str> = map.split(',').collect();
        let [regime, count, bits] = columns[..] else { anyhow::bail!("{namespace}") };
        ensure!(["test", "bar"].contains(&name) && regime == "0" && count == "1", "{namespace}");
        // 4,096 bits, all of them set.
        ensure!(bits.len() == 684 && bits.trim_end_matches(['/', '8', '=']).is_empty(), "{bits}");
    }
    let partitions = asked.value("partition-info")?;
    ensure!(partitions.split(';').count() > 2 * 4096, "a heading, and a row for each");
    let peers = asked.value("peers-clear-std")?;
    ensure!(peers.ends_with(",3000,[]"), "{peers}");
    Ok(())
}

/// What asadm's `manage` sends when it is let to change things.
#[test]
fn changes_are_confirmed_with_ok() -> Result<()> {
    let mut asked = Asked::new()?;
    for command in [
        "set-config:context=service;proto-fd-max=14000",
        "set-config:context=network;fabric.channel-rw-recv-threads=16",
        "set-config:context=namespace;namespace=test;default-ttl=100",
        "set-config:context=namespace;id=test;default-ttl=0",
        "set-config:context=namespace;namespace=test;set=demo;stop-writes-count=5000",
        "log-set:id=0;misc=debug",
        "truncate:namespace=test;set=demo",
        "truncate-namespace:namespace=test",
        "truncate-undo:namespace=test;set=demo",
        "truncate-namespace-undo:namespace=test",
        "sindex-delete:ns=test;indexname=absent",
        "recluster:",
    ] {
        let value = asked.value(command)?;
        ensure!(value == "ok", "{command}: {value}");
    }
    let value = asked.value("query-abort-all:")?;
    ensure!(value == "number-of-queries-killed:0", "{value}");
    Ok(())
}
