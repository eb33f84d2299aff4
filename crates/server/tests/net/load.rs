//! Many connections at once, sound and hostile.

use std::io::Write;
use std::net::TcpStream;

use crate::harness::{Rig, expect, expect_alive, header, message};

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    resident.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn a_thousand_connections() {
    let rig = Rig::start();
    let mut clients: Vec<TcpStream> = (0..1_000).map(|_| rig.connect()).collect();
    for round in 0..5 {
        let request = |index: usize| message(format!("{round} {index}").as_bytes()).repeat(3);
        for (index, client) in clients.iter_mut().enumerate() {
            client.write_all(&request(index)).unwrap();
        }
        for (index, client) in clients.iter_mut().enumerate() {
            expect(client, &request(index));
        }
    }
    assert_eq!(rig.stats().client_connections, 1_000);
    drop(clients);
    rig.wait_for("all closed", |stats| stats.client_connections_closed == 1_000);
}

#[test]
fn a_thousand_announcements_cost_no_memory() {
    let rig = Rig::start();
    let mut honest = rig.connect();
    expect_alive(&mut honest);
    let before = resident_bytes();
    let mut hostile: Vec<TcpStream> = (0..1_000).map(|_| rig.connect()).collect();
    for client in &mut hostile {
        client.write_all(&header(2, 3, 128 << 20)).unwrap();
    }
    for _ in 0..20 {
        for client in &mut hostile {
            client.write_all(b"x").unwrap();
        }
        expect_alive(&mut honest);
    }
    rig.wait_for("all bytes", |stats| stats.bytes_received >= 28 * 1_000);
    // Other tests of this process run at the same time, hence the wide margin: what is announced
    // is 128 GiB.
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 512 << 20, "{grown} bytes for nothing");
    assert_eq!(rig.stats().client_connections, 1_001);
}
