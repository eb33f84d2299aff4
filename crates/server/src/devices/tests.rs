//! Starts that are refused, and raids that wait for each other.

use super::*;

/// A namespace on a file in this folder.
fn on_file(folder: &Path, change: impl FnOnce(&mut StorageEngine)) -> NamespaceConfig {
    let mut of = NamespaceConfig::named("test");
    let path = folder.join("file").display().to_string();
    of.storage_engine = StorageEngine {
        kind: EngineKind::Device,
        files: vec![DevicePath { path, shadow: None }],
        filesize_bytes: 128 << 20,
        ..StorageEngine::default()
    };
    change(&mut of.storage_engine);
    of
}

#[test]
fn a_start_without_the_room_asked_for_says_what_to_do() {
    let folder = std::env::temp_dir().join(format!("bolide-server-{}", fastrand::u64(..)));
    fs::create_dir_all(&folder).unwrap();
    // Of fifteen blocks eight are kept back: 46 % can be had.
    let asking = |pct| on_file(&folder, |engine| engine.defrag_startup_minimum_pct = pct);
    let namespace = open(&asking(46), None, 1).unwrap();
    namespace.close_devices(None).unwrap();
    drop(namespace);
    let refusal = format!("{:#}", open(&asking(47), None, 1).unwrap_err());
    assert!(refusal.contains("namespace test: only 46 % of the blocks are free"), "{refusal}");
    assert!(refusal.contains("lower it, raise defrag-lwm-pct, or add a device"), "{refusal}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn raids_of_namespaces_take_turns_where_they_are_told_to() {
    let mut of = NamespaceConfig::named("test");
    let alone = Namespace::new(of.clone(), 1);
    of.storage_engine.serialize_tomb_raider = true;
    let in_turn = Namespace::new(of, 1);
    let other = RAIDING.lock();
    assert!(raid(&alone) && !raid(&in_turn));
    drop(other);
    assert!(raid(&in_turn));
}
