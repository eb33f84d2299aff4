//! `service { }` and `mod-lua { }`: settings of the node as a whole.

use super::values::HostPort;
use crate::registry::{context, words};

words! {
    /// How threads are bound to processors.
    pub enum AutoPin {
        /// The operating system decides.
        None = "none",
        /// A service thread for every processor, with its network interrupts.
        Cpu = "cpu",
        /// As `cpu`, within one NUMA node for every instance.
        Numa = "numa",
        /// By the network card's application device queues.
        Adq = "adq",
    }
}

const ALLOCATOR: &str = "the allocator here has no such checks";
const NO_SECRET_AGENT: &str = "secrets are read from files and the environment only";

context! {
    /// The node as a whole: its name in the cluster, its threads, its limits.
    pub struct Service {}
    settings {
        /// Tells clients and peers the IPv6 addresses of this node as well.
        "advertise-ipv6" advertise_ipv6: bool = false, flag().dynamic();
        /// How threads are bound to processors.
        "auto-pin" auto_pin: AutoPin = AutoPin::None, word(AutoPin::WORDS).later();
        /// Threads that work on batch requests; as many as processors unless set.
        "batch-index-threads" batch_index_threads: Option<u32> = None,
            number(1, 256).dynamic().command_range(0, 256);
        /// Response buffers that may wait on one batch thread before further batches are refused.
        "batch-max-buffers-per-queue" batch_max_buffers_per_queue: u32 = 255,
            number(0, U32).dynamic();
        /// Most keys in one batch; 0 for no limit.
        "batch-max-requests" batch_max_requests: u32 = 0, number(0, U32).dynamic();
        /// Response buffers kept for reuse after their batch is done.
        "batch-max-unused-buffers" batch_max_unused_buffers: u32 = 256, number(0, U32).dynamic();
        /// Only nodes of the same name join the cluster; clients may insist on it.
        "cluster-name" cluster_name: Option<String> = None, text(63).dynamic();
        /// Guards memory allocations against misuse.
        "debug-allocations" debug_allocations: bool = false, flag().inert(ALLOCATOR);
        /// Refuses every request that would run a UDF.
        "disable-udf-execution" disable_udf_execution: bool = false, flag();
        /// Keeps latency histograms of the traffic between nodes.
        "enable-benchmarks-fabric" enable_benchmarks_fabric: bool = false, flag().dynamic();
        /// Watches peers and devices for outliers.
        "enable-health-check" enable_health_check: bool = false, flag().dynamic();
        /// Keeps a latency histogram of info requests.
        "enable-hist-info" enable_hist_info: bool = false, flag().dynamic();
        /// Refuses to start on a host that is not set up as recommended.
        "enforce-best-practices" enforce_best_practices: bool = false, flag().later();
        /// Licence keys of the original.
        "feature-key-file" feature_key_files: Vec<String> = Vec::new(),
            path().indexed(32).enterprise().inert("every feature is there without a key");
        /// Group that the process changes to.
        "group" group: Option<String> = None, text(255).hidden().later();
        /// Keeps the call site of every allocation.
        "indent-allocations" indent_allocations: bool = false, flag().inert(ALLOCATOR);
        /// How long an info request may wait for a thread.
        "info-max-ms" info_max_ms: u32 = 10_000, millis(500, 10_000).dynamic();
        /// Threads that answer info requests.
        "info-threads" info_threads: u32 = 16, number(1, 256).dynamic();
        /// Keeps the privileges that reading a device's health data takes.
        "keep-caps-ssd-health" keep_caps_ssd_health: bool = false, flag().later();
        /// Writes local time instead of GMT into logs.
        "log-local-time" log_local_time: bool = false, flag();
        /// Writes milliseconds into logs.
        "log-millis" log_millis: bool = false, flag();
        /// Latency histograms count microseconds instead of milliseconds.
        "microsecond-histograms" microsecond_histograms: bool = false, flag().dynamic();
        /// How long a node may be missing before its partitions are filled elsewhere.
        "migrate-fill-delay" migrate_fill_delay_seconds: u32 = 0,
            duration(0, U32).dynamic().enterprise();
        /// Partitions that may arrive at a time.
        "migrate-max-num-incoming" migrate_max_num_incoming: u32 = 4,
            number(0, 256).dynamic();
        /// Threads that send partitions; 0 pauses them.
        "migrate-threads" migrate_threads: u32 = 1, number(0, 100).dynamic();
        /// The node serves nothing in a smaller cluster than this.
        "min-cluster-size" min_cluster_size: u32 = 1, number(0, 256).dynamic();
        /// Identity of the node; made from a network interface and the fabric port unless set.
        "node-id" node_id: Option<u64> = None, of(Kind::Hex);
        /// The network interface whose hardware address becomes the node id.
        "node-id-interface" node_id_interface: Option<String> = None, text(255);
        /// Creates files that the group may write as well.
        "os-group-perms" os_group_perms: bool = false, flag();
        /// Where the process id is written.
        "pidfile" pidfile: Option<String> = None, path();
        /// Overwrites memory when it is freed.
        "poison-allocations" poison_allocations: bool = false, flag().inert(ALLOCATOR);
        /// A client connection that is idle for longer is closed; 0 for never.
        "proto-fd-idle-ms" proto_fd_idle_ms: u32 = 0,
            millis(0, U32).dynamic().command_range(0, 0x7fff_ffff);
        /// Most client connections at a time.
        "proto-fd-max" proto_fd_max: u32 = 15_000, number(1_024, 2_097_152).dynamic();
        /// Freed allocations that are held back to catch late accesses.
        "quarantine-allocations" quarantine_allocations: u32 = 0,
            number(0, 100_000_000).inert(ALLOCATOR);
        /// Finished queries that `query-show` still lists.
        "query-max-done" query_max_done: u32 = 100, number(0, 10_000).dynamic();
        /// Most threads of all long queries together.
        "query-threads-limit" query_threads_limit: u32 = 128, number(1, 1_024).dynamic();
        /// Detaches from the terminal.
        "run-as-daemon" run_as_daemon: bool = true, bare_flag().acts_as("false")
            .inert("the process stays in the foreground; let a service manager detach it");
        /// Where the secret agent listens.
        "secrets-address-port" secrets_address_port: Option<HostPort> = None,
            host_port_tls().enterprise().inert(NO_SECRET_AGENT);
        /// The TLS context for the secret agent.
        "secrets-tls-context" secrets_tls_context: Option<String> = None,
            text(1_023).enterprise().inert(NO_SECRET_AGENT);
        /// The secret agent's local socket.
        "secrets-uds-path" secrets_uds_path: Option<String> = None,
            path().enterprise().inert(NO_SECRET_AGENT);
        /// Threads that serve clients; as many as processors unless set.
        "service-threads" service_threads: Option<u32> = None, number(1, 4_096).dynamic();
        /// Threads that fill a new secondary index.
        "sindex-builder-threads" sindex_builder_threads: u32 = 4, number(1, 32).dynamic();
        /// How often secondary indexes are rid of deleted records; 0 for never.
        "sindex-gc-period" sindex_gc_period_seconds: u32 = 10, number(0, U32).unit("s").dynamic();
        /// Starts as a node that takes part in the cluster but holds no data.
        "stay-quiesced" stay_quiesced: bool = false, flag().enterprise();
        /// How often the ticker writes its lines into the log.
        "ticker-interval" ticker_interval_seconds: u32 = 10, number(0, U32).unit("s").dynamic();
        /// How often certificates are looked at for changes; 0 for never. 60 if there is a TLS
        /// context.
        "tls-refresh-period" tls_refresh_period_seconds: Option<u32> = None,
            duration(0, U32).dynamic().enterprise().later();
        /// A request that has waited longer for its turn is answered with a timeout.
        "transaction-max-ms" transaction_max_ms: u64 = 1_000,
            millis(0, u64::MAX).dynamic().command_range(0, 0x7fff_ffff);
        /// How long a replica may take before it is asked again.
        "transaction-retry-ms" transaction_retry_ms: u32 = 1_002,
            millis(0, U32).dynamic().command_range(1, U32);
        /// User that the process changes to.
        "user" user: Option<String> = None, text(255).hidden().later();
        /// Certificate authority of the vault.
        "vault-ca" vault_ca: Option<String> = None,
            path().enterprise().inert(NO_SECRET_AGENT);
        /// The vault's namespace.
        "vault-namespace" vault_namespace: Option<String> = None,
            text(1_023).enterprise().inert(NO_SECRET_AGENT);
        /// Where in the vault the secrets are.
        "vault-path" vault_path: Option<String> = None,
            path().enterprise().inert(NO_SECRET_AGENT);
        /// The token to open the vault with.
        "vault-token-file" vault_token_file: Option<String> = None,
            path().dynamic().enterprise().inert(NO_SECRET_AGENT);
        /// Where the vault is.
        "vault-url" vault_url: Option<String> = None,
            text(1_023).enterprise().inert(NO_SECRET_AGENT);
        /// Holds what outlives a restart beside the data: replicated metadata and UDFs.
        "work-directory" work_directory: String = "/opt/aerospike".into(), path();
    }
    obsolete {
        "allow-inline-transactions" => "delete it, requests always run where they are read";
        "nsup-period" => "set it in each namespace";
        "object-size-hist-period" => "use nsup-hist-period in each namespace";
        "respond-client-on-master-completion" => "use write-commit-level-override in a namespace";
        "scan-max-done" => "use query-max-done";
        "scan-threads-limit" => "use query-threads-limit";
        "transaction-pending-limit" => "set it in each namespace";
        "transaction-queues" => "use service-threads";
        "transaction-repeatable-read" => "use read-consistency-level-override in a namespace";
        "transaction-threads-per-queue" => "use service-threads";
    }
    children []
    hooks {}
}

context! {
    /// User-defined functions in Lua.
    pub struct ModLua {}
    settings {
        /// Keeps compiled functions between calls.
        "cache-enabled" cache_enabled: bool = true, flag();
        /// Where the Lua files are.
        "user-path" user_path: String = "/opt/aerospike/usr/udf/lua".into(), text(255);
    }
    obsolete {}
    children []
    hooks {}
}
