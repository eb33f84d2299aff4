//! What is known of the health of peers and devices. A machine without a clock of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;

use super::outliers::Ordinary;
use super::window::Window;

/// How often values are compared, and how long a bucket of a window is.
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// What is watched, in the order in which outliers are listed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Stat {
    FabricConnectionsOpened,
    Proxies,
    NodeArrivals,
    ReplicationLatency,
    DeviceReadLatency,
}

/// Something that happens to a peer and is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PeerEvent {
    /// This node opened a connection to it, other than for heartbeats.
    ConnectionOpened,
    /// A request was passed on to it.
    Proxy,
    /// It was heard, and was not before.
    Arrival,
}

impl PeerEvent {
    const ALL: [Self; 3] = [Self::ConnectionOpened, Self::Proxy, Self::Arrival];

    fn stat(self) -> Stat {
        match self {
            Self::ConnectionOpened => Stat::FabricConnectionsOpened,
            Self::Proxy => Stat::Proxies,
            Self::Arrival => Stat::NodeArrivals,
        }
    }
}

impl Stat {
    fn name(self) -> &'static str {
        match self {
            Self::FabricConnectionsOpened => "fabric_connections_opened",
            Self::Proxies => "proxies",
            Self::NodeArrivals => "node_arrivals",
            Self::ReplicationLatency => "replication_latency",
            Self::DeviceReadLatency => "device_read_latency",
        }
    }

    /// Up to this value nothing is an outlier.
    fn threshold(self) -> f64 {
        match self {
            Self::FabricConnectionsOpened => 5.0,
            Self::Proxies => 2.0,
            Self::NodeArrivals => 1.0,
            Self::ReplicationLatency | Self::DeviceReadLatency => 0.0,
        }
    }

    /// Whether it says something of members of the view only.
    fn is_of_members(self) -> bool {
        matches!(self, Self::Proxies | Self::ReplicationLatency)
    }

    /// The value of a window: how many, or how many microseconds in the mean.
    fn value_of(self, window: &Window) -> f64 {
        match self {
            Self::FabricConnectionsOpened | Self::Proxies | Self::NodeArrivals => window.total(),
            Self::ReplicationLatency | Self::DeviceReadLatency => window.mean(),
        }
    }
}

/// Whose health it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Subject {
    Peer(NodeId),
    Device(Arc<str>),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(node) => write!(f, "{:x}", node.0),
            Self::Device(name) => f.write_str(name),
        }
    }
}

/// A value as of now. Renders as `health-stats` shows it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Reading {
    pub(super) subject: Subject,
    pub(super) namespace: Option<Arc<str>>,
    pub(super) stat: Stat,
    pub(super) value: f64,
}

impl Reading {
    /// Values that have this in common are of the same thing, and can be compared.
    fn scope(&self) -> (Stat, Option<&str>) {
        (self.stat, self.namespace.as_deref())
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stat=")?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}_")?;
        }
        let kind = match self.subject {
            Subject::Peer(_) => "node",
            Subject::Device(_) => "device",
        };
        let (value, name) = (self.value.round() as u64, self.stat.name());
        write!(f, "{name}:value={value}:{kind}={}", self.subject)?;
        match &self.namespace {
            Some(namespace) => write!(f, ":namespace={namespace}"),
            None => Ok(()),
        }
    }
}

/// A value that is out of the ordinary. Renders as `health-outliers` shows it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Outlier {
    reading: Reading,
    confidence_pct: u32,
}

impl Outlier {
    /// What the log says of it, in the words of the original: log tools look for them.
    pub fn log_line(&self) -> String {
        let Reading { subject, namespace, stat, .. } = &self.reading;
        let scope = namespace.as_ref().map(|name| format!(" namespace {name}"));
        let (scope, reason) = (scope.unwrap_or_default(), stat.name());
        format!("outlier {subject}:{scope} confidence-pct {} reason {reason}", self.confidence_pct)
    }
}

impl fmt::Display for Outlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reading { subject, namespace, stat, .. } = &self.reading;
        write!(f, "id={subject}:")?;
        if let Some(namespace) = namespace {
            write!(f, "namespace={namespace}:")?;
        }
        write!(f, "confidence_pct={}:reason={}", self.confidence_pct, stat.name())
    }
}

/// What is remembered of a peer.
#[derive(Debug)]
struct Peer {
    /// By [`PeerEvent`].
    events: [Window; PeerEvent::ALL.len()],
    /// Microseconds until a change was confirmed, by namespace.
    replication: Box<[Window]>,
}

/// What is remembered of a device.
#[derive(Debug)]
struct Device {
    namespace: Arc<str>,
    name: Arc<str>,
    /// Microseconds that reads took.
    reads: Window,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Names of all namespaces, by number.
    namespaces: Vec<Arc<str>>,
    peers: BTreeMap<NodeId, Peer>,
    devices: Vec<Device>,
    /// When the minute that is under way is over, by the monotonic clock.
    minute_ends: Duration,
    /// What was found when the last one was.
    outliers: Vec<Outlier>,
}

