//! A thousand connections, most of them hostile, and one honest client beside them.
//!
//! What is sent comes out of seeded generators; how it interleaves is up to the machine.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use tests::announce;
use tests::harness::{GOLDEN_CONFIGURATION, Readings, Server, raise_open_files_max};
use tests::raw::{COMPRESSED, Connection, Draft, INFO, MESSAGE, SECURITY, compressed, frame};

/// Connections that are open together.
const CONNECTIONS: usize = 1000;
/// Threads that share them.
const ATTACKERS: usize = 4;
/// How long it goes on.
const DURATION: Duration = Duration::from_secs(10);
/// How much memory the server may take for all of it: 64 KiB for each unfinished frame, replies
/// that nobody reads, and room to breathe.
const GROWTH_KBYTES_MAX: u64 = 256 * 1024;
/// How long an attacker rests between attacks. Without it, the machine would be measured: there
/// are as many attackers as cores.
const REST: Duration = Duration::from_millis(1);
/// What the honest client may wait for at most in 99 of 100 cases. A machine that also runs the
/// attackers, and perhaps other tests, is slow; a server that starves a client is far slower.
const LATENCY_P99_MAX: Duration = Duration::from_millis(500);
/// What it may wait for at all.
const LATENCY_MAX: Duration = Duration::from_secs(5);

/// The records that attackers write; the honest client has its own.
const RECORDS: u64 = 500;

#[test]
fn a_thousand_hostile_connections() -> Result<()> {
    raise_open_files_max(CONNECTIONS as u64 + 500)?;
    let mut server = Server::start(GOLDEN_CONFIGURATION)?;
    let (port, readings) = (server.port(), server.readings());
    let before_kbytes = readings.resident_kbytes()?;
    let alone = quantiles(&mut honest_client(port, &until(Duration::from_secs(1)))?)?;

    let stop = &until(DURATION);
    let (attacks, mut latencies, most_kbytes) = thread::scope(|scope| {
        let attackers: Vec<_> = (0..ATTACKERS as u64)
            .map(|seed| scope.spawn(move || Attacker::new(port, seed).attack(stop)))
            .collect();
        let honest = scope.spawn(|| honest_client(port, stop));
        let memory = scope.spawn(|| most_resident_kbytes(readings, stop));
        let mut attacks = Attacks::default();
        for attacker in attackers {
            attacks.add(&attacker.join().expect("attackers do not panic")?);
        }
        let latencies = honest.join().expect("the honest client does not panic")?;
        let most_kbytes = memory.join().expect("the watcher does not panic")?;
        anyhow::Ok((attacks, latencies, most_kbytes))
    })?;

    let besieged = quantiles(&mut latencies)?;
    announce(format_args!("stress: {attacks:?}"));
    announce(format_args!("stress: honest client alone {alone}; besieged {besieged}"));
    announce(format_args!("stress: {before_kbytes} KiB grew to {most_kbytes} KiB"));
    ensure!(server.is_running()?, "the server is gone:\n{}", server.output());
    let log = server.log();
    ensure!(!log.contains("panic"), "the server said:\n{log}");
    ensure!(attacks.hostile > 1000 && attacks.sound > 1000, "too little happened: {attacks:?}");
    ensure!(most_kbytes < before_kbytes + GROWTH_KBYTES_MAX, "{most_kbytes} KiB are too many");
    ensure!(besieged.p99 < LATENCY_P99_MAX, "{besieged}");
    ensure!(besieged.most < LATENCY_MAX, "{besieged}");
    Connection::open(port)?.expect_alive()
}

/// A sign that is up for a while.
struct Until(Instant);

fn until(duration: Duration) -> Until {
    Until(Instant::now() + duration)
}

impl Until {
    fn is_over(&self) -> bool {
        Instant::now() >= self.0
    }
}

