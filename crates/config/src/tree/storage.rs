//! `storage-engine`, `index-type` and `sindex-type`: where a namespace's data and indexes are kept.

use super::values::DevicePath;
use crate::registry::{Choices, Pairs, Support, context, words};

words! {
    /// Kind of a storage engine.
    pub enum EngineKind {
        /// Records in memory, perhaps with files or devices behind it.
        Memory = "memory",
        /// Records on devices or in files.
        Device = "device",
        /// Records in files in persistent memory.
        Pmem = "pmem",
    }
}

words! {
    /// How records are compressed on their way to a device.
    pub enum Compression {
        /// Not at all.
        None = "none",
        /// LZ4: fast.
        Lz4 = "lz4",
        /// Snappy.
        Snappy = "snappy",
        /// Zstandard: small.
        Zstd = "zstd",
    }
}

words! {
    /// Cipher of stored records.
    pub enum Encryption {
        /// AES with a key of 128 bits.
        Aes128 = "aes-128",
        /// AES with a key of 256 bits.
        Aes256 = "aes-256",
    }
}

/// A memory namespace without files behind it has at least this many stripes.
const STRIPES_MIN: u64 = 8;
/// Most bytes of a stripe.
const STRIPE_SIZE_MAX_BYTES: u64 = 2 << 40;

