//! Messages in, messages out, and what follows from views.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cluster::exchange::{self, Exchange, NamespaceOffer, Offer, Offers};
use cluster::fabric::Kind;
use cluster::membership::{
    self, Input, Membership, Moment, Neighbour, Note, Settings, Timing, View,
};
use cluster::{NodeId, Protocols, RackId};
use config::{Config, HeartbeatMode, HeartbeatProtocol};

use super::{Card, Letter, State};
use crate::health::PeerEvent;
use crate::host::{Host, Topic};
use crate::info::{BUILD, COMPATIBILITY_ID};
use crate::node::Node;

/// How long to wait at most before time is looked at again.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// The machines.
pub(super) struct Driver {
    membership: Membership,
    exchange: Exchange,
    /// What other nodes told of themselves.
    cards: BTreeMap<NodeId, Card>,
    members: BTreeSet<NodeId>,
    /// Addresses that an operator named.
    tips: BTreeSet<SocketAddr>,
    /// Addresses that the host named.
    seeds: Vec<SocketAddr>,
}

/// What the machines want done, in order.
#[derive(Default)]
struct Wanted {
    membership: Vec<membership::Output>,
    exchange: Vec<exchange::Output>,
}

impl Driver {
    pub fn new(me: NodeId, config: &Config, host: &dyn Host) -> Self {
        let heartbeat = &config.network.heartbeat;
        let interval = Duration::from_millis(heartbeat.interval_ms.into());
        let settings = Settings {
            node: me,
            incarnation: host.now().0,
            protocols: host.protocols(),
            cluster_name: config.service.cluster_name.clone().unwrap_or_default(),
            addresses: host.control_addresses(),
            timing: Timing { interval, timeout_intervals: heartbeat.timeout_intervals },
            min_cluster_size: config.service.min_cluster_size as usize,
            cluster_size_max: cluster::balance::NODES_MAX,
            card: card_of(config, host).encode(),
            seed: host.random(),
        };
        Self {
            membership: Membership::new(settings, moment(host)),
            exchange: Exchange::new(me, interval),
            cards: BTreeMap::new(),
            members: BTreeSet::new(),
            tips: BTreeSet::new(),
            seeds: Vec::new(),
        }
    }
}

fn moment(host: &dyn Host) -> Moment {
    let wall_ms = host.now().0 + record::meta::EPOCH_UNIX_SECONDS * 1000;
    Moment { monotonic: host.monotonic(), wall_ms }
}

/// What a node tells of itself.
fn card_of(config: &Config, host: &dyn Host) -> Card {
    let service = &config.network.service;
    let port = service.alternate_access_port.or(service.access_port).or(service.port);
    let alternate = service.alternate_access_addresses.iter();
    let alternate =
        port.map(|port| alternate.map(|address| crate::info::with_port(address, port)).collect());
    Card {
        control: host.control_addresses(),
        fabric: host.fabric_addresses(),
        service: host.service_addresses(),
        alternate: alternate.unwrap_or_default(),
        build: BUILD.to_owned(),
        compatibility_id: COMPATIBILITY_ID,
    }
}

impl Node {
    /// Does what there is to do for the node's part in the cluster: takes in messages, notices what time
    /// it is. Returns how long to wait before the next call if no message comes.
    pub fn conduct(&self) -> Duration {
        self.conduct_with(None);
        self.mind_health();
        let driver = self.cluster.driver.lock();
        let exchange = driver.exchange.next_deadline();
        let next = exchange.into_iter().chain([driver.membership.next_deadline()]).min();
        let left = next.map(|next| next.saturating_sub(self.host.monotonic()));
        left.unwrap_or(WAIT_MAX).min(WAIT_MAX)
    }

    /// Has the cluster be formed anew, if this node is the one that does that.
    pub fn recluster(&self) -> bool {
        let is_principal = self.cluster.driver.lock().membership.is_principal();
        if is_principal {
            self.conduct_with(Some(Input::Recluster));
        }
        is_principal
    }

