//! What several nodes do together: writes with a replica, a migration, the loss of a node.
//!
//! All nodes run on this machine and share its cores, so that the times are what the work costs and not what
//! a network adds. Requests follow the partition map; those that a node had to pass on are counted.

mod map;
mod nodes;
mod probe;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;

use self::map::Map;
use self::nodes::{Cluster, number, until};
use self::probe::{Latencies, Probe};
use super::{Load, NAMESPACE, SET, SuiteArgs, fill, load};
use crate::bins::{Bins, Value};
use crate::engine::{self, Job};
use crate::keys::KeySpace;
use crate::measure::Measurement;
use crate::report::figures::{Figure, Group};
use crate::report::{Report, Spread};
use crate::workload::OpKind;

/// The name on the command line.
pub(super) const CLUSTER: &str = "cluster";

/// Arguments of the scenario of several nodes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// Records of the scenario `cluster`.
    #[arg(long, value_name = "RECORDS", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    cluster_keys: u64,
    /// Operations per second, half of them writes, during a migration.
    #[arg(long, value_name = "OPS", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    cluster_rate: u32,
    /// Settings of `migrate-sleep` under which a migration is measured, in µs.
    #[arg(long, value_name = "MICROSECONDS", value_delimiter = ',', default_value = "1,0")]
    cluster_migrate_sleep: Vec<u32>,
}

/// The replicated writes: their connections are shared out among the nodes.
const WRITES: Load = load("replicated-write", OpKind::Update, 16, 1);
/// Bytes of a value that is written.
const WRITE_BYTES: usize = 128;
/// Bytes of a value that migrates.
const MIGRATE_BYTES: usize = 100;
/// How long the foreground load runs before a migration.
const BEFORE: Duration = Duration::from_secs(3);

/// What one turn of writes gave.
struct Turn {
    ops: f64,
    ops_per_s: f64,
    cpu_us_per_op: f64,
    proxied: u64,
}

impl SuiteArgs {
    /// Runs all of it and tells the results.
    pub(super) fn run_cluster(&self, program: &Path, report: &mut Report) -> anyhow::Result<()> {
        println!("{}", report.command);
        self.replicated_writes(program, &mut report.cluster)?;
        for &sleep_us in &self.cluster.cluster_migrate_sleep {
            self.migration(program, sleep_us, &mut report.cluster)?;
        }
        self.loss(program, &mut report.cluster)
    }

    /// One node and two in turns under the same load, all on the servers' core.
    fn replicated_writes(&self, program: &Path, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
        let clusters = [1, 2].map(|nodes| {
            let settings = format!("replication-factor {nodes}");
            let cluster = Cluster::start(program, Some(self.server_core), nodes, &settings)?;
            let jobs = self.cluster_jobs(&cluster, WRITE_BYTES)?;
            insert(&jobs)?;
            anyhow::Ok((cluster, jobs))
        });
        let [one, two] = clusters;
        let clusters = [one?, two?];
        let mut turns = [Vec::new(), Vec::new()];
        for _ in 0..self.rounds {
            for ((cluster, jobs), turns) in clusters.iter().zip(&mut turns) {
                turns.push(turn(cluster, jobs)?);
            }
        }
        let heading = format!(
            "writes of {WRITE_BYTES} bytes, {} connections, all servers on core {}, load on core {}, {} rounds \
             of {} s each (median)",
            WRITES.connections, self.server_core, self.load_core, self.rounds, self.round_seconds
        );
        let mut group = Group::new(figures, heading);
        let names = ["1 node, replication factor 1", "2 nodes, replication factor 2"];
        for (name, turns) in names.into_iter().zip(&turns) {
            let median = |of: fn(&Turn) -> f64| spread(turns.iter().map(of)).map(|all| all.median);
            group.add(format!("{name}: throughput"), median(|turn| turn.ops_per_s)?, "ops/s");
            let cpu = median(|turn| turn.cpu_us_per_op)?;
            group.add(format!("{name}: server CPU"), cpu, "µs/op, all servers");
            let proxied = turns.iter().map(|turn| turn.proxied as f64).sum::<f64>();
            let ops = turns.iter().map(|turn| turn.ops).sum::<f64>();
            group.add(format!("{name}: passed on"), 100.0 * proxied / ops, "% of the operations");
        }
        let ratio = |of: fn(&Turn) -> f64| {
            spread(turns[0].iter().zip(&turns[1]).map(|(one, two)| of(two) / of(one)))
        };
        for (name, ratio) in [
            ("server CPU", ratio(|turn| turn.cpu_us_per_op)?),
            ("throughput", ratio(|turn| turn.ops_per_s)?),
        ] {
            let unit = format!("times ({:.2} to {:.2})", ratio.min, ratio.max);
            group.add(format!("2 nodes to 1: {name}"), ratio.median, &unit);
        }
        print!("{}", group.text());
        Ok(())
    }

