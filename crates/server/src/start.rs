//! From a command line to a running server, and to its end.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use cluster::Protocols;
use config::Config;
use node::{Host, Node};

use crate::cli::{Arguments, VERSION};
use crate::cluster::ClusterThreads;
use crate::devices::{self, DeviceThreads};
use crate::host::{Advertised, RealHost};
use crate::jobs::JobThreads;
use crate::logging::Log;
use crate::metadata::{self, Files};
use crate::net::{self, Endpoint, Protocol, Server};
use crate::service::NodeService;
use crate::supervise::Supervisors;
use crate::{addresses, limits, signals};

/// How long requests that have been read may take once the server is told to stop.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Runs what the command line asks for.
///
/// # Errors
/// What keeps the server from starting, as sentences for the operator.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (mut config, warnings) = configuration(arguments)?;
    if arguments.check_config {
        warnings.iter().for_each(|warning| println!("warning: {warning}"));
        println!("the configuration is good");
        return Ok(());
    }
    let room = limits::make_room_for(config.service.proto_fd_max);
    let clamped = (room < config.service.proto_fd_max).then_some(config.service.proto_fd_max);
    config.service.proto_fd_max = room;
    resolve(&mut config)?;
    let homeless = match make_directories(&config) {
        Ok(()) => None,
        // Nobody asked for a place.
        Err(error) if arguments.config_file.is_none() => Some(error),
        Err(error) => return Err(error),
    };

    let log = Log::open(&config, arguments.early_verbose)?;
    log.install();
    announce(&config);
    warnings.iter().for_each(|warning| tracing::warn!(target: "config", "{warning}"));
    if let Some(wanted) = clamped {
        tracing::warn!(
            target: "as",
            "proto-fd-max {wanted} is lowered to {room}: raise the limit of open files (ulimit -n)"
        );
    }
    let files = match homeless {
        None => Files::below(Path::new(&config.service.work_directory)),
        Some(error) => {
            tracing::warn!(
                target: "smd",
                "{error:#}; without it the system metadata (truncations, indexes, UDF modules) are \
                 forgotten when the server ends"
            );
            Files::none()
        }
    };
    if !arguments.fgdaemon {
        write_pid_file(&config)?;
    }
    serve(config, log, files, arguments)
}

/// The configuration that the command line names, with what deserves attention in it.
fn configuration(arguments: &Arguments) -> anyhow::Result<(Config, Vec<String>)> {
    match &arguments.config_file {
        Some(path) => {
            let parsed = config::load(path).map_err(|errors| anyhow::anyhow!("{errors}"))?;
            let warnings = parsed.warnings.iter().map(ToString::to_string).collect();
            Ok((parsed.config, warnings))
        }
        None => Ok((Config::default_single_node(&default_work_directory()), Vec::new())),
    }
}

/// Where a server without configuration keeps its files.
fn default_work_directory() -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    home.map_or_else(|| std::env::temp_dir().join("bolide"), |home| home.join(".bolide"))
}

/// Processors that the process may use.
fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn resolve(config: &mut Config) -> anyhow::Result<()> {
    let fabric_port = config.network.fabric.port.unwrap_or(3001);
    let node_id = match config.service.node_id {
        Some(node_id) => node_id,
        None => addresses::node_id(config.service.node_id_interface.as_deref(), fabric_port)?,
    };
    let heartbeat_mtu_bytes = addresses::packet_size_bytes(&config.network.heartbeat.addresses);
    config.resolve(&config::Host { cpus: cpus() as u32, node_id, heartbeat_mtu_bytes });
    Ok(())
}

fn make_directories(config: &Config) -> anyhow::Result<()> {
    let work = Path::new(&config.service.work_directory);
    for directory in [work, &metadata::folder_in(work), Path::new(&config.mod_lua.user_path)] {
        fs::create_dir_all(directory).with_context(|| {
            format!(
                "cannot make directory {}: give work-directory and user-path a place that this \
                 user may write to",
                directory.display()
            )
        })?;
    }
    Ok(())
}

fn write_pid_file(config: &Config) -> anyhow::Result<()> {
    let Some(path) = &config.service.pidfile else { return Ok(()) };
    if let Some(directory) = Path::new(path).parent() {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make directory of {path}"))?;
    }
    fs::write(path, format!("{}\n", std::process::id()))
        .with_context(|| format!("cannot write pidfile {path}"))
}

