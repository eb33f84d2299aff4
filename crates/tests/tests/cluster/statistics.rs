//! What operators' tools ask, and that the answers of all nodes fit together.

use anyhow::{Context, Result, ensure};
use tests::cluster::{Client, Cluster, Plan, until};
use tests::raw::digest;

use crate::NAMESPACE;

const RECORDS: u64 = 120;

/// Three nodes with some records, and some connections between them.
fn cluster() -> Result<Cluster> {
    let cluster = Cluster::start(Plan::in_memory(2), 3)?;
    let mut client = Client::new(&cluster.addresses());
    for record in 0..RECORDS {
        let written = client.write(&digest(&format!("info{record}")), 1);
        ensure!(written == Ok(()), "{written:?}");
    }
    Ok(cluster)
}

#[test]
fn tools_see_one_cluster() -> Result<()> {
    let cluster = cluster()?;
    let all: Vec<_> = cluster.places().collect();
    let key = cluster.value(0, "statistics", "cluster_key")?;
    for &place in &all {
        let is = |name: &str, expected: &str| {
            let found = cluster.value(place, "statistics", name)?;
            ensure!(found == expected, "{name} of node {place} is {found}, not {expected}");
            Ok(())
        };
        is("cluster_size", "3")?;
        is("cluster_key", &key)?;
        is("cluster_integrity", "true")?;
        is("cluster_is_member", "true")?;
        is("cluster_duplicate_nodes", "null")?;
        is("cluster_principal", "A3")?;
        is("paxos_principal", "A3")?;
        is("migrate_allowed", "true")?;
        is("migrate_partitions_remaining", "0")?;
        is("rw_in_progress", "0")?;
        is("proxy_in_progress", "0")?;
        is("failed_best_practices", "false")?;
        let number = |name: &str| cluster.number(place, "statistics", name);
        // Each peer at least once, whoever opened the connection.
        ensure!(number("heartbeat_connections")? >= 2, "heartbeat_connections of {place}");
        ensure!(number("fabric_connections")? >= 2, "fabric_connections of {place}");
        ensure!(number("heartbeat_connections_opened")? >= number("heartbeat_connections")?);
        ensure!(number("fabric_connections_opened")? >= number("fabric_connections")?);
        ensure!(number("heartbeat_received_foreign")? > 0, "heartbeat_received_foreign");
        check_health(&cluster, place)?;
    }
    ensure!(cluster.sum(&all, "statistics", "objects")? == 2 * RECORDS);
    Ok(())
}

/// Each peer has arrived, and a node has connections to those that it sent something to.
fn check_health(cluster: &Cluster, place: usize) -> Result<()> {
    let stats = cluster.ask(place, "health-stats")?;
    let values_of = |name: &str| -> Result<Vec<u64>> {
        let start = format!("stat={name}:value=");
        let rows = stats.split(';').filter_map(|row| row.strip_prefix(&start)?.split(':').next());
        Ok(rows.map(str::parse).collect::<Result<_, _>>()?)
    };
    ensure!(values_of("node_arrivals")? == [1, 1], "node {place}: {stats}");
    let opened = values_of("fabric_connections_opened")?;
    ensure!(opened.len() == 2 && opened.iter().all(|count| *count > 0), "node {place}: {stats}");
    let outliers = cluster.ask(place, "health-outliers")?;
    ensure!(outliers.is_empty(), "two peers cannot be compared, says node {place}: {outliers}");
    Ok(())
}

#[test]
fn tools_see_one_namespace() -> Result<()> {
    let cluster = cluster()?;
    let all: Vec<_> = cluster.places().collect();
    for &place in &all {
        let expected = [
            ("ns_cluster_size", "3"),
            ("effective_replication_factor", "2"),
            ("non_replica_objects", "0"),
            ("unavailable_partitions", "0"),
            ("dead_partitions", "0"),
            ("pending_quiesce", "false"),
            ("effective_is_quiesced", "false"),
            ("nodes_quiesced", "0"),
            ("effective_prefer_uniform_balance", "false"),
            ("migrate_tx_partitions_remaining", "0"),
            ("migrate_rx_partitions_remaining", "0"),
            ("migrate_tx_partitions_active", "0"),
            ("migrate_rx_partitions_active", "0"),
            ("migrate_signals_remaining", "0"),
            ("stop_writes", "false"),
        ];
        for (name, value) in expected {
            let found = cluster.value(place, NAMESPACE, name)?;
            ensure!(found == value, "{name} of node {place} is {found}, not {value}");
        }
        let number = |name: &str| cluster.number(place, NAMESPACE, name);
        let (masters, proles) = (number("master_objects")?, number("prole_objects")?);
        ensure!(masters + proles == number("objects")?, "node {place}: {masters} and {proles}");
    }
    ensure!(cluster.sum(&all, NAMESPACE, "master_objects")? == RECORDS);
    ensure!(cluster.sum(&all, NAMESPACE, "prole_objects")? == RECORDS);
    Ok(())
}