context! {
    /// Where a namespace's records are kept.
    pub struct StorageEngine {
        /// Memory, devices or persistent memory.
        pub kind: EngineKind = EngineKind::Memory;
    }
    settings {
        /// A block device; a second path names a slower one that receives every write as well.
        "device" devices: Vec<DevicePath> = Vec::new(), of(Kind::Device).indexed(128)
            .offered_in(&["memory", "device"]).shown_in(&["device"]);
        /// A file in place of a device.
        "file" files: Vec<DevicePath> = Vec::new(), of(Kind::Device).indexed(128)
            .shown_in(&["device", "pmem"]);
        /// Keeps records that are written as a replica in the cache as well.
        "cache-replica-writes" cache_replica_writes: bool = false,
            flag().dynamic().offered_in(&["device"]);
        /// Forgets at start what the devices hold.
        "cold-start-empty" cold_start_empty: bool = false, flag().offered_in(&["device"]);
        /// Acknowledges a write only after it is on the device.
        "commit-to-device" commit_to_device: bool = false, flag().enterprise();
        /// How records are compressed.
        "compression" compression: Compression = Compression::None,
            word(Compression::WORDS).dynamic().enterprise();
        /// Speed of LZ4 at the price of size; 1 unless set.
        "compression-acceleration" compression_acceleration: u32 = 0,
            number(1, 65_537).dynamic().enterprise().inert("LZ4 has one speed");
        /// Effort of Zstandard; 9 unless set.
        "compression-level" compression_level: u32 = 0,
            number(1, 9).dynamic().enterprise();
        /// Memory for the records; required unless files or devices are behind it.
        "data-size" data_size_bytes: u64 = 0, size(256 * M, 256 * T).offered_in(&["memory"]);
        /// Write blocks that are filled less than this are rewritten. While less than 10 % of a device is
        /// free, fuller ones are too.
        "defrag-lwm-pct" defrag_lwm_pct: u32 = 50, number(0, U32).unit("%").dynamic();
        /// Blocks that must be waiting before any is rewritten.
        "defrag-queue-min" defrag_queue_min: u32 = 0, number(0, U32).dynamic();
        /// Pause after each block that is rewritten.
        "defrag-sleep" defrag_sleep_micros: u32 = 1_000, number(0, U32).unit("µs").dynamic();
        /// Free blocks that must be there before the node serves: it makes room first.
        "defrag-startup-minimum" defrag_startup_minimum_pct: u32 = 0, number(0, 99).unit("%");
        /// Reads and writes files past the operating system's cache.
        "direct-files" direct_files: bool = false, flag();
        /// Lets a device's own cache hold writes back.
        "disable-odsync" disable_odsync: bool = false, flag();
        /// Keeps latency histograms of the devices.
        "enable-benchmarks-storage" enable_benchmarks_storage: bool = false,
            flag().dynamic().later();
        /// Cipher of stored records, if there is a key file.
        "encryption" encryption: Encryption = Encryption::Aes128,
            word(Encryption::WORDS).shown_in(&["encrypted"]).enterprise();
        /// Holds the key that records are encrypted with.
        "encryption-key-file" encryption_key_file: Option<String> = None, path().enterprise();
        /// Holds the key that older records were encrypted with.
        "encryption-old-key-file" encryption_old_key_file: Option<String> = None,
            path().enterprise();
        /// Evicts when this much of the storage is used; 0 for never.
        "evict-used-pct" evict_used_pct: u32 = 0, pct().dynamic();
        /// Size of each file.
        "filesize" filesize_bytes: u64 = 0, size(128 * M, 2 * T);
        /// How long a write block may wait to be full before it is written nevertheless.
        "flush-max-ms" flush_max_ms: u64 = 1_000, millis(0, u64::MAX).dynamic();
        /// Bytes that are written to a device at a time.
        "flush-size" flush_size_bytes: u32 = 1_048_576, size(4 * K, 8 * M).power_of_two()
            .dynamic().offered_in(&["memory", "device"]).shown_in(&["backed"]);
        /// Memory for blocks that wait to be written; when it is full, writes are refused.
        "max-write-cache" max_write_cache_bytes: u64 = 64 * M, size(64 * M, u64::MAX).dynamic();
        /// Memory for blocks that were written last.
        "post-write-cache" post_write_cache_bytes: u64 = 256 * M,
            size(0, u64::MAX).dynamic().offered_in(&["device"]);
        /// Reads through the operating system's cache.
        "read-page-cache" read_page_cache: bool = false, flag().dynamic().offered_in(&["device"]);
        /// Removes tombstones while no other namespace with this setting does.
        "serialize-tomb-raider" serialize_tomb_raider: bool = false,
            flag().offered_in(&["device"]).enterprise();
        /// Builds secondary indexes at start from the devices instead of record by record.
        "sindex-startup-device-scan" sindex_startup_device_scan: bool = false,
            flag().offered_in(&["device"]).later();
        /// With less free space than this, writes are refused.
        "stop-writes-avail-pct" stop_writes_avail_pct: u32 = 5, pct().dynamic();
        /// With this much of the storage used, writes are refused; 0 for never.
        "stop-writes-used-pct" stop_writes_used_pct: u32 = 70, pct().dynamic();
        /// Pause between the blocks that are searched for tombstones.
        "tomb-raider-sleep" tomb_raider_sleep_micros: u32 = 1_000,
            number(0, U32).unit("µs").dynamic().enterprise();
    }
    obsolete {
        "data-in-memory" => "use storage-engine memory with a file or device";
        "disable-odirect" => "use read-page-cache";
        "fsync-max-sec" => "use flush-max-ms";
        "max-used-pct" => "use stop-writes-used-pct";
        "min-avail-pct" => "use stop-writes-avail-pct";
        "post-write-queue" => "use post-write-cache";
        "write-block-size" => "use flush-size, and max-record-size in the namespace";
    }
    children []
    hooks {
        fn is(&self, mode: &str) -> bool {
            match mode {
                "backed" => self.has_backing(),
                "encrypted" => self.encryption_key_file.is_some(),
                kind => self.kind.word() == kind,
            }
        }

        fn shown_value(&self, name: &str) -> Option<String> {
            let effective = match name {
                "compression-acceleration" if self.compression == Compression::Lz4 => {
                    self.compression_acceleration.max(1)
                }
                "compression-level" if self.compression == Compression::Zstd => {
                    match self.compression_level {
                        0 => 9,
                        level => level,
                    }
                }
                _ => return None,
            };
            Some(effective.to_string())
        }

        fn show_first(&self, out: &mut Pairs) {
            if self.kind != EngineKind::Memory {
                return;
            }
            for index in 0..self.stripe_count() {
                let key = format!("stripe[{index}]");
                out.push(&key, format!("stripe-{index}"));
                if let Some(backing) = self.backing().nth(index) {
                    out.push(&format!("{key}.backing"), backing.path.as_str());
                }
            }
        }
    }
}