impl Watch {
    /// Begins now, by the monotonic clock, with nothing: for namespaces with these names and the devices
    /// that each reads from.
    pub fn new<'a>(
        now: Duration,
        namespaces: impl IntoIterator<Item = (&'a str, Vec<String>)>,
    ) -> Self {
        let (mut names, mut devices) = (Vec::new(), Vec::new());
        for (namespace, of_namespace) in namespaces {
            let namespace: Arc<str> = namespace.into();
            devices.extend(of_namespace.into_iter().map(|name| Device {
                namespace: Arc::clone(&namespace),
                name: name.into(),
                reads: Window::default(),
            }));
            names.push(namespace);
        }
        let (minute_ends, peers) = (now + MINUTE, BTreeMap::new());
        Self { namespaces: names, peers, devices, minute_ends, outliers: Vec::new() }
    }

    /// Counts something that happened to a peer.
    pub fn count(&mut self, peer: NodeId, event: PeerEvent) {
        self.peer(peer).events[event as usize].add(1);
    }

    /// A peer has confirmed a change of a namespace's record, after so long.
    pub fn replicated(&mut self, peer: NodeId, namespace: usize, took: Duration) {
        if let Some(window) = self.peer(peer).replication.get_mut(namespace) {
            window.add(took.as_micros() as u64);
        }
    }

    /// A record was read from the device with this name, which took so long.
    pub fn device_read(&mut self, name: &str, took: Duration) {
        if let Some(device) = self.devices.iter_mut().find(|device| &*device.name == name) {
            device.reads.add(took.as_micros() as u64);
        }
    }

    fn peer(&mut self, node: NodeId) -> &mut Peer {
        let namespaces = self.namespaces.len();
        self.peers.entry(node).or_insert_with(|| Peer {
            events: Default::default(),
            replication: vec![Window::default(); namespaces].into(),
        })
    }

    /// Takes note of the time and of who else is in the view. When a minute is over, looks for outliers and
    /// returns those that there are.
    pub fn step(&mut self, now: Duration, members: &[NodeId]) -> &[Outlier] {
        if now < self.minute_ends {
            return &[];
        }
        let late = now.saturating_sub(self.minute_ends);
        let minutes = 1 + (late.as_secs() / MINUTE.as_secs());
        self.minute_ends += MINUTE * u32::try_from(minutes).unwrap_or(u32::MAX);
        self.outliers = outliers_among(self.readings(members));
        self.advance(usize::try_from(minutes).unwrap_or(usize::MAX));
        self.peers.retain(|node, peer| members.contains(node) || !peer.is_forgotten());
        &self.outliers
    }

    fn advance(&mut self, minutes: usize) {
        let of_peers = self.peers.values_mut();
        let of_peers =
            of_peers.flat_map(|peer| peer.events.iter_mut().chain(&mut peer.replication));
        let of_devices = self.devices.iter_mut().map(|device| &mut device.reads);
        of_peers.chain(of_devices).for_each(|window| window.advance(minutes));
    }

    /// What was out of the ordinary when the last minute was over.
    pub fn outliers(&self) -> &[Outlier] {
        &self.outliers
    }

    /// All values: of the members of the view, of peers that were heard in the last half hour, and of
    /// devices.
    pub fn readings(&mut self, members: &[NodeId]) -> Vec<Reading> {
        for member in members {
            self.peer(*member);
        }
        let mut readings = Vec::new();
        for (node, peer) in &self.peers {
            let is_member = members.contains(node);
            if is_member || !peer.is_forgotten() {
                let of_peer = self.readings_of(*node, peer);
                readings.extend(of_peer.filter(|of| is_member || !of.stat.is_of_members()));
            }
        }
        readings.extend(self.devices.iter().map(|device| Reading {
            subject: Subject::Device(Arc::clone(&device.name)),
            namespace: Some(Arc::clone(&device.namespace)),
            stat: Stat::DeviceReadLatency,
            value: Stat::DeviceReadLatency.value_of(&device.reads),
        }));
        readings
    }

    fn readings_of(&self, node: NodeId, peer: &Peer) -> impl Iterator<Item = Reading> {
        let reading = move |stat: Stat, namespace: Option<&Arc<str>>, window: &Window| Reading {
            subject: Subject::Peer(node),
            namespace: namespace.cloned(),
            stat,
            value: stat.value_of(window),
        };
        let events = PeerEvent::ALL.into_iter().zip(&peer.events);
        let events = events.map(move |(event, window)| reading(event.stat(), None, window));
        let replication = self.namespaces.iter().zip(&peer.replication);
        let replication = replication.map(move |(namespace, window)| {
            reading(Stat::ReplicationLatency, Some(namespace), window)
        });
        events.chain(replication)
    }
}

impl Peer {
    /// Whether it gave no sign of itself in the last half hour.
    fn is_forgotten(&self) -> bool {
        self.events.iter().chain(&self.replication).all(Window::is_empty)
    }
}

/// Compares values of the same thing with each other.
fn outliers_among(mut readings: Vec<Reading>) -> Vec<Outlier> {
    readings.sort_by(|one, other| {
        one.scope().cmp(&other.scope()).then(one.value.total_cmp(&other.value))
    });
    let mut outliers = Vec::new();
    for group in readings.chunk_by(|one, other| one.scope() == other.scope()) {
        let values: Vec<f64> = group.iter().map(|reading| reading.value).collect();
        let Some(ordinary) = Ordinary::among(&values) else { continue };
        outliers.extend(group.iter().filter_map(|reading| {
            let threshold = reading.stat.threshold();
            let confidence_pct = ordinary.confidence_pct(reading.value, threshold)?;
            Some(Outlier { reading: reading.clone(), confidence_pct })
        }));
    }
    outliers
}

#[cfg(test)]
mod tests;