    /// Takes over settings of membership that have changed.
    pub(crate) fn mind_membership(&self, before: &Config) {
        let size = |config: &Config| config.service.min_cluster_size as usize;
        if size(&self.config()) != size(before) {
            self.conduct_with(Some(Input::SizeMin(size(&self.config()))));
        }
        let times = |config: &Config| {
            let heartbeat = &config.network.heartbeat;
            (heartbeat.interval_ms, heartbeat.timeout_intervals)
        };
        let now @ (interval_ms, timeout_intervals) = times(&self.config());
        if now != times(before) {
            let interval = Duration::from_millis(interval_ms.into());
            self.conduct_with(Some(Input::Timing(Timing { interval, timeout_intervals })));
            self.cluster.wake();
        }
    }

    /// Says where other nodes may be found: replaces what was said before.
    pub fn set_seeds(&self, seeds: Vec<SocketAddr>) {
        self.cluster.driver.lock().seeds.clone_from(&seeds);
        self.conduct_with(Some(Input::Seeds(seeds)));
        self.cluster.wake();
    }

    /// Has the node look for a peer at an address.
    pub(crate) fn tip(&self, address: SocketAddr) {
        self.cluster.driver.lock().tips.insert(address);
        self.conduct_with(Some(Input::Tip(address)));
        self.cluster.wake();
    }

    /// Has it forget such addresses, or all. Returns how many it knew.
    pub(crate) fn clear_tips(&self, addresses: Option<Vec<SocketAddr>>) -> usize {
        let known = {
            let tips = &mut self.cluster.driver.lock().tips;
            let before = tips.len();
            match &addresses {
                Some(addresses) => tips.retain(|tip| !addresses.contains(tip)),
                None => tips.clear(),
            }
            before - tips.len()
        };
        self.conduct_with(Some(Input::TipClear(addresses)));
        known
    }

    /// What is known of the nodes around.
    pub(crate) fn neighbours(&self) -> Vec<Neighbour> {
        self.cluster.driver.lock().membership.neighbours().collect()
    }

    /// Ids that more than one node has.
    pub(crate) fn duplicate_nodes(&self) -> Vec<NodeId> {
        self.cluster.driver.lock().membership.duplicates().collect()
    }

    /// How far the clocks of the cluster are apart at most, in ms.
    pub(crate) fn clock_skew_ms(&self) -> u64 {
        self.cluster.driver.lock().membership.clock_skew_ms()
    }

    /// Whether all nodes that are heard are in the view, and all of the view are heard.
    pub(crate) fn has_cluster_integrity(&self) -> bool {
        let members = self.cluster.state().members.clone();
        let me = self.cluster.me;
        let heard: BTreeSet<_> =
            self.neighbours().iter().filter(|of| of.is_heard).map(|of| of.node).collect();
        members.iter().filter(|node| **node != me).all(|node| heard.contains(node))
            && heard.iter().all(|node| members.contains(node))
            && !members.is_empty()
    }

    /// Begins. A node that knows of no others is a cluster by itself from the start.
    pub(crate) fn begin_clustering(&self) {
        let heartbeat = &self.config().network.heartbeat;
        let hears_others =
            !heartbeat.mesh_seeds.is_empty() || heartbeat.mode == Some(HeartbeatMode::Multicast);
        if !hears_others {
            let mut driver = self.cluster.driver.lock();
            let (now, mut wanted) = (moment(&*self.host), Wanted::default());
            driver.membership.begin_alone(now, &mut wanted.membership);
            self.carry_out(&mut driver, now, &mut wanted);
        }
        self.conduct();
    }