fn announce(config: &Config) {
    tracing::info!(
        target: "as",
        "<><><><><><><><><><>  Bolide build {} (version {VERSION})  <><><><><><><><><><>",
        node::info::BUILD
    );
    if let Some(node_id) = config.service.node_id {
        tracing::info!(target: "config", "node-id {node_id:x}");
    }
}

/// Serves until a signal says stop.
fn serve(config: Config, log: Arc<Log>, files: Files, arguments: &Arguments) -> anyhow::Result<()> {
    let signals = signals::Signals::install()?;
    let listening = addresses::listen_addresses(&config.network.service)?;
    let advertised = addresses::advertised_addresses(
        &config.network.service,
        &listening,
        config.service.advertise_ipv6,
    );
    let network = &config.network;
    let control = addresses::peer_addresses(&network.heartbeat.addresses, network.heartbeat.port)?;
    let fabric = addresses::peer_addresses(&network.fabric.addresses, network.fabric.port)?;
    let limits = Arc::new(net::Limits::default());
    let told = Advertised {
        service: advertised,
        control: addresses::advertised_peer_addresses(&control),
        fabric: addresses::advertised_peer_addresses(&fabric),
    };
    let highest = arguments.peer_protocol_max.map_or(Protocols::ALL.high, cluster::Protocol);
    let protocols = Protocols::ALL.up_to(highest);
    let host = RealHost::new(Arc::clone(&log), Arc::clone(&limits), told, files, protocols);
    let host = Arc::new(host);
    host.configured(&config);
    let threads = config.service.service_threads.unwrap_or(1) as usize;
    // A loop for each core keeps it; fewer loops may share the machine with another server.
    let options = net::Options {
        endpoints: endpoints(&config, &listening, [control, fabric].concat())?,
        threads,
        pin: threads == cpus(),
    };
    // Before devices are touched: a refusal leaves them as they are.
    node::metadata::verify(host.metadata())?;
    let namespaces = devices::open_namespaces(&config, options.threads, arguments.cold_start)?;
    let device_threads = DeviceThreads::start(&config, &namespaces)?;
    let host_of_node = Arc::clone(&host) as Arc<dyn Host>;
    let node = Arc::new(Node::with(config, namespaces, host_of_node, options.threads));
    node.restore_metadata()?;
    let supervisors = Supervisors::start(&node.namespaces)?;
    let ticker = crate::ticker::TickerThread::start(&node)?;
    let jobs = JobThreads::start(&node, cpus())?;
    let service = NodeService::new(Arc::clone(&node), options.threads)?;
    let server = Server::start(service, &options, &limits)?;
    let cluster = ClusterThreads::start(&node)?;
    host.count_connections(Arc::clone(server.stats()));
    for endpoint in server.endpoints() {
        tracing::info!(target: "service", "listening on {}", endpoint.address);
    }
    tracing::info!(target: "as", "service ready: soon there will be cake!");

    signals.wait_for_stop(|| log.reopen());
    tracing::info!(target: "as", "initiating clean shutdown ...");
    let report = server.shutdown(DRAIN_TIME);
    drop((cluster, jobs, ticker, supervisors));
    let all_kept = device_threads.close();
    if report.cut_off != 0 {
        tracing::warn!(target: "as", "{} connections were cut off", report.cut_off);
    }
    anyhow::ensure!(all_kept, "not everything that was acknowledged could be written");
    tracing::info!(target: "as", "finished clean shutdown - exiting");
    Ok(())
}

fn endpoints(
    config: &Config,
    listening: &[SocketAddr],
    for_peers: Vec<SocketAddr>,
) -> anyhow::Result<Vec<Endpoint>> {
    let frames = listening.iter().map(|&address| Endpoint { address, protocol: Protocol::Frames });
    let mut endpoints: Vec<_> = frames.collect();
    if let Some(port) = config.network.info.port {
        let mut lines = addresses::resolve_all(&config.network.info.addresses, port)?;
        if lines.is_empty() {
            lines.push(SocketAddr::from(([0, 0, 0, 0], port)));
        }
        let protocol = Protocol::Lines;
        endpoints.extend(lines.into_iter().map(|address| Endpoint { address, protocol }));
    }
    let protocol = Protocol::Peer;
    endpoints.extend(for_peers.into_iter().map(|address| Endpoint { address, protocol }));
    Ok(endpoints)
}
