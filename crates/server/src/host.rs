//! The outside world as the node sees it: clocks, readings, connections, addresses, the log.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use cluster::Protocols;
use config::Config;
use node::host::{ConnectionCounts, Connections, Log as _, MetadataFiles};
use node::{Host, Vitals};
use record::LastUpdateTime;
use record::meta::EPOCH_UNIX_SECONDS;

use crate::logging::Log;
use crate::metadata::Files;
use crate::vitals::Gauge;
use crate::{limits, net};

/// Addresses that are told to others.
#[derive(Debug, Default)]
pub struct Advertised {
    /// Where clients connect.
    pub service: Vec<String>,
    /// Where other nodes send heartbeats.
    pub control: Vec<SocketAddr>,
    /// Where other nodes send records.
    pub fabric: Vec<SocketAddr>,
}

/// The real world.
pub struct RealHost {
    started: Instant,
    gauge: Gauge,
    log: Arc<Log>,
    limits: Arc<net::Limits>,
    service_addresses: Vec<String>,
    control_addresses: Vec<SocketAddr>,
    fabric_addresses: Vec<SocketAddr>,
    metadata: Files,
    protocols: Protocols,
    connections: OnceLock<Arc<net::Stats>>,
}

impl RealHost {
    /// The world with this log, these limits of connections, these addresses to tell clients and other
    /// nodes, these files, and these versions of what nodes say.
    pub fn new(
        log: Arc<Log>,
        limits: Arc<net::Limits>,
        addresses: Advertised,
        metadata: Files,
        protocols: Protocols,
    ) -> Self {
        let Advertised { service, control, fabric } = addresses;
        Self {
            started: Instant::now(),
            gauge: Gauge::default(),
            log,
            limits,
            service_addresses: service,
            control_addresses: control,
            fabric_addresses: fabric,
            metadata,
            protocols,
            connections: OnceLock::new(),
        }
    }

    /// Says where connections are counted, once they are.
    pub fn count_connections(&self, stats: Arc<net::Stats>) {
        // Set once, before the node serves anybody.
        let _ = self.connections.set(stats);
    }
}

/// The wall clock.
pub fn now() -> LastUpdateTime {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    LastUpdateTime((since_1970.as_millis() as u64).saturating_sub(EPOCH_UNIX_SECONDS * 1000))
}

impl Host for RealHost {
    fn now(&self) -> LastUpdateTime {
        now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn vitals(&self) -> Vitals {
        self.gauge.read()
    }

    fn connections(&self) -> Connections {
        let Some(stats) = self.connections.get() else { return Connections::default() };
        let snapshot = stats.snapshot();
        let (opened, closed) =
            (snapshot.client_connections_opened, snapshot.client_connections_closed);
        let heartbeats =
            (snapshot.heartbeat_connections_opened, snapshot.heartbeat_connections_closed);
        // A link is counted as what this node uses it for: what others send comes in on links of theirs,
        // on either port.
        let links_opened = snapshot.fabric_connections_opened.saturating_sub(heartbeats.0);
        let links_closed = snapshot.fabric_connections_closed.saturating_sub(heartbeats.1);
        Connections {
            clients: ConnectionCounts::new(opened, closed),
            heartbeat: ConnectionCounts::new(heartbeats.0, heartbeats.1),
            fabric: ConnectionCounts::new(links_opened, links_closed),
            reaped: snapshot.reaped_fds,
        }
    }

    fn service_addresses(&self) -> Vec<String> {
        self.service_addresses.clone()
    }

    fn control_addresses(&self) -> Vec<SocketAddr> {
        self.control_addresses.clone()
    }

    fn fabric_addresses(&self) -> Vec<SocketAddr> {
        self.fabric_addresses.clone()
    }

    fn protocols(&self) -> Protocols {
        self.protocols
    }

    fn resolve(&self, name: &str, port: u16) -> Option<SocketAddr> {
        (name, port).to_socket_addrs().ok()?.next()
    }

    fn configured(&self, config: &Config) {
        let wanted = config.service.proto_fd_max;
        let room = limits::make_room_for(wanted);
        // Any change of settings comes by here; the warning is for changes of this one.
        if room < wanted && room != self.limits.connections_max() {
            tracing::warn!(
                target: "as",
                "proto-fd-max {wanted} is more than the limit of open files (ulimit -n) has room \
                 for: {room} connections are taken"
            );
        }
        self.limits.set_connections_max(room);
        self.limits.set_idle_ms(config.service.proto_fd_idle_ms);
        self.limits.set_heartbeat_connect_ms(config.network.heartbeat.connect_timeout_ms);
        let fabric = &config.network.fabric;
        let seconds = |seconds: u32| Duration::from_secs(seconds.max(1).into());
        let keepalive = fabric.keepalive_enabled.then(|| net::Keepalive {
            time: seconds(fabric.keepalive_time_seconds),
            interval: seconds(fabric.keepalive_intvl_seconds),
            probes: fabric.keepalive_probes.max(1),
        });
        self.limits.set_link_keepalive(keepalive);
    }

    fn log(&self) -> &dyn node::host::Log {
        &*self.log
    }

    fn metadata(&self) -> &dyn MetadataFiles {
        &self.metadata
    }
}

impl std::fmt::Debug for RealHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RealHost").field("sinks", &self.log.sinks()).finish_non_exhaustive()
    }
}