/// `show pmap` of asadm counts the states of partitions.
#[test]
fn tools_see_every_partition() -> Result<()> {
    let cluster = cluster()?;
    let (mut masters, mut replicas, mut records) = (0, 0, 0);
    for place in cluster.places() {
        let me = format!("{:X}", Cluster::id(place));
        let table = cluster.ask(place, "partition-info")?;
        for row in table.split(';').skip(1) {
            let row: Vec<_> = row.split(':').collect();
            let field = |index: usize| row.get(index).copied().context("too few columns");
            let number = |index| anyhow::Ok(field(index)?.parse::<u64>()?);
            // Nothing moves, and each knows the master.
            ensure!(number(8)? + number(9)? + number(10)? == 0, "{row:?}");
            let (is_replica, is_master) = (field(2)? == "S", field(6)? == me);
            ensure!(is_replica || field(2)? == "A", "{row:?}");
            replicas += u64::from(is_replica);
            masters += u64::from(is_master);
            ensure!(!is_master || is_replica && number(4)? == 0, "{row:?}");
            records += number(11)?;
        }
    }
    ensure!((masters, replicas, records) == (4096, 8192, 2 * RECORDS));
    Ok(())
}

/// Every command that asadm's `info`, `show` and `health` send has an answer.
#[test]
fn tools_get_an_answer_to_everything() -> Result<()> {
    let cluster = cluster()?;
    let commands = [
        "node",
        "build",
        "edition",
        "version",
        "features",
        "cluster-name",
        "statistics",
        "service-clear-std",
        "service-clear-alt",
        "peers-clear-std",
        "peers-clear-alt",
        "alumni-clear-std",
        "services",
        "services-alumni",
        "peers-generation",
        "partition-generation",
        "rebalance-generation",
        "namespaces",
        "namespace/test",
        "sets",
        "sets/test",
        "racks:",
        "rack-ids",
        "roster:",
        "health-outliers",
        "health-stats",
        "best-practices",
        "latencies:",
        "logs",
        "sindex-list:",
        "udf-list",
        "partition-info",
        "replicas",
        "replicas-all",
        "replicas-master",
        "status",
        "cluster-stable:",
        "jobs:",
        "get-config:context=service",
        "get-config:context=network",
        "get-config:context=namespace;namespace=test",
        "mesh",
        "get-sl",
        "dump-cluster:",
        "dump-hb:",
        "dump-fabric:",
    ];
    for place in cluster.places() {
        for command in commands.iter().filter(|command| !command.starts_with("dump")) {
            let answer = cluster.ask(place, command)?;
            let is_error = ["ERROR", "FAIL"].iter().any(|word| answer.starts_with(word));
            let is_known_gap = ["jobs:", "mesh"].contains(command);
            ensure!(!is_error || is_known_gap, "{command} of node {place}: {answer}");
        }
    }
    Ok(())
}

/// The ticker's lines tell the same as the statistics.
#[test]
fn the_log_tells_of_the_cluster() -> Result<()> {
    let cluster = cluster()?;
    let masters = cluster.number(0, NAMESPACE, "master_objects")?;
    let proles = cluster.number(0, NAMESPACE, "prole_objects")?;
    let all = masters + proles;
    let wanted = [
        "NODE-ID a1 CLUSTER-SIZE 3 CLUSTER-NAME bolide-tests".to_owned(),
        format!("{{test}} objects: all {all} master {masters} prole {proles} non-replica 0"),
        "{test} migrations: complete".to_owned(),
    ];
    until("the log tells of the cluster", || {
        let log = cluster.log(0)?;
        for step in ["ctrl-send-init", "ctrl-send-fragment", "ctrl-recv-cb", "rw-send-init"] {
            let is_filled = |line: &str| {
                let dump = line.split_once(&format!("histogram dump: fabric-{step} ("));
                dump.is_some_and(|(_, total)| !total.starts_with("0 total"))
            };
            ensure!(log.lines().any(is_filled), "no frame was timed at {step}");
        }
        for line in &wanted {
            ensure!(log.contains(line), "no line {line}");
        }
        Ok(())
    })
}
