//! Namespaces on devices, which remember truncations and thresholds by themselves.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use config::{EngineKind, StorageEngine};
use engine::supervisor::{Supervisor, World};
use storage::device::ram::RamDevice;

use super::*;
use crate::info::testing::node_on_with;

const DEVICE_BYTES: usize = 128 << 20;

/// A namespace `test` on a device, and the files of the metadata.
struct Place {
    host: Arc<TestHost>,
    device: Arc<RamDevice>,
    node: Arc<Node>,
}

impl Place {
    fn new() -> Self {
        let device = Arc::new(RamDevice::new("ram", DEVICE_BYTES, true));
        let host = TestHost::new();
        let node = up(&host, &device);
        Self { host, device, node }
    }

    /// Stops the node in order and has another come up.
    fn restart(&mut self) {
        self.node.namespaces[0].close_devices(None).unwrap();
        self.device = Arc::new(RamDevice::with_content("ram", self.device.content(), true));
        self.node = up(&self.host, &self.device);
    }

    fn supervise(&self) {
        let world = World { now: self.host.now(), memory_used_pct: 0 };
        let mut supervisor = Supervisor::new(self.host.now());
        supervisor.step(&self.node.namespaces[0], world, || self.host.now(), &mut Vec::new());
    }

    fn ask(&self, command: &str) -> String {
        ask(&self.node, command)
    }

    /// Asserts what is truncated, in force and as it is shown.
    fn expect_lut(&self, lut: u64) {
        let shown = if lut == 0 { "<empty>".into() } else { format!("test={lut}") };
        assert_eq!(self.ask("smd-show:module=truncate"), shown);
        assert!(self.ask("namespace/test").contains(&format!(";truncate_lut={lut};")));
    }
}

fn up(host: &Arc<TestHost>, device: &Arc<RamDevice>) -> Arc<Node> {
    let engine = StorageEngine { kind: EngineKind::Device, ..StorageEngine::default() };
    let node = node_on_with(host, engine, vec![device.clone()]);
    node.restore_metadata().unwrap();
    node
}

#[test]
fn devices_and_store_agree() {
    let mut place = Place::new();
    send(&place.node, &write(Some("s"), "old", 0));
    place.host.advance(SECOND);
    assert_eq!(place.ask("truncate-namespace:namespace=test"), "ok");
    let first = place.host.now().0;
    place.restart();
    place.expect_lut(first);
    let committed = place.node.metadata.committed(Module::Truncate);
    assert_eq!(committed.tid, 1, "the device had nothing to add");

    // The work directory is lost: the device remembers.
    place.host.files.lock().clear();
    place.restart();
    place.expect_lut(first);
    assert_eq!(place.node.metadata.committed(Module::Truncate).tid, 1);

    // The power went before the device knew.
    let later = first + 5;
    place.host.advance(SECOND);
    let contents = Contents {
        items: vec![item("test", Some(&later.to_string()), 1, later)],
        ..Contents::default()
    };
    place.host.files.lock().insert("truncate".into(), encode(&contents));
    place.restart();
    place.expect_lut(later);
    place.host.files.lock().clear();
    place.restart();
    place.expect_lut(later);
}

#[test]
fn an_undo_lasts_though_what_is_removed_stays_away() {
    let mut place = Place::new();
    send(&place.node, &write(Some("s"), "old", 0));
    place.host.advance(SECOND);
    assert_eq!(place.ask("truncate-namespace:namespace=test"), "ok");
    let first = place.host.now().0;
    place.supervise();
    place.host.advance(SECOND);
    assert_eq!(place.ask("truncate-namespace-undo:namespace=test"), "ok");
    place.restart();
    place.expect_lut(0);
    assert_eq!(place.ask("objects"), "0");
    let removed_before = place.node.namespaces[0].gauges.removed_before.load(Ordering::Relaxed);
    assert_eq!(removed_before, first, "older copies are on the device");

    // A copy of the files from before a later truncation does not undo that.
    let old_files = place.host.files.lock().clone();
    place.host.advance(SECOND);
    assert_eq!(place.ask("truncate-namespace:namespace=test"), "ok");
    let second = place.host.now().0;
    *place.host.files.lock() = old_files;
    place.restart();
    place.expect_lut(second);
}

#[test]
fn thresholds_of_devices_last_until_they_are_reset() {
    let mut place = Place::new();
    assert_eq!(place.ask("eviction-reset:namespace=test;ttl=100"), "ok");
    let void_time = START.seconds().0 + 100;
    place.host.files.lock().clear();
    place.restart();
    assert_eq!(place.ask("smd-show:module=evict"), format!("test={void_time}"));
    assert_eq!(place.ask("eviction-reset:namespace=test"), "ok");
    place.restart();
    assert_eq!(place.ask("smd-show:module=evict"), "<empty>");
    assert!(place.ask("namespace/test").contains(";evict_void_time=0;"));
}