impl StorageEngine {
    /// Whether records survive a restart, because devices or files hold them.
    pub fn has_backing(&self) -> bool {
        !self.devices.is_empty() || !self.files.is_empty()
    }

    /// The devices, or the files, in the order of the configuration.
    pub fn backing(&self) -> impl Iterator<Item = &DevicePath> {
        self.devices.iter().chain(&self.files)
    }

    /// How statistics call one of its parts: a device, a file, or a stripe in memory.
    pub fn part_name(&self) -> &'static str {
        match self.kind {
            EngineKind::Memory => "stripe",
            EngineKind::Device if !self.devices.is_empty() => "device",
            EngineKind::Device | EngineKind::Pmem => "file",
        }
    }

    /// Parts of a namespace: one for each file or device, else, in memory, at least eight stripes of
    /// at most 2 TiB.
    pub fn stripe_count(&self) -> usize {
        if self.has_backing() {
            return self.devices.len() + self.files.len();
        }
        let needed = self.data_size_bytes.div_ceil(STRIPE_SIZE_MAX_BYTES);
        usize::try_from(needed.max(STRIPES_MIN)).unwrap_or(usize::MAX)
    }
}

impl Choices for StorageEngine {
    const KINDS: &'static [&'static str] = EngineKind::WORDS;

    fn choose(&mut self, word: &str) {
        self.kind = EngineKind::from_word(word).unwrap_or_default();
    }

    fn chosen(&self) -> &'static str {
        self.kind.word()
    }

    fn opens_block(_word: &str) -> bool {
        true
    }

    fn support(_word: &str) -> Support {
        Support::Works
    }
}

words! {
    /// Where an index is kept.
    pub enum IndexHome {
        /// In the memory of the process.
        Memory = "mem",
        /// In shared memory, which survives a restart of the process.
        SharedMemory = "shmem",
        /// In files in persistent memory.
        Pmem = "pmem",
        /// In files on a fast device.
        Flash = "flash",
    }
}

impl IndexHome {
    /// The words that a file may choose from.
    const CHOICES: &'static [&'static str] = &["shmem", "pmem", "flash"];

    fn opens_block(word: &str) -> bool {
        word != "shmem"
    }

    fn is_mounted(self) -> bool {
        matches!(self, Self::Pmem | Self::Flash)
    }
}

macro_rules! index_type {
    ($(#[doc = $doc:literal])+ $type:ident) => {
        context! {
            $(#[doc = $doc])+
            pub struct $type {
                /// Memory, persistent memory or a device.
                pub kind: IndexHome = IndexHome::Memory;
            }
            settings {
                /// Directory of a file system that the index may use.
                "mount" mounts: Vec<String> = Vec::new(),
                    path().indexed(32).offered_in(&["mounted"]).enterprise();
                /// Evicts when this much of the budget is used; 0 for never.
                "evict-mounts-pct" evict_mounts_pct: u32 = 0,
                    pct().dynamic().offered_in(&["mounted"]).enterprise();
                /// Space that the index may use on all mounts.
                "mounts-budget" mounts_budget_bytes: u64 = 0,
                    size(G, u64::MAX).dynamic().offered_in(&["mounted"]).enterprise();
            }
            obsolete {
                "mounts-high-water-pct" => "use evict-mounts-pct";
                "mounts-size-limit" => "use mounts-budget";
            }
            children []
            hooks {
                fn is(&self, _mounted: &str) -> bool {
                    self.kind.is_mounted()
                }
            }
        }

        impl Choices for $type {
            const KINDS: &'static [&'static str] = IndexHome::CHOICES;

            fn choose(&mut self, word: &str) {
                self.kind = IndexHome::from_word(word).unwrap_or_default();
            }

            fn chosen(&self) -> &'static str {
                self.kind.word()
            }

            fn opens_block(word: &str) -> bool {
                IndexHome::opens_block(word)
            }

            fn support(_word: &str) -> Support {
                Support::Later
            }
        }
    };
}

index_type! {
    /// Where a namespace's primary index is kept.
    IndexType
}

index_type! {
    /// Where a namespace's secondary indexes are kept.
    SindexType
}
