//! Checks of `storage-engine`, `index-type` and `sindex-type`.

use std::collections::BTreeMap;

use super::{Conflict, Findings};
use crate::tree::Config;
use crate::tree::namespace::Namespace;
use crate::tree::storage::{Compression, EngineKind, IndexHome, StorageEngine};

const G: u64 = 1 << 30;

pub(super) fn conflicts(namespace: &Namespace) -> Vec<Conflict> {
    let engine = &namespace.storage_engine;
    let mut found = Findings::of(format!("namespace {}.storage-engine", namespace.name));
    backing(engine, &mut found);
    options(engine, &mut found);
    let index = &namespace.index_type;
    let sindex = &namespace.sindex_type;
    found.conflicts.extend(index_type(
        namespace,
        "index-type",
        (index.kind, index.mounts.is_empty(), index.mounts_budget_bytes),
        4 * G,
    ));
    found.conflicts.extend(index_type(
        namespace,
        "sindex-type",
        (sindex.kind, sindex.mounts.is_empty(), sindex.mounts_budget_bytes),
        G,
    ));
    found.conflicts
}

/// No device or file may serve two namespaces, or one of them twice.
pub(super) fn shared_devices(config: &Config) -> Vec<Conflict> {
    let mut owners = BTreeMap::new();
    let mut conflicts = Vec::new();
    for namespace in &config.namespaces {
        let mut found = Findings::of(format!("namespace {}.storage-engine", namespace.name));
        let entries = namespace.storage_engine.backing();
        let paths = entries.flat_map(|entry| [Some(&entry.path), entry.shadow.as_ref()]);
        for path in paths.flatten() {
            let owner = owners.insert(path, &namespace.name);
            found.note(
                owner.is_some(),
                "",
                format!("'{path}' is already used by namespace '{}'", owner.unwrap_or(path)),
                "give each namespace devices and files of its own",
            );
        }
        conflicts.append(&mut found.conflicts);
    }
    conflicts
}

/// Which devices, files and sizes an engine needs.
fn backing(engine: &StorageEngine, found: &mut Findings) {
    found.note(
        !engine.devices.is_empty() && !engine.files.is_empty(),
        "file",
        "it has both devices and files",
        "use one kind of them in a namespace",
    );
    found.note(
        !engine.files.is_empty() && engine.filesize_bytes == 0,
        "file",
        "it has files, but no size for them",
        "add filesize",
    );
    let has_size = engine.data_size_bytes != 0;
    match engine.kind {
        EngineKind::Memory if engine.has_backing() => {
            found.note(
                has_size,
                "data-size",
                "data-size is given, but its files or devices determine the size",
                "remove data-size",
            );
            found.note(
                engine.backing().any(|entry| entry.shadow.is_some()),
                "",
                "storage-engine memory has no shadows",
                "give one path a line",
            );
        }
        EngineKind::Memory => {
            found.note(!has_size, "", "data-size is missing", "add data-size, for example 4G");
        }
        EngineKind::Device => found.note(
            !engine.has_backing(),
            "",
            "it has nowhere to keep records",
            "add device, or file with filesize",
        ),
        EngineKind::Pmem => {
            found.note(engine.files.is_empty(), "", "it has nowhere to keep records", "add file");
        }
    }
}

/// Options that exclude or require each other.
fn options(engine: &StorageEngine, found: &mut Findings) {
    let volatile = engine.kind == EngineKind::Memory && !engine.has_backing();
    found.note(
        engine.commit_to_device && volatile,
        "commit-to-device",
        "commit-to-device is given, but there is no device",
        "add device or file, or remove commit-to-device",
    );
    found.note(
        engine.commit_to_device && engine.disable_odsync,
        "commit-to-device",
        "commit-to-device would be undone by disable-odsync",
        "remove one of them",
    );
    found.note(
        volatile && engine.flush_size_bytes != StorageEngine::default().flush_size_bytes,
        "flush-size",
        "flush-size is given, but nothing is written to a device",
        "add device or file, or remove flush-size",
    );
    found.note(
        engine.encryption_key_file.is_some() && volatile,
        "encryption-key-file",
        "encryption-key-file is given, but nothing is written to a device",
        "add device or file, or remove encryption-key-file",
    );
    found.note(
        engine.encryption_old_key_file.is_some() && engine.encryption_key_file.is_none(),
        "encryption-old-key-file",
        "encryption-old-key-file is given without a new key",
        "add encryption-key-file",
    );
    found.note(
        engine.compression_acceleration != 0 && engine.compression != Compression::Lz4,
        "compression-acceleration",
        "compression-acceleration is only for compression lz4",
        "set compression lz4, or remove compression-acceleration",
    );
    found.note(
        engine.compression_level != 0 && engine.compression != Compression::Zstd,
        "compression-level",
        "compression-level is only for compression zstd",
        "set compression zstd, or remove compression-level",
    );
}

fn index_type(
    namespace: &Namespace,
    name: &str,
    (kind, no_mounts, budget): (IndexHome, bool, u64),
    flash_budget_min: u64,
) -> Vec<Conflict> {
    let budget_min = match kind {
        IndexHome::Memory | IndexHome::SharedMemory => return Vec::new(),
        IndexHome::Pmem => G,
        IndexHome::Flash => flash_budget_min,
    };
    let mut found = Findings::of(format!("namespace {}.{name}", namespace.name));
    found.note(no_mounts, "", "it has no place to be", "add mount");
    found.note(
        budget < budget_min,
        "mounts-budget",
        format!("mounts-budget must be at least {}G", budget_min / G),
        "add or raise mounts-budget",
    );
    found.note(
        name == "index-type"
            && kind == IndexHome::Flash
            && namespace.storage_engine.kind != EngineKind::Device,
        "",
        "index-type flash needs records on devices",
        "use storage-engine device, or another index-type",
    );
    found.conflicts
}
