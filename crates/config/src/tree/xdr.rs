//! `xdr { }`: shipping records to other clusters.

use super::values::HostPort;
use crate::registry::{Named, Support, context, words};

/// Whether this release has shipping.
pub(crate) const SUPPORT: Support = Support::Later;

words! {
    /// How this cluster logs in at another.
    pub enum AuthMode {
        /// Not at all.
        None = "none",
        /// With a user that the other cluster knows.
        Internal = "internal",
        /// With a user that the other cluster's LDAP server knows.
        External = "external",
        /// As `external`, with the password in the clear.
        ExternalInsecure = "external-insecure",
        /// With a certificate.
        Pki = "pki",
    }
}

words! {
    /// Which bins of a record are shipped.
    pub enum BinPolicy {
        /// All of them, as far as the lists of bins permit.
        All = "all",
        /// None: only that the record changed.
        NoBins = "no-bins",
        /// Those that changed.
        OnlyChanged = "only-changed",
        /// Those that changed and are listed.
        ChangedAndSpecified = "changed-and-specified",
        /// Those that changed, and those that are listed.
        ChangedOrSpecified = "changed-or-specified",
    }
}

words! {
    /// Which versions of a record are shipped.
    pub enum ShipVersionsPolicy {
        /// The latest when its turn comes.
        Latest = "latest",
        /// Every one.
        All = "all",
        /// One in every interval.
        Interval = "interval",
    }
}

words! {
    /// How a shipped record is written at its destination.
    pub enum WritePolicy {
        /// As it fits the bins that are shipped.
        Auto = "auto",
        /// Adding to what is there.
        Update = "update",
        /// In place of what is there.
        Replace = "replace",
    }
}

context! {
    /// A namespace that is shipped.
    pub struct XdrNamespace {
        /// The namespace's name.
        pub name: String = String::new();
    }
    settings {
        /// Which bins of a record are shipped.
        "bin-policy" bin_policy: BinPolicy = BinPolicy::All,
            word(BinPolicy::WORDS).dynamic().enterprise();
        /// Effort of compression.
        "compression-level" compression_level: u32 = 1, number(1, 9).dynamic().enterprise();
        /// Smaller messages are not compressed.
        "compression-threshold" compression_threshold_bytes: u32 = 128,
            number(128, U32).unit("bytes").dynamic().enterprise();
        /// How old a change must be to be shipped.
        "delay-ms" delay_ms: u32 = 0, millis(0, 5_000).dynamic().enterprise();
        /// Compresses what is shipped.
        "enable-compression" enable_compression: bool = false, flag().dynamic().enterprise();
        /// Ships what came by shipping itself.
        "forward" forward: bool = false, flag().dynamic().enterprise();
        /// Shortest time between two shipments of one record.
        "hot-key-ms" hot_key_ms: u32 = 100, millis(0, 5_000).dynamic().enterprise();
        /// Doesn't ship deletes that leave no tombstone.
        "ignore-expunges" ignore_expunges: bool = false, flag().dynamic().enterprise();
        /// A bin that is not shipped.
        "ignore-bin" ignored_bins: Vec<String> = Vec::new(),
            text(15).joined().shown_as("ignored-bins").dynamic().enterprise();
        /// A set that is not shipped.
        "ignore-set" ignored_sets: Vec<String> = Vec::new(),
            text(63).joined().shown_as("ignored-sets").dynamic().enterprise();
        /// Most records a second.
        "max-throughput" max_throughput: u32 = 100_000,
            number(0, U32).multiple_of(100).unit("records/s").dynamic().enterprise();
        /// The namespace's name at the destination, where it differs.
        "remote-namespace" remote_namespace: Option<String> = None,
            text(31).dynamic().enterprise();
        /// How long a record must have been replicated under strong consistency.
        "sc-replication-wait-ms" sc_replication_wait_ms: u32 = 100,
            millis(5, 1_000).dynamic().enterprise();
        /// Ships the last-update-times of bins.
        "ship-bin-luts" ship_bin_luts: bool = false, flag().dynamic().enterprise();
        /// Ships expiry and eviction as deletes.
        "ship-nsup-deletes" ship_nsup_deletes: bool = false, flag().dynamic().enterprise();
        /// Ships only the sets that are listed.
        "ship-only-specified-sets" ship_only_specified_sets: bool = false,
            flag().dynamic().enterprise();
        /// Time for which one version is shipped.
        "ship-versions-interval" ship_versions_interval_seconds: u32 = 60,
            duration(1, 3_600).dynamic().enterprise();
        /// Which versions of a record are shipped.
        "ship-versions-policy" ship_versions_policy: ShipVersionsPolicy =
            ShipVersionsPolicy::Latest,
            word(ShipVersionsPolicy::WORDS).dynamic().enterprise();
        /// A bin that is shipped.
        "ship-bin" shipped_bins: Vec<String> = Vec::new(),
            text(15).joined().shown_as("shipped-bins").dynamic().enterprise();
        /// A set that is shipped.
        "ship-set" shipped_sets: Vec<String> = Vec::new(),
            text(63).joined().shown_as("shipped-sets").dynamic().enterprise();
        /// Changes of a partition that are remembered one by one.
        "transaction-queue-limit" transaction_queue_limit: u32 = 16_384,
            number(1_024, 1_048_576).power_of_two().dynamic().enterprise();
        /// How a shipped record is written at its destination.
        "write-policy" write_policy: WritePolicy = WritePolicy::Auto,
            word(WritePolicy::WORDS).dynamic().enterprise();
    }
    obsolete {}
    children []
    hooks {}
}