    /// The same, and hands the membership machine something beside messages.
    pub(crate) fn conduct_with(&self, input: Option<Input<'_>>) {
        let letters = self.cluster.mailbox.take();
        let mut driver = self.cluster.driver.lock();
        let (now, mut wanted) = (moment(&*self.host), Wanted::default());
        let lease = driver.membership.timing().timeout();
        if self.cluster.renew_lease(now.monotonic, lease) {
            self.come_back(&mut driver, now);
        }
        if let Some(input) = input {
            driver.membership.step(now, input, &mut wanted.membership);
        }
        for letter in &letters {
            self.take_in(&mut driver, now, letter, &mut wanted);
            self.carry_out(&mut driver, now, &mut wanted);
        }
        driver.membership.step(now, Input::Tick, &mut wanted.membership);
        driver.exchange.tick(now.monotonic, &mut wanted.exchange);
        self.carry_out(&mut driver, now, &mut wanted);
    }

    fn take_in(&self, driver: &mut Driver, now: Moment, letter: &Letter, wanted: &mut Wanted) {
        match letter.kind {
            // As if nothing came.
            Kind::Membership if !self.has_heartbeat() => {}
            Kind::Membership => {
                let input = Input::Message(&letter.body);
                driver.membership.step(now, input, &mut wanted.membership);
            }
            Kind::Exchange => {
                driver.exchange.receive(letter.from, &letter.body, &mut wanted.exchange);
            }
            _ => {}
        }
    }

    /// Whether this node takes part in heartbeats. An operator may switch them off, which cuts it off from the others.
    fn has_heartbeat(&self) -> bool {
        self.config().network.heartbeat.protocol != HeartbeatProtocol::None
    }

    /// Does what the machines want, which may make them want more.
    fn carry_out(&self, driver: &mut Driver, now: Moment, wanted: &mut Wanted) {
        while !(wanted.membership.is_empty() && wanted.exchange.is_empty()) {
            for output in std::mem::take(&mut wanted.membership) {
                self.follow_membership(driver, now, output, wanted);
            }
            for output in std::mem::take(&mut wanted.exchange) {
                match output {
                    exchange::Output::Send { to, message } => {
                        // It is sent again until it arrives.
                        let write = |out: &mut Vec<u8>| out.extend_from_slice(&message);
                        self.cluster.send(to, Kind::Exchange, write);
                    }
                    exchange::Output::Complete(offers) => self.rebalance(offers),
                }
            }
        }
    }

    fn follow_membership(
        &self,
        driver: &mut Driver,
        now: Moment,
        output: membership::Output,
        wanted: &mut Wanted,
    ) {
        match output {
            membership::Output::Send { to, message } => {
                if self.has_heartbeat() {
                    self.cluster.send_membership(to, &message);
                }
            }
            membership::Output::View(view) => self.enter(driver, now, &view, wanted),
            membership::Output::Orphaned => self.become_orphan(driver),
            membership::Output::PeerCard { node, card, .. } => {
                driver.cards.insert(node, Card::decode(&card));
                self.update_directory(driver);
            }
            membership::Output::PeerGone(node) => {
                driver.cards.remove(&node);
                self.update_directory(driver);
            }
            // Only the principal is asked to.
            membership::Output::Reclustering(_) => {}
            membership::Output::Note(note) => {
                if let Note::Arrived { node, .. } = note {
                    self.health.count(node, PeerEvent::Arrival);
                }
                let topic = match note {
                    Note::Arrived { .. } | Note::Departed { .. } | Note::ViewFormed { .. } => {
                        Topic::Clustering
                    }
                    _ => Topic::ClusteringTrouble,
                };
                self.host.log().tell(topic, &note.to_string());
            }
        }
    }

    /// A view was agreed on: nothing moves until all members have told each other what they have.
    fn enter(&self, driver: &mut Driver, now: Moment, view: &View, wanted: &mut Wanted) {
        *self.cluster.moving.lock() = false;
        let state = self.cluster.state();
        driver.members = view.members.iter().copied().collect();
        self.cluster.state.store(Arc::new(State {
            cluster_key: view.key,
            members: view.members.clone(),
            generation: state.generation + 1,
            is_balanced: false,
            is_orphan: false,
            ..State::clone(&state)
        }));
        self.update_directory(driver);
        let offer = self.offer();
        let out = &mut wanted.exchange;
        driver.exchange.begin(now.monotonic, view.key, &view.members, offer, out);
    }