/// Writes and reads one record over and over, checks every reply, and returns how long each took.
fn honest_client(port: u16, stop: &Until) -> Result<Vec<Duration>> {
    let mut connection = Connection::open(port)?;
    let mut latencies = Vec::new();
    for value in 0.. {
        if stop.is_over() {
            break;
        }
        let begun = Instant::now();
        let written = connection.result(&apart(Draft::write_number("honest", value)).frame())?;
        let read = connection.ask(&apart(Draft::read("honest")).frame())?;
        latencies.push(begun.elapsed() / 2);
        ensure!(written == 0 && read.result == 0, "{written}, {read:?}");
        ensure!(read.ops.len() == 1 && read.ops[0].value == value.to_be_bytes(), "{read:?}");
        thread::sleep(Duration::from_millis(1));
    }
    Ok(latencies)
}

/// The request in the namespace that attackers leave alone: a write of theirs that loses its digest is one to
/// all records of its namespace, and takes effect.
fn apart(draft: Draft) -> Draft {
    const NAMESPACE: u8 = 0;
    draft.without_field(NAMESPACE).field_first(NAMESPACE, b"bar")
}

/// How long an answer took.
struct Quantiles {
    p50: Duration,
    p99: Duration,
    most: Duration,
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:?}, p99 {:?}, at most {:?}", self.p50, self.p99, self.most)
    }
}

fn quantiles(latencies: &mut [Duration]) -> Result<Quantiles> {
    latencies.sort_unstable();
    let at = |percent: usize| latencies.get((latencies.len() * percent / 100).saturating_sub(1));
    let quantile = |percent| at(percent).copied().context("nothing was measured");
    Ok(Quantiles { p50: quantile(50)?, p99: quantile(99)?, most: quantile(100)? })
}

fn most_resident_kbytes(readings: Readings, stop: &Until) -> Result<u64> {
    let mut most = 0;
    while !stop.is_over() {
        most = most.max(readings.resident_kbytes()?);
        thread::sleep(Duration::from_millis(100));
    }
    Ok(most)
}

/// What was done to the server.
#[derive(Clone, Copy, Debug, Default)]
struct Attacks {
    /// Requests that were sound, and answered.
    sound: u64,
    /// Bytes that no client would send.
    hostile: u64,
    /// Connections made.
    connections: u64,
    /// Connections that the server closed.
    closed: u64,
}

impl Attacks {
    fn add(&mut self, other: &Self) {
        self.sound += other.sound;
        self.hostile += other.hostile;
        self.connections += other.connections;
        self.closed += other.closed;
    }
}

/// One thread's share of the connections.
struct Attacker {
    port: u16,
    random: Rng,
    done: Attacks,
}

impl Attacker {
    fn new(port: u16, seed: u64) -> Self {
        Self { port, random: Rng::with_seed(seed), done: Attacks::default() }
    }

    fn attack(mut self, stop: &Until) -> Result<Attacks> {
        let mut victims = Vec::new();
        for _ in 0..CONNECTIONS / ATTACKERS {
            victims.push(self.connect()?);
        }
        while !stop.is_over() {
            let place = self.random.usize(..victims.len());
            let stays = match self.random.u8(..10) {
                0..4 => self.ask_soundly(&mut victims[place]),
                4..8 => self.send_hostile(&mut victims[place]),
                8 => self.ask_and_not_listen(&mut victims[place]),
                _ => false,
            };
            if !stays {
                victims[place] = self.connect()?;
            }
            thread::sleep(REST);
        }
        Ok(self.done)
    }