    /// A second node comes to one that has all records.
    fn migration(
        &self,
        program: &Path,
        sleep_us: u32,
        figures: &mut Vec<Figure>,
    ) -> anyhow::Result<()> {
        let settings = format!("replication-factor 2\n    migrate-sleep {sleep_us}");
        let mut cluster = Cluster::start(program, None, 1, &settings)?;
        let jobs = self.cluster_jobs(&cluster, MIGRATE_BYTES)?;
        insert(&jobs)?;
        let load = jobs.into_iter().next().context("no job")?.workload;
        cluster.prepare()?;
        let rate = self.cluster.cluster_rate;
        let probe = Probe::start(cluster.addresses(), &load, rate);
        thread::sleep(BEFORE);
        let ended = Instant::now();
        cluster.launch()?;
        let arrived = until("the arrival of the node", || cluster.check_size())?;
        let copies = self.cluster.cluster_keys * 2;
        let done = until("the end of the migration", || cluster.check_settled(Some(copies)))?;
        let samples = probe.stop()?;
        let before = Latencies::of(&samples, ended - BEFORE, ended);
        let during = Latencies::of(&samples, arrived, done);

        let seconds = (done - arrived).as_secs_f64();
        let [.., newcomer] = cluster.addresses()[..] else { anyhow::bail!("no nodes") };
        let of = |name| number(newcomer, &format!("namespace/{NAMESPACE}"), name);
        let (objects, bytes) = (of("objects")? as f64, of("data_used_bytes")? as f64);
        let heading = format!(
            "migration of {objects:.0} records of {MIGRATE_BYTES} bytes to a second node, migrate-sleep {sleep_us}"
        );
        let mut group = Group::new(figures, heading);
        group.add("from arrival to the end", seconds, "s");
        group.add("records", objects / seconds, "records/s");
        group.add("records as they are stored", bytes / seconds / 1e6, "MB/s");
        group.add("values", objects * MIGRATE_BYTES as f64 / seconds / 1e6, "MB/s");
        for (when, latencies) in [("before", before), ("during", during)] {
            let name = |what| format!("foreground at {rate} ops/s, {when}: {what}");
            group.add(name("p50"), latencies.p50_us, "µs");
            group.add(name("p99"), latencies.p99_us, "µs");
            group.add(name("operations"), latencies.ops as f64, "ops");
            group.add(name("errors"), latencies.errors as f64, "ops");
        }
        group.add("foreground operations passed on", cluster.proxied()? as f64, "ops");
        print!("{}", group.text());
        Ok(())
    }

    /// One of three nodes is killed.
    fn loss(&self, program: &Path, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
        let mut cluster = Cluster::start(program, None, 3, "replication-factor 2")?;
        let jobs = self.cluster_jobs(&cluster, MIGRATE_BYTES)?;
        insert(&jobs)?;
        let begun = Instant::now();
        cluster.kill_last()?;
        let survivors = cluster.addresses();
        let noticed = until("notice of the loss", || cluster.check_size())?;
        let complete = until("a complete map", || Map::fetch(&survivors).check_complete())?;
        let copies = self.cluster.cluster_keys * 2;
        let settled = until("the end of migrations", || cluster.check_settled(Some(copies)))?;
        let heading = format!(
            "kill -9 of one of 3 nodes, replication factor 2, {} records, heartbeat interval 150 timeout 10",
            self.cluster.cluster_keys
        );
        let mut group = Group::new(figures, heading);
        for (name, moment) in [
            ("until both others are a cluster of 2", noticed),
            ("until every partition has a living master", complete),
            ("until no migrations remain", settled),
        ] {
            group.add(name, (moment - begun).as_secs_f64(), "s");
        }
        print!("{}", group.text());
        Ok(())
    }

    /// For each node the writes of the records that it is the master of, as the map is now.
    fn cluster_jobs(&self, cluster: &Cluster, value_bytes: usize) -> anyhow::Result<Vec<Job>> {
        let map = Map::fetch(&cluster.addresses());
        map.check_complete()?;
        let keys = KeySpace::new(SET, 1, self.cluster.cluster_keys);
        let servers = cluster.servers();
        let share = Load { connections: WRITES.connections / servers.len(), ..WRITES };
        let of_node = |(node, server)| {
            let own = keys.part(|digest| map.node(digest) == Some(node));
            let own = own.with_context(|| format!("node {node} has no records"))?;
            let bins = Bins(vec![Value::Blob(value_bytes)]);
            // The server's CPU time counts from the start, so the operations do as well.
            let job = self.job_with(server, &share, &own, bins)?;
            anyhow::Ok(Job { warm_up: Duration::ZERO, ..job })
        };
        servers.iter().enumerate().map(of_node).collect()
    }
}

/// Inserts the records of all jobs.
fn insert(jobs: &[Job]) -> anyhow::Result<()> {
    let inserts: Vec<_> = jobs.iter().map(fill).collect();
    let failed: u64 = run_all(&inserts)?.iter().map(|one| one.metrics.errors()).sum();
    ensure!(failed == 0, "{failed} inserts failed");
    Ok(())
}

/// Runs jobs at the same time.
fn run_all(jobs: &[Job]) -> anyhow::Result<Vec<Measurement>> {
    thread::scope(|scope| {
        let run = |job| scope.spawn(move || engine::run(job, &mut |_| {}));
        let running: Vec<_> = jobs.iter().map(run).collect();
        let joined = running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.collect()
    })
}

fn turn(cluster: &Cluster, jobs: &[Job]) -> anyhow::Result<Turn> {
    let (proxied, cpu) = (cluster.proxied()?, cluster.cpu_time()?);
    let measured = run_all(jobs)?;
    let cpu = cluster.cpu_time()?.saturating_sub(cpu);
    let failed: u64 = measured.iter().map(|one| one.metrics.errors()).sum();
    ensure!(failed == 0, "{failed} writes failed");
    let ops = measured.iter().map(|one| one.metrics.ops()).sum::<u64>() as f64;
    Ok(Turn {
        ops,
        ops_per_s: measured.iter().map(Measurement::ops_per_s).sum(),
        cpu_us_per_op: cpu.as_secs_f64() * 1e6 / ops,
        proxied: cluster.proxied()?.saturating_sub(proxied),
    })
}

fn spread(numbers: impl Iterator<Item = f64>) -> anyhow::Result<Spread> {
    Spread::of(numbers).context("no rounds")
}
