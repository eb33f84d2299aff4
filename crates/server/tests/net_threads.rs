//! What the service threads do when there is nothing to do, or nothing that they can do.
//!
//! One test in a process of its own: it counts wake-ups of threads and takes away the process's
//! descriptors.

#![allow(clippy::unwrap_used, reason = "an assertion, in helpers of tests too")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use server::net::{Echo, Endpoint, Limits, Options, Protocol, Server};
use socket2::{Domain, Socket, Type};

const FRAME: &[u8] = b"\x02\x03\0\0\0\0\0\x04ping";

#[test]
fn threads_sleep_when_idle_and_do_not_spin_without_descriptors() {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let options = Options {
        endpoints: vec![Endpoint { address, protocol: Protocol::Frames }],
        threads: 2,
        pin: false,
    };
    let limits = Arc::new(Limits::default());
    let server = Server::start(Echo, &options, &limits).unwrap();
    let address = server.endpoints()[0].address;
    let mut clients: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect(address).unwrap()).collect();
    for client in &mut clients {
        echo(client);
    }

    assert!(grows_quiet(), "idle connections");
    limits.set_idle_ms(60_000);
    assert!(grows_quiet(), "idle connections with a distant deadline");

    // Its descriptor exists before there are no more.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let limit = getrlimit(Resource::Nofile);
    let before = wakeups();
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: Some(0), ..limit }).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut late = TcpStream::from(socket);
    late.write_all(FRAME).unwrap();
    late.set_read_timeout(Some(Duration::from_millis(600))).unwrap();
    let error = late.read(&mut [0; 1]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    echo(&mut clients[0]);
    setrlimit(Resource::Nofile, limit).unwrap();

    late.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut reply = [0; FRAME.len()];
    late.read_exact(&mut reply).unwrap();
    assert_eq!(reply, FRAME);
    let retries = since(&before)["acceptor"];
    assert!((2..40).contains(&retries), "{retries} wake-ups of the acceptor");
}

fn echo(client: &mut TcpStream) {
    client.write_all(FRAME).unwrap();
    let mut reply = [0; FRAME.len()];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(reply, FRAME);
}

/// Whether half a second passes without a wake-up of any thread. At first some may still be on
/// their way to sleep; one that ticks never passes.
fn grows_quiet() -> bool {
    (0..5).any(|_| {
        let before = wakeups();
        thread::sleep(Duration::from_millis(500));
        since(&before).values().all(|&count| count == 0)
    })
}

fn since(before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    wakeups().into_iter().map(|(thread, count)| (thread.clone(), count - before[&thread])).collect()
}

/// How often each service thread has gone to sleep so far.
fn wakeups() -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').trim().to_owned()
        };
        let name = field("Name");
        if name == "acceptor" || name.starts_with("service-") {
            counts.insert(name, field("voluntary_ctxt_switches").parse().unwrap());
        }
    }
    assert_eq!(counts.len(), 3, "the acceptor and two loops");
    counts
}
