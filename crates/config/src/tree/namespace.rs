//! `namespace <name> { }`: records, how they are kept and for how long.

use super::storage::{IndexType, SindexType, StorageEngine};
use super::values::SetOverride;
use crate::registry::{Choice, Named, Nested, context, words};

words! {
    /// Which of two versions of a record survives when partitions meet again.
    pub enum ConflictResolution {
        /// The one that was written more often.
        Generation = "generation",
        /// The one that was written last.
        LastUpdateTime = "last-update-time",
    }
}

words! {
    /// How many replicas a read consults, whatever the client asks for.
    pub enum ReadConsistencyOverride {
        /// What the client asks for.
        Off = "off",
        /// All that may have a newer version.
        All = "all",
        /// The one that the request arrives at.
        One = "one",
    }
}

words! {
    /// After which replicas' answers a write is acknowledged, whatever the client asks for.
    pub enum WriteCommitOverride {
        /// What the client asks for.
        Off = "off",
        /// All of them.
        All = "all",
        /// The master alone.
        Master = "master",
    }
}

/// Longest time to live: ten years.
const TTL_MAX_SECONDS: u64 = 315_360_000;

context! {
    /// A set: what its records do differently from the rest of their namespace. Naming it creates
    /// it.
    pub struct Set {
        /// The set's name.
        pub name: String = String::new();
    }
    settings {
        /// When less than this part of a record's life is left, reading it prolongs it.
        "default-read-touch-ttl-pct" default_read_touch_ttl_pct: SetOverride = SetOverride::Inherit,
            overriding(100).unit("%").dynamic();
        /// Life of a record that is written without a time to live.
        "default-ttl" default_ttl: SetOverride = SetOverride::Inherit,
            overriding_duration(TTL_MAX_SECONDS).dynamic();
        /// Its records are never evicted.
        "disable-eviction" disable_eviction: bool = false, flag().dynamic();
        /// Keeps an index of its records, so that scanning it doesn't touch others.
        "enable-index" enable_index: bool = false, flag().dynamic();
        /// With this many records it takes no new ones; 0 for no limit.
        "stop-writes-count" stop_writes_count: u64 = 0, saturating_count().dynamic();
        /// With this much data it takes no new records; 0 for no limit.
        "stop-writes-size" stop_writes_size_bytes: u64 = 0, size(0, u64::MAX).dynamic();
    }
    obsolete {}
    children []
    hooks {}
}

context! {
    /// How regions are covered by cells when records within them are looked for.
    pub struct Geo2dsphereWithin {}
    settings {
        /// Refuses geometry that is not quite right, instead of making the best of it.
        "strict" strict: bool = true, flag();
        /// Level of the largest cells.
        "min-level" min_level: u32 = 1,
            number(0, 30).dynamic();
        /// Level of the smallest cells.
        "max-level" max_level: u32 = 20,
            number(0, 30).dynamic();
        /// Most cells that cover a region.
        "max-cells" max_cells: u32 = 12,
            number(1, 256).dynamic();
        /// Levels from one size of cell to the next.
        "level-mod" level_mod: u32 = 1, number(1, 3);
        /// Radius of the earth.
        "earth-radius-meters" earth_radius_meters: u32 = 6_371_000, number(0, U32).unit("m");
    }
    obsolete {}
    children []
    hooks {}
}

