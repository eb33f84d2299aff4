//! What a node tells of the health of its devices.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use config::{DevicePath, EngineKind, StorageEngine};
use storage::device::Device;
use storage::device::ram::RamDevice;
use wire::client::RequestBuilder;
use wire::{Info1, ProtoType};

use super::super::answer;
use super::super::testing::{
    CLIENT, TestHost, ask, await_ticket, digest, node, node_on_with, worker, write,
};
use crate::node::Node;
use crate::unfinished::Progress;
use crate::worker::{Answer, Worker};

const DEVICE_BYTES: usize = 128 << 20;
const NAMES: [&str; 3] = ["/a", "/b", "/c"];

/// A device whose reads take a time by the clock of the host.
#[derive(Debug)]
struct Timed {
    device: RamDevice,
    host: Arc<TestHost>,
    read_time: Duration,
}

impl Device for Timed {
    fn name(&self) -> &str {
        self.device.name()
    }

    fn size_bytes(&self) -> u64 {
        self.device.size_bytes()
    }

    fn read_at(&self, bytes: &mut [u8], offset_bytes: u64) -> io::Result<()> {
        self.host.advance(self.read_time);
        self.device.read_at(bytes, offset_bytes)
    }

    fn write_at(&self, bytes: &[u8], offset_bytes: u64) -> io::Result<()> {
        self.device.write_at(bytes, offset_bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.device.sync()
    }
}

/// A node with these records on three devices, of which the second is slow. It has just come up, so none
/// of them is in memory.
fn with_a_slow_device(keys: &[String]) -> (Arc<TestHost>, Arc<Node>) {
    let host = TestHost::new();
    let devices = NAMES.map(|name| -> Arc<dyn Device> {
        let read_time = Duration::from_micros(if name == "/b" { 900 } else { 100 });
        let device = RamDevice::new(name, DEVICE_BYTES, true);
        Arc::new(Timed { device, host: host.clone(), read_time })
    });
    let engine = StorageEngine {
        kind: EngineKind::Device,
        files: NAMES.map(|path| DevicePath { path: path.into(), shadow: None }).into(),
        post_write_cache_bytes: 0,
        ..StorageEngine::default()
    };
    let start = || node_on_with(&host, engine.clone(), devices.clone().into());
    let before = start();
    let mut writer = worker(&before);
    keys.iter().for_each(|key| request(&mut writer, &write(None, key, 0)));
    before.namespaces[0].flush_devices();
    let node = start();
    (host, node)
}

fn request(worker: &mut Worker, body: &[u8]) {
    let mut out = Vec::new();
    let answer = worker.answer(ProtoType::Message, body, CLIENT, &mut out).unwrap();
    if let Answer::Partial(mut rest) = answer {
        while let Progress::Waits(ticket) = rest.advance(worker, &mut out) {
            await_ticket(worker, ticket);
        }
    }
    assert_eq!(out[8 + 5], 0);
}

fn switch(node: &Node, value: bool) {
    let command = format!("set-config:context=service;enable-health-check={value}");
    assert_eq!(ask(node, &command), "ok");
}

#[test]
fn a_slow_device_is_an_outlier() {
    let keys: Vec<String> = (0..600).map(|number| number.to_string()).collect();
    let (host, node) = with_a_slow_device(&keys);
    let mut worker = worker(&node);
    let mut read_all = || {
        for key in &keys {
            let read = RequestBuilder::new()
                .namespace("test")
                .digest(&digest(None, key))
                .info1(Info1::READ | Info1::GET_ALL);
            request(&mut worker, &read.into_body());
        }
    };
    read_all();
    assert_eq!(ask(&node, "health-stats"), "", "nobody watches");
    switch(&node, true);
    let shown = |values: [u64; 3]| {
        let of = |(name, value)| {
            format!("stat=test_device_read_latency:value={value}:device={name}:namespace=test")
        };
        NAMES.into_iter().zip(values).map(of).collect::<Vec<_>>().join(";")
    };
    assert_eq!(ask(&node, "health-stats"), shown([0, 0, 0]));
    read_all();
    assert_eq!(ask(&node, "health-stats"), shown([100, 900, 100]));
    assert_eq!(ask(&node, "health-outliers"), "", "the minute is not over");
    host.advance(Duration::from_secs(60));
    node.conduct();
    let outlier = "id=/b:namespace=test:confidence_pct=89:reason=device_read_latency";
    assert_eq!(ask(&node, "health-outliers"), outlier);
    let line = "outlier /b: namespace test confidence-pct 89 reason device_read_latency";
    assert!(host.messages.lock().iter().any(|message| message == line));
    switch(&node, false);
    assert_eq!(ask(&node, "health-outliers") + &ask(&node, "health-stats"), "");
    switch(&node, true);
    assert_eq!(ask(&node, "health-stats"), shown([0, 0, 0]), "all is forgotten");
    assert_eq!(ask(&node, "health-outliers"), "");
}

#[test]
fn the_tab_is_there_with_nothing_behind_it() {
    let (host, node) = node();
    for is_on in [false, true] {
        switch(&node, is_on);
        host.advance(Duration::from_secs(61));
        node.conduct();
        let mut reply = Vec::new();
        answer(&node, b"health-outliers\nhealth-stats\n", CLIENT, &mut reply);
        assert_eq!(reply, b"health-outliers\t\nhealth-stats\t\n");
    }
}
