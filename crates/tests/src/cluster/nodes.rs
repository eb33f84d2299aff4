//! The nodes of a cluster, and what can be done to them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{Columns, Links, Map, Plan, until};
use crate::harness::{Launch, Server, Signal};
use crate::raw::Connection;

/// How long an answer to an info command may take before it is asked again.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// The id of the first node.
const FIRST_ID: u64 = 0xA1;

/// Nodes, each named by its place: the first is 0 and has the id A1.
pub struct Cluster {
    plan: Plan,
    // Nodes end before their networks go.
    nodes: Vec<Node>,
    links: Option<Links>,
    /// Distinguishes the addresses of several clusters.
    subnet: [u8; 3],
}

/// A node that runs, or one that could.
enum Node {
    Up(Box<Server>),
    Down(Box<Launch>),
    /// While it becomes the other.
    Nowhere,
}

impl Cluster {
    /// Starts so many nodes and waits until they are one cluster and nothing moves.
    ///
    /// # Errors
    /// When that does not happen.
    pub fn start(plan: Plan, nodes: usize) -> Result<Self> {
        let mut cluster = Self::prepare(plan)?;
        for _ in 0..nodes {
            cluster.add()?;
        }
        cluster.await_stable()?;
        Ok(cluster)
    }

    /// A cluster without nodes.
    ///
    /// # Errors
    /// When the system refuses networks.
    pub fn prepare(plan: Plan) -> Result<Self> {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let [high, low] = (std::process::id() as u16).to_be_bytes();
        let links = if plan.is_isolated { Some(Links::new()?) } else { None };
        // 127.0.0 is everybody's.
        let subnet = [127, 1 + high % 250, low.wrapping_add(number.wrapping_mul(37))];
        Ok(Self { plan, nodes: Vec::new(), links, subnet })
    }

    /// How nodes are configured, and from what they are started, from now on.
    pub fn plan(&mut self) -> &mut Plan {
        &mut self.plan
    }

    /// The links between the nodes, if they can be cut.
    ///
    /// # Errors
    /// When they cannot.
    pub fn links(&self) -> Result<&Links> {
        self.links.as_ref().context("the links of this cluster cannot be cut")
    }

    /// The id of a node.
    pub fn id(place: usize) -> u64 {
        FIRST_ID + place as u64
    }

    /// Starts another node; returns its place.
    ///
    /// # Errors
    /// When it does not start.
    pub fn add(&mut self) -> Result<usize> {
        self.add_as(Self::id(self.nodes.len()))
    }

    /// The same for one that has this id.
    ///
    /// # Errors
    /// When it does not start.
    pub fn add_as(&mut self, id: u64) -> Result<usize> {
        let place = self.nodes.len();
        let mut launch = Launch::new()?.argument("--foreground");
        if let Some(links) = &mut self.links {
            links.join(place)?;
            launch = launch.within(&links.within(place));
        }
        let configuration = self.plan.configuration(place, id, |place| self.ip(place));
        let launch =
            launch.member_at(self.address(place)).configured("bolide.conf", &configuration)?;
        self.nodes.push(Node::Down(Box::new(launch)));
        self.restart(place)?;
        Ok(place)
    }