    fn connect(&mut self) -> Result<TcpStream> {
        self.done.connections += 1;
        let stream = TcpStream::connect(("127.0.0.1", self.port)).context("connecting")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    /// Sends a few sound requests, and takes what replies there are. Says whether the connection
    /// is still good.
    fn ask_soundly(&mut self, stream: &mut TcpStream) -> bool {
        let count = self.random.usize(1..8);
        let bytes: Vec<u8> = (0..count).flat_map(|_| sound(&mut self.random)).collect();
        if !self.send(stream, &bytes) {
            return false;
        }
        self.done.sound += count as u64;
        self.drain(stream)
    }

    fn send_hostile(&mut self, stream: &mut TcpStream) -> bool {
        self.done.hostile += 1;
        let bytes = hostile(&mut self.random);
        let stays = self.send(stream, &bytes) && self.drain(stream);
        match self.random.u8(..8) {
            // Say nothing more, but stay.
            0 => stays && stream.shutdown(Shutdown::Write).is_ok(),
            // Leave in the middle of it.
            1 => false,
            _ => stays,
        }
    }

    /// Asks for much and reads nothing of it.
    fn ask_and_not_listen(&mut self, stream: &mut TcpStream) -> bool {
        self.done.hostile += 1;
        let requests = sound(&mut self.random).repeat(self.random.usize(1..50));
        self.send(stream, &requests)
    }

    /// Sends what the server takes at once; the rest is dropped, which leaves a torn frame behind.
    fn send(&mut self, stream: &mut TcpStream, bytes: &[u8]) -> bool {
        match stream.write(bytes) {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => true,
            Err(_) => {
                self.done.closed += 1;
                false
            }
        }
    }

    /// Takes what has come so far.
    fn drain(&mut self, stream: &mut TcpStream) -> bool {
        let mut buffer = [0; 16 * 1024];
        loop {
            match stream.read(&mut buffer) {
                Ok(count) if count == buffer.len() => {}
                Ok(count) if count > 0 => return true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Ok(_) | Err(_) => {
                    self.done.closed += 1;
                    return false;
                }
            }
        }
    }
}

/// A request that any client might send.
fn sound(random: &mut Rng) -> Vec<u8> {
    let label = format!("record {}", random.u64(..RECORDS));
    match random.u8(..8) {
        0 => Draft::write_number(&label, random.i64(..)).frame(),
        1 => {
            let value = vec![random.u8(..); random.usize(..4000)];
            Draft::write(&label).op(2, 4, b"v", &value).frame()
        }
        2 => Draft::delete(&label).frame(),
        // What clients send to see whether anything has changed.
        3 => frame(INFO, b"node\npeers-generation\npartition-generation\n"),
        4 => {
            let inner = Draft::read(&label).frame();
            frame(COMPRESSED, &compressed(inner.len() as u64, &inner))
        }
        5 => frame(SECURITY, &[0; 16]),
        _ => Draft::read(&label).frame(),
    }
}

/// Bytes that a client would not send.
fn hostile(random: &mut Rng) -> Vec<u8> {
    match random.u8(..7) {
        // Noise.
        0 => noise(random, 300),
        // Noise in a frame that announces it truly.
        1 => frame(
            random.choice([INFO, SECURITY, MESSAGE, COMPRESSED]).unwrap_or(INFO),
            &noise(random, 2000),
        ),
        // A sound request with a few bytes changed, the frame's own header now and then too.
        2 => {
            let mut bytes = sound(random);
            let from = if random.u8(..4) == 0 { 0 } else { 8.min(bytes.len()) };
            for _ in 0..random.usize(1..6) {
                if from < bytes.len() {
                    let place = random.usize(from..bytes.len());
                    bytes[place] = random.u8(..);
                }
            }
            bytes
        }
        // The beginning of one.
        3 => {
            let mut bytes = sound(random);
            bytes.truncate(random.usize(..bytes.len()));
            bytes
        }
        // A header that announces much, and a little of it.
        4 => {
            let mut bytes = random.u64(..200 << 20).to_be_bytes();
            bytes[0] = 2;
            bytes[1] = random.u8(1..5);
            [&bytes[..], &noise(random, 30_000)].concat()
        }
        // Counts and sizes that lie.
        5 => Draft::write_number("liar", 1)
            .claiming_fields(random.u16(..))
            .claiming_ops(random.u16(..))
            .tail(&noise(random, 100))
            .frame(),
        // A compressed frame that lies.
        _ => {
            let inner = noise(random, 5000);
            frame(COMPRESSED, &compressed(random.u64(..1 << 24), &inner))
        }
    }
}

fn noise(random: &mut Rng, size_max: usize) -> Vec<u8> {
    (0..random.usize(..size_max)).map(|_| random.u8(..)).collect()
}