    /// What this node has, and what it wants of the balance.
    fn offer(&self) -> Offer {
        let namespaces = self.namespaces.iter().enumerate();
        let namespaces = namespaces.map(|(place, namespace)| {
            let config = namespace.config();
            NamespaceOffer {
                name: namespace.name.to_string(),
                replication_factor: config.replication_factor,
                rack: RackId(config.rack_id),
                active_rack: Some(RackId(config.active_rack)).filter(|rack| rack.0 != 0),
                is_uniform: config.prefer_uniform_balance,
                versions: self.cluster.table(place).versions(),
            }
        });
        let is_quiesced = self.cluster.is_quiesced.load(Ordering::Relaxed);
        let time_ms = self.record_time().0;
        Offer { namespaces: namespaces.collect(), is_quiesced, time_ms }
    }

    /// There was no view for long: others may have formed one without this node, so it serves nothing.
    fn become_orphan(&self, driver: &mut Driver) {
        *self.cluster.moving.lock() = false;
        driver.exchange.stop();
        driver.members.clear();
        let state = self.cluster.state();
        self.cluster.state.store(Arc::new(State {
            cluster_key: 0,
            members: Vec::new(),
            is_balanced: false,
            is_orphan: true,
            offers: Arc::new(Offers::new()),
            ..State::clone(&state)
        }));
        self.update_directory(driver);
        self.revoke_partitions();
    }

    /// The node stood still for longer than others wait for it. They may have gone on without it, so it gives
    /// up its part in the view, and comes back as one that has just started: with what it has.
    fn come_back(&self, driver: &mut Driver, now: Moment) {
        if driver.members.len() > 1 {
            let config = self.config();
            self.host.log().tell(
                Topic::ClusteringTrouble,
                "this node stood still for longer than the heartbeat timeout, and joins its cluster anew; \
                 check for a stopped process, a stalled machine or too little CPU",
            );
            let anew = Driver::new(self.cluster.me, &config, &*self.host);
            let seeds: Vec<_> = driver
                .membership
                .neighbours()
                .filter_map(|neighbour| neighbour.address)
                .chain(driver.seeds.iter().chain(&driver.tips).copied())
                .collect();
            let tips = std::mem::take(&mut driver.tips);
            let own = std::mem::take(&mut driver.seeds);
            *driver = Driver { tips, seeds: own, ..anew };
            let mut out = Vec::new();
            driver.membership.step(now, Input::Seeds(seeds), &mut out);
            let mut wanted = Wanted { membership: out, ..Wanted::default() };
            self.become_orphan(driver);
            self.carry_out(driver, now, &mut wanted);
        }
        self.cluster.end_staleness(now.monotonic);
    }

    /// Tells readers which peers there are.
    fn update_directory(&self, driver: &Driver) {
        let reached: BTreeMap<_, _> = driver
            .membership
            .neighbours()
            .map(|neighbour| (neighbour.node, (neighbour.address, neighbour.protocol)))
            .collect();
        let lowest = Protocols::ALL.low;
        let is_present = |node: &&NodeId| driver.members.contains(node);
        let present = driver.cards.iter().filter(|(node, _)| is_present(node));
        let present = present.map(|(node, card)| {
            let (address, protocol) = reached.get(node).copied().unwrap_or((None, lowest));
            let mut card = card.clone();
            if let Some(address) = address {
                card.prefer(address.ip());
            }
            (*node, (card, protocol))
        });
        let present = present.collect();
        let state = self.cluster.state();
        let mut directory = (*state.directory).clone();
        if directory.update(&present) {
            let directory = Arc::new(directory);
            self.cluster.state.store(Arc::new(State { directory, ..State::clone(&state) }));
        }
    }
}