    fn ip(&self, place: usize) -> IpAddr {
        if let Some(links) = &self.links {
            return links.address(place);
        }
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, place as u8 + 1).into()
    }

    /// Where a node serves clients.
    pub fn address(&self, place: usize) -> SocketAddr {
        Plan::service(self.ip(place))
    }

    /// Where all nodes do that, whether they run or not.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.places().map(|place| self.address(place)).collect()
    }

    /// The places of all nodes, whether they run or not.
    pub fn places(&self) -> Range<usize> {
        0..self.nodes.len()
    }

    /// The places of those that run.
    pub fn running(&self) -> Vec<usize> {
        self.places().filter(|place| matches!(self.nodes[*place], Node::Up(_))).collect()
    }

    fn server(&self, place: usize) -> Result<&Server> {
        match &self.nodes[place] {
            Node::Up(server) => Ok(server),
            _ => bail!("node {place} does not run"),
        }
    }

    fn take(&mut self, place: usize) -> Result<Server> {
        match std::mem::replace(&mut self.nodes[place], Node::Nowhere) {
            Node::Up(server) => Ok(*server),
            _ => bail!("node {place} does not run"),
        }
    }

    /// Kills a node without warning.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self, place: usize) -> Result<()> {
        let launch = self.take(place)?.kill()?;
        self.nodes[place] = Node::Down(Box::new(launch));
        Ok(())
    }

    /// Tells a node to stop and waits until it has.
    ///
    /// # Errors
    /// When it runs on, or complains.
    pub fn stop(&mut self, place: usize) -> Result<()> {
        let (status, launch) = self.take(place)?.stop()?;
        ensure!(status.success(), "node {place} ended with {status}:\n{}", launch.log());
        self.nodes[place] = Node::Down(Box::new(launch));
        Ok(())
    }

    /// Starts a node that was killed or stopped, with the files that it left.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self, place: usize) -> Result<()> {
        match std::mem::replace(&mut self.nodes[place], Node::Nowhere) {
            Node::Down(launch) => {
                let server = launch.of(&self.plan.release).start()?;
                self.nodes[place] = Node::Up(Box::new(server));
            }
            _ => bail!("node {place} runs"),
        }
        Ok(())
    }

    /// Has a node stand still.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self, place: usize) -> Result<()> {
        self.server(place)?.signal(Signal::STOP)
    }

    /// Has it go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self, place: usize) -> Result<()> {
        self.server(place)?.signal(Signal::CONT)
    }

    /// What a node printed and logged.
    ///
    /// # Errors
    /// When it does not run.
    pub fn log(&self, place: usize) -> Result<String> {
        Ok(self.server(place)?.log())
    }

    /// The value that answers an info command.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, place: usize, command: &str) -> Result<String> {
        let mut connection = Connection::open_at(self.address(place), ANSWER_PATIENCE)?;
        let answer = connection.info(&format!("{command}\n"));
        let answer = answer.with_context(|| format!("asking node {place} for {command}"))?;
        let value = answer.split_once('\t').map_or("", |(_, value)| value);
        Ok(value.trim_end_matches('\n').to_owned())
    }

    /// A value among the pairs that answer an info command.
    ///
    /// # Errors
    /// When there is none.
    pub fn value(&self, place: usize, command: &str, name: &str) -> Result<String> {
        let answer = self.ask(place, command)?;
        Ok(value_of(&answer, name).with_context(|| format!("{command} of {place}"))?.to_owned())
    }

    /// The same, a number.
    ///
    /// # Errors
    /// When there is none.
    pub fn number(&self, place: usize, command: &str, name: &str) -> Result<u64> {
        let text = self.value(place, command, name)?;
        text.parse().with_context(|| format!("{name} of node {place} is {text}"))
    }

    /// A number added up over nodes.
    ///
    /// # Errors
    /// When a node has none.
    pub fn sum(&self, places: &[usize], command: &str, name: &str) -> Result<u64> {
        places.iter().map(|place| self.number(*place, command, name)).sum()
    }

    /// Tells a node something, which it must agree to.
    ///
    /// # Errors
    /// When it does not.
    pub fn tell(&self, place: usize, command: &str) -> Result<()> {
        let answer = self.ask(place, command)?;
        ensure!(answer == "ok", "node {place} answers {command} with {answer}");
        Ok(())
    }

    /// Waits until all nodes that run are one cluster and nothing moves.
    ///
    /// # Errors
    /// When patience ends.
    pub fn await_stable(&self) -> Result<()> {
        self.await_stable_among(&self.running(), false)
    }

    /// Waits until these nodes, and no others, are one cluster, and nothing moves unless that is ignored.
    ///
    /// # Errors
    /// When patience ends.
    pub fn await_stable_among(&self, places: &[usize], ignores_migrations: bool) -> Result<()> {
        let size = places.len();
        let command = format!("cluster-stable:size={size};ignore-migrations={ignores_migrations}");
        until(&format!("{places:?} as one cluster"), || {
            let answers = places.iter().map(|place| self.ask(*place, &command));
            let answers = answers.collect::<Result<Vec<_>>>()?;
            let is_one = answers.iter().all(|key| *key == answers[0] && !key.starts_with("ERROR"));
            ensure!(is_one, "{answers:?}");
            Ok(())
        })
    }

    /// The principal of the cluster that these nodes form.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn principal(&self, places: &[usize]) -> Result<usize> {
        let id = self.value(places[0], "statistics", "cluster_principal")?;
        let mut found = places.iter().filter(|place| format!("{:X}", Self::id(**place)) == id);
        Ok(*found.next().with_context(|| format!("the principal is {id}"))?)
    }

    /// The partition map that these nodes tell of together.
    ///
    /// # Errors
    /// When a node does not answer.
    pub fn map_of(&self, places: &[usize], namespace: &str) -> Result<Map> {
        let told = places
            .iter()
            .map(|place| Ok((*place, Columns::read(&self.ask(*place, "replicas")?, namespace)?)));
        let told = told.collect::<Result<Vec<_>>>()?;
        Ok(Map::of(told.iter().map(|(place, columns)| (*place, columns))))
    }

    /// The same for all nodes that run.
    ///
    /// # Errors
    /// When a node does not answer.
    pub fn map(&self, namespace: &str) -> Result<Map> {
        self.map_of(&self.running(), namespace)
    }
}

/// The value of a name among pairs, `name=value;name=value`.
///
/// # Errors
/// When there is none.
pub fn value_of<'a>(pairs: &'a str, name: &str) -> Result<&'a str> {
    let mut pairs_of = pairs.split(';').filter_map(|pair| pair.split_once('='));
    let found = pairs_of.find(|(found, _)| *found == name);
    Ok(found.with_context(|| format!("no {name} in {pairs:.200}"))?.1)
}