context! {
    /// A cluster to ship to.
    pub struct DataCenter {
        /// The name by which it is known here.
        pub name: String = String::new();
        /// What is shipped to it.
        pub namespaces: Vec<XdrNamespace> = Vec::new();
    }
    settings {
        /// How to log in.
        "auth-mode" auth_mode: AuthMode = AuthMode::None,
            word(AuthMode::WORDS).dynamic().enterprise();
        /// Holds the password to log in with.
        "auth-password-file" auth_password_file: Option<String> = None,
            path().dynamic().enterprise();
        /// The user to log in as.
        "auth-user" auth_user: Option<String> = None, text(63).dynamic().enterprise();
        /// It is a connector and not a cluster.
        "connector" connector: bool = false, flag().dynamic().enterprise();
        /// Partitions that may catch up at a time; 0 for all.
        "max-recoveries-interleaved" max_recoveries_interleaved: u32 = 0,
            number(0, U32).dynamic().enterprise();
        /// A node to ask for the others. Commands add or remove it with `action` beside it.
        "node-address-port" node_addresses: Vec<HostPort> = Vec::new(),
            host_port_tls().joined().dynamic().enterprise();
        /// How often changes are shipped.
        "period-ms" period_ms: u32 = 100, millis(5, 1_000).dynamic().enterprise();
        /// The TLS context for it.
        "tls-name" tls_name: Option<String> = None, text(1_023).dynamic().enterprise();
        /// Asks its nodes for the addresses that are meant for clients outside.
        "use-alternate-access-address" use_alternate_access_address: bool = false,
            flag().dynamic().enterprise();
    }
    obsolete {
        "recovery-threads" => "it belongs to release 8.1, this server follows 8.0";
    }
    children [
        &Named {
            name: "namespace",
            name_max: 31,
            count_max: 32,
            reopens: false,
            support: Support::Works,
            shown: None,
            entries: |dc: &DataCenter| &dc.namespaces,
            entries_mut: |dc| &mut dc.namespaces,
            entry_name: |namespace| &mut namespace.name,
        },
    ]
    hooks {}
}

context! {
    /// Shipping records to other clusters.
    pub struct Xdr {
        /// The clusters to ship to.
        pub data_centers: Vec<DataCenter> = Vec::new();
    }
    settings {
        /// Marks bins with the cluster that wrote them; 0 for no mark.
        "src-id" src_id: u32 = 0, number(1, 255).command_range(0, 255).dynamic().enterprise();
        /// One in so many records is followed through the log; 0 for none.
        "trace-sample" trace_sample: u32 = 0, number(0, U32).command_only().enterprise();
    }
    obsolete {}
    children [
        &Named {
            name: "dc",
            name_max: 31,
            count_max: 64,
            reopens: false,
            support: Support::Works,
            shown: None,
            entries: |xdr: &Xdr| &xdr.data_centers,
            entries_mut: |xdr| &mut xdr.data_centers,
            entry_name: |dc| &mut dc.name,
        },
    ]
    hooks {}
}

impl Xdr {
    /// The data center of this name.
    pub fn data_center(&self, name: &str) -> Option<&DataCenter> {
        self.data_centers.iter().find(|dc| dc.name == name)
    }
}