context! {
    /// A namespace: records of one kind of storage, with one policy of replication and expiry.
    pub struct Namespace {
        /// The namespace's name.
        pub name: String = String::new();
        /// Sets with settings of their own.
        pub sets: Vec<Set> = Vec::new();
        /// How regions are covered by cells.
        pub geo2dsphere_within: Geo2dsphereWithin = Geo2dsphereWithin::default();
        /// Where the primary index is kept.
        pub index_type: IndexType = IndexType::default();
        /// Where secondary indexes are kept.
        pub sindex_type: SindexType = SindexType::default();
        /// Where records are kept.
        pub storage_engine: StorageEngine = StorageEngine::default();
    }
    settings {
        /// The rack that masters are gathered on; 0 for none.
        "active-rack" active_rack: u32 = 0, number(0, 1_000_000).dynamic().enterprise();
        /// Permits records that expire although nothing removes them.
        "allow-ttl-without-nsup" allow_ttl_without_nsup: bool = false, flag().dynamic();
        /// Revives dead partitions at start.
        "auto-revive" auto_revive: bool = false, flag().enterprise().later();
        /// Most records a second that a background query works on.
        "background-query-max-rps" background_query_max_rps: u32 = 10_000,
            number(1, 1_000_000).unit("records/s").dynamic();
        /// Which of two versions of a record survives when partitions meet again.
        "conflict-resolution-policy" conflict_resolution_policy: ConflictResolution =
            ConflictResolution::Generation,
            word(ConflictResolution::WORDS).dynamic_in(&["available"]);
        /// Keeps last-update-times of bins, so that writes of several data centres can be merged.
        "conflict-resolve-writes" conflict_resolve_writes: bool = false,
            flag().dynamic().enterprise().later();
        /// When less than this part of a record's life is left, reading it prolongs it; 0 for
        /// never.
        "default-read-touch-ttl-pct" default_read_touch_ttl_pct: u32 = 0, pct().dynamic();
        /// Life of a record that is written without a time to live; 0 for ever.
        "default-ttl" default_ttl_seconds: u32 = 0, duration(0, TTL_MAX_SECONDS).dynamic();
        /// Evicts nothing while the namespace is loaded.
        "disable-cold-start-eviction" disable_cold_start_eviction: bool = false, flag();
        /// Refuses to write in multi-record transactions.
        "disable-mrt-writes" disable_mrt_writes: bool = false,
            flag().dynamic_in(&["strong-consistency"]).enterprise().later();
        /// Writes without looking for newer versions on other nodes first.
        "disable-write-dup-res" disable_write_dup_res: bool = false,
            flag().dynamic_in(&["available"]);
        /// Refuses deletes that leave no tombstone.
        "disallow-expunge" disallow_expunge: bool = false,
            flag().dynamic_in(&["available"]).enterprise().later();
        /// Refuses records that are in no set.
        "disallow-null-setname" disallow_null_setname: bool = false, flag().dynamic();
        /// Keeps latency histograms of the steps of a batch's parts.
        "enable-benchmarks-batch-sub" enable_benchmarks_batch_sub: bool = false, flag().dynamic();
        /// Keeps latency histograms of the steps of a background operation's parts.
        "enable-benchmarks-ops-sub" enable_benchmarks_ops_sub: bool = false, flag().dynamic();
        /// Keeps latency histograms of the steps of a read.
        "enable-benchmarks-read" enable_benchmarks_read: bool = false, flag().dynamic();
        /// Keeps latency histograms of the steps of a UDF call.
        "enable-benchmarks-udf" enable_benchmarks_udf: bool = false, flag().dynamic();
        /// Keeps latency histograms of the steps of a background UDF's parts.
        "enable-benchmarks-udf-sub" enable_benchmarks_udf_sub: bool = false, flag().dynamic();
        /// Keeps latency histograms of the steps of a write.
        "enable-benchmarks-write" enable_benchmarks_write: bool = false, flag().dynamic();
        /// Keeps a latency histogram of proxied requests.
        "enable-hist-proxy" enable_hist_proxy: bool = false, flag().dynamic();
        /// Buckets of the histogram by which eviction finds its threshold.
        "evict-hist-buckets" evict_hist_buckets: u32 = 10_000, number(100, 10_000_000).dynamic();
        /// Evicts when indexes use this much of `indexes-memory-budget`; 0 for never.
        "evict-indexes-memory-pct" evict_indexes_memory_pct: u32 = 0, pct().dynamic();
        /// The part of the records that one round evicts, in tenths of a percent.
        "evict-tenths-pct" evict_tenths_pct: u32 = 5, number(0, U32).dynamic();
        /// Runs short queries as long ones.
        "force-long-queries" force_long_queries: bool = false, flag().command_only();
        /// Fills partitions without waiting for `migrate-fill-delay`.
        "ignore-migrate-fill-delay" ignore_migrate_fill_delay: bool = false,
            flag().dynamic().enterprise();
        /// Memory that the primary index grows by.
        "index-stage-size" index_stage_size_bytes: u64 = G, size(128 * M, G).power_of_two()
            .inert("the index grows in steps of its own");
        /// Memory meant for all indexes, for `evict-indexes-memory-pct`; 0 for no limit.
        "indexes-memory-budget" indexes_memory_budget_bytes: u64 = 0, size(0, u64::MAX).dynamic();
        /// Runs short queries on the threads that serve clients.
        "inline-short-queries" inline_short_queries: bool = false, flag().dynamic();
        /// Larger records are refused.
        "max-record-size" max_record_size_bytes: u32 = 1_048_576, size(64, 8 * M).dynamic();
        /// Which namespaces' partitions move first: low numbers.
        "migrate-order" migrate_order: u32 = 5, number(1, 10).dynamic();
        /// How long a migrated record may stay unacknowledged before it is sent again.
        "migrate-retransmit-ms" migrate_retransmit_ms: u32 = 5_000,
            millis(0, U32).dynamic();
        /// Migrates without the records that can't be read.
        "migrate-skip-unreadable" migrate_skip_unreadable: bool = false, flag().dynamic();
        /// Pause after each migrated record.
        "migrate-sleep" migrate_sleep_micros: u32 = 1, number(0, U32).unit("µs").dynamic();
        /// Life of a multi-record transaction whose client names none.
        "mrt-duration" mrt_duration_seconds: u32 = 10,
            duration(1, 120).dynamic_in(&["strong-consistency"]).enterprise().later();
        /// How often size and time-to-live histograms are made; 0 for never.
        "nsup-hist-period" nsup_hist_period_seconds: u32 = 3_600, duration(0, U32).dynamic();
        /// How often expired records are removed and eviction is considered; 0 for never.
        "nsup-period" nsup_period_seconds: u32 = 0, duration(0, U32).dynamic();
        /// Threads that remove them.
        "nsup-threads" nsup_threads: u32 = 1, number(1, 128).dynamic();
        /// Trees of a partition's primary index.
        "partition-tree-sprigs" partition_tree_sprigs: u32 = 256,
            number(256, 268_435_456).power_of_two();
        /// Spreads masters evenly, at the price of more migration. The original's Enterprise
        /// edition has it on by default.
        "prefer-uniform-balance" prefer_uniform_balance: bool = false,
            flag().dynamic().enterprise();
        /// The rack that this node stands on; 0 for none.
        "rack-id" rack_id: u32 = 0, number(0, 1_000_000).dynamic().enterprise();
        /// How many replicas a read consults, whatever the client asks for.
        "read-consistency-level-override" read_consistency_level_override: ReadConsistencyOverride =
            ReadConsistencyOverride::Off,
            word(ReadConsistencyOverride::WORDS).dynamic_in(&["available"]);
        /// Refuses writes that do not come from another data centre.
        "reject-non-xdr-writes" reject_non_xdr_writes: bool = false, flag().dynamic();
        /// Refuses writes that come from another data centre.
        "reject-xdr-writes" reject_xdr_writes: bool = false, flag().dynamic();
        /// Copies of every record, the master's included.
        "replication-factor" replication_factor: u32 = 2,
            number(1, 256).dynamic_in(&["available"]);
        /// Memory that secondary indexes grow by.
        "sindex-stage-size" sindex_stage_size_bytes: u64 = G, size(128 * M, 4 * G).power_of_two()
            .inert("indexes grow in steps of their own");
        /// Most threads of one query.
        "single-query-threads" single_query_threads: u32 = 4, number(1, 128).dynamic();
        /// With this much of the host's memory in use, writes are refused; 0 for never.
        "stop-writes-sys-memory-pct" stop_writes_sys_memory_pct: u32 = 90, pct().dynamic();
        /// Gives up availability where it would cost consistency.
        "strong-consistency" strong_consistency: bool = false, flag().enterprise().later();
        /// Permits deletes that leave no tombstone under strong consistency.
        "strong-consistency-allow-expunge" strong_consistency_allow_expunge: bool = false,
            flag().dynamic_in(&["strong-consistency"]).enterprise().later();
        /// How old a tombstone must be before it may be removed.
        "tomb-raider-eligible-age" tomb_raider_eligible_age_seconds: u32 = 86_400,
            duration(0, U32).dynamic().enterprise();
        /// How often tombstones are removed; 0 for never.
        "tomb-raider-period" tomb_raider_period_seconds: u32 = 86_400,
            duration(0, U32).dynamic().enterprise();
        /// Requests that may wait for one record; 0 for no limit.
        "transaction-pending-limit" transaction_pending_limit: u32 = 20, number(0, U32).dynamic();
        /// Threads that remove truncated records.
        "truncate-threads" truncate_threads: u32 = 4, number(1, 128).dynamic();
        /// After which replicas' answers a write is acknowledged, whatever the client asks for.
        "write-commit-level-override" write_commit_level_override: WriteCommitOverride =
            WriteCommitOverride::Off,
            word(WriteCommitOverride::WORDS).dynamic_in(&["available"]);
        /// How long a deleted bin is remembered for shipping.
        "xdr-bin-tombstone-ttl" xdr_bin_tombstone_ttl_seconds: u32 = 86_400,
            duration(0, TTL_MAX_SECONDS).dynamic().enterprise().later();
        /// How often tombstones are removed that only shipping needs.
        "xdr-tomb-raider-period" xdr_tomb_raider_period_seconds: u32 = 120,
            duration(0, U32).dynamic().enterprise().later();
        /// Threads that remove them.
        "xdr-tomb-raider-threads" xdr_tomb_raider_threads: u32 = 1,
            number(1, 128).dynamic().enterprise().later();
    }
    obsolete {
        "apply-ttl-reductions" => "it belongs to release 8.1, this server follows 8.0";
        "background-scan-max-rps" => "use background-query-max-rps";
        "data-in-index" => "delete it, there are no single-bin namespaces any more";
        "disable-nsup" => "use nsup-period 0";
        "evict-sys-memory-pct" => "use evict-indexes-memory-pct with indexes-memory-budget";
        "high-water-disk-pct" => "use evict-used-pct in storage-engine";
        "high-water-memory-pct" => "use evict-used-pct in storage-engine";
        "memory-size" => "use data-size in storage-engine, or indexes-memory-budget";
        "single-bin" => "delete it, there are no single-bin namespaces any more";
        "single-scan-threads" => "use single-query-threads";
        "stop-writes-pct" => "use stop-writes-used-pct in storage-engine";
    }
    children [
        &Named {
            name: "set",
            name_max: 63,
            count_max: 4_095,
            reopens: true,
            support: Support::Works,
            shown: None,
            entries: |namespace: &Namespace| &namespace.sets,
            entries_mut: |namespace| &mut namespace.sets,
            entry_name: |set| &mut set.name,
        },
        &Nested {
            name: "geo2dsphere-within",
            shown: Some("geo2dsphere-within."),
            commands: Some("geo2dsphere-within-"),
            support: Support::Works,
            get: |namespace: &Namespace| Some(&namespace.geo2dsphere_within),
            get_mut: |namespace| &mut namespace.geo2dsphere_within,
        },
        &Choice {
            name: "index-type",
            commands: "index-type.",
            get: |namespace: &Namespace| &namespace.index_type,
            get_mut: |namespace| &mut namespace.index_type,
        },
        &Choice {
            name: "sindex-type",
            commands: "sindex-type.",
            get: |namespace: &Namespace| &namespace.sindex_type,
            get_mut: |namespace| &mut namespace.sindex_type,
        },
        &Choice {
            name: "storage-engine",
            commands: "",
            get: |namespace: &Namespace| &namespace.storage_engine,
            get_mut: |namespace| &mut namespace.storage_engine,
        },
    ]
    hooks {
        fn is(&self, mode: &str) -> bool {
            match mode {
                "strong-consistency" => self.strong_consistency,
                _ => !self.strong_consistency,
            }
        }

        // Without strong consistency there are no transactions, and the original shows no life.
        fn shown_value(&self, name: &str) -> Option<String> {
            let hides = name == "mrt-duration" && !self.strong_consistency;
            hides.then(|| "0".into())
        }
    }
}

impl Namespace {
    /// A namespace of this name with every setting at its default.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// What the configuration says of a set, if anything.
    pub fn set(&self, name: &str) -> Option<&Set> {
        self.sets.iter().find(|set| set.name == name)
    }
}
