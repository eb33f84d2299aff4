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

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("bolide-server-{}", fastrand::u64(..)));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A key file of so many bytes.
    fn key(&self, name: &str, size_bytes: usize) -> Option<String> {
        let path = self.0.join(name);
        fs::write(&path, vec![name.as_bytes()[0]; size_bytes]).unwrap();
        Some(path.display().to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Opens a namespace and closes it in order; or says why not.
fn open_and_close(of: &NamespaceConfig) -> Result<(), String> {
    let namespace = open(of, None, 1).map_err(|error| format!("{error:#}"))?;
    namespace.close_devices(None).map_err(|error| error.to_string())
}

#[test]
fn a_start_without_the_room_asked_for_says_what_to_do() {
    let folder = Folder::new();
    // Of fifteen blocks eight are kept back: 46 % can be had.
    let asking = |pct| on_file(&folder.0, |engine| engine.defrag_startup_minimum_pct = pct);
    assert_eq!(open_and_close(&asking(46)), Ok(()));
    let refusal = open_and_close(&asking(47)).unwrap_err();
    assert!(refusal.contains("only 46 % of the blocks are free"), "{refusal}");
    assert!(refusal.contains("lower it, raise defrag-lwm-pct, or add a device"), "{refusal}");
}

#[test]
fn a_namespace_opens_with_its_key_and_no_other() {
    let folder = Folder::new();
    let with = |key: Option<String>, old: Option<String>| {
        on_file(&folder.0, |engine| {
            engine.encryption_key_file = key;
            engine.encryption_old_key_file = old;
        })
    };
    let refusal = |of: &NamespaceConfig| open_and_close(of).unwrap_err();
    let short = refusal(&with(folder.key("short", 31), None));
    assert!(short.contains("short") && short.contains("32"), "{short}");
    let missing = refusal(&with(Some("/nowhere/key".into()), None));
    assert!(missing.contains("cannot read key file /nowhere/key"), "{missing}");
    let (first, second) = (folder.key("a", 32), folder.key("b", 32));
    assert_eq!(open_and_close(&with(first.clone(), None)), Ok(()));
    refusal(&with(None, None));
    refusal(&with(second.clone(), None));
    assert_eq!(open_and_close(&with(second.clone(), first.clone())), Ok(()));
    assert_eq!(open_and_close(&with(second, None)), Ok(()));
    refusal(&with(first, None));
}

#[test]
fn settings_say_how_files_are_opened() {
    let folder = Folder::new();
    for (direct_files, disable_odsync, is_synchronous) in
        [(false, false, false), (true, false, true), (true, true, false)]
    {
        let of = on_file(&folder.0, |engine| {
            engine.direct_files = direct_files;
            engine.disable_odsync = disable_odsync;
        });
        let device = open_devices(&of.storage_engine).unwrap().remove(0);
        assert_eq!(device.is_synchronous(), is_synchronous);
        assert_eq!(device.size_bytes(), 128 << 20);
    }
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
