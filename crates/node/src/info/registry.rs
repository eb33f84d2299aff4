//! The table of all info commands: from it derive the look-up, the summary, `help`, and the
//! permission that a command needs.

use std::fmt;

use super::call::Handler;
use super::{
    cluster, config, debug_record, endpoints, health, histograms, identity, latencies, logs,
    metadata, namespace_stats, partitions, peers, query, racks, sets, sindex, statistics, truncate,
    udf,
};

/// One command.
pub struct InfoCommand {
    /// What stands before the first `/`, `:` or `;`.
    pub name: &'static str,
    /// What a user must be allowed to do, where security is on.
    pub permission: Permission,
    /// Whether `help` lists it.
    pub listed: bool,
    /// Its place, from 1, in the answer to an empty request.
    pub summary: Option<u8>,
    pub(crate) handler: Handler,
}

impl InfoCommand {
    const fn needs(self, permission: Permission) -> Self {
        Self { permission, ..self }
    }

    const fn summary(self, place: u8) -> Self {
        Self { summary: Some(place), ..self }
    }
}

impl fmt::Debug for InfoCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InfoCommand").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a command needs its user to be allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Nothing but to have logged in.
    None,
    /// To look into records.
    RecordInfo,
    /// To truncate.
    Truncate,
    /// To interfere with eviction.
    EvictAdmin,
    /// To change settings.
    SetConfig,
    /// To write into the log and to change what it holds.
    LoggingCtrl,
    /// To direct the node's part in the cluster.
    ServiceCtrl,
    /// To create and delete secondary indexes.
    SindexAdmin,
    /// To stop queries.
    QueryAdmin,
    /// To store and delete UDFs.
    UdfAdmin,
    /// To set what shipping leaves out.
    XdrSetFilter,
}

impl Permission {
    /// Its name in the refusal of a user without it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::RecordInfo => "record-info",
            Self::Truncate => "truncate",
            Self::EvictAdmin => "evict-admin",
            Self::SetConfig => "set-config",
            Self::LoggingCtrl => "logging-ctrl",
            Self::ServiceCtrl => "service-ctrl",
            Self::SindexAdmin => "sindex-admin",
            Self::QueryAdmin => "query-admin",
            Self::UdfAdmin => "udf-admin",
            Self::XdrSetFilter => "xdr-set-filter",
        }
    }
}

const fn listed(name: &'static str, handler: Handler) -> InfoCommand {
    InfoCommand { name, permission: Permission::None, listed: true, summary: None, handler }
}

/// Left out of `help`: meant for clients rather than people, or not there yet.
const fn unlisted(name: &'static str, handler: Handler) -> InfoCommand {
    InfoCommand { listed: false, ..listed(name, handler) }
}

/// All commands, ascending by name.
#[rustfmt::skip] // One command a line.
pub const COMMANDS: &[InfoCommand] = {
    use Permission::*;
    &[
    unlisted("alumni-clear-std", peers::alumni),
    unlisted("alumni-tls-std", peers::with_tls),
    listed("best-practices", health::best_practices),
    unlisted("bolide-version", identity::product_version),
    listed("build", identity::build).summary(10),
    listed("build_arch", identity::build_arch).summary(7),
    listed("build_ee_sha", identity::build_ee_sha).summary(5),
    listed("build_os", identity::build_os).summary(9),
    listed("build_sha", identity::build_sha).summary(6),
    listed("build_time", identity::build_time).summary(8),
    listed("cluster-name", identity::cluster_name),
    listed("cluster-stable", cluster::stable),
    listed("compatibility-id", identity::compatibility_id).summary(3),
    listed("config-get", config::get),
    listed("config-set", config::set).needs(SetConfig),
    listed("debug-record", debug_record::full).needs(RecordInfo),
    listed("debug-record-meta", debug_record::meta).needs(RecordInfo),
    listed("digests", identity::digests),
    listed("dump-cluster", logs::dump_cluster).needs(LoggingCtrl),
    listed("dump-fabric", logs::dump_fabric).needs(LoggingCtrl),
    listed("dump-hb", logs::dump_heartbeat).needs(LoggingCtrl),
    listed("dump-hlc", logs::dump_clock).needs(LoggingCtrl),
    listed("dump-migrates", logs::dump_migrations).needs(LoggingCtrl),
    listed("dump-rw", logs::dump_requests).needs(LoggingCtrl),
    listed("dump-skew", logs::dump_skew).needs(LoggingCtrl),
    listed("dump-wb-summary", logs::dump_write_blocks).needs(LoggingCtrl),
    listed("edition", identity::edition).summary(4),
    unlisted("endpoints", endpoints::endpoints),
    listed("eviction-reset", truncate::eviction_reset).needs(EvictAdmin),
    listed("feature-key", identity::feature_key),
    listed("features", identity::features).summary(1),
    listed("get-config", config::get),
    listed("get-sl", cluster::succession),
    listed("get-stats", statistics::of_context),
    listed("health-outliers", health::outliers),
    listed("health-stats", health::stats),
    listed("help", identity::help),
    listed("histogram", histograms::histogram),
    listed("index-pressure", health::index_pressure),
    listed("jem-stats", logs::heap).needs(LoggingCtrl),
    listed("latencies", latencies::latencies),
    listed("log", logs::levels),
    listed("log-message", logs::message).needs(LoggingCtrl),
    listed("log-set", logs::set).needs(LoggingCtrl),
    listed("logs", logs::sinks),
    listed("mcast", endpoints::multicast),
    listed("mesh", endpoints::mesh),
    listed("name", identity::node),
    listed("namespace", namespace_stats::namespace),
    listed("namespaces", identity::namespaces),
    listed("node", identity::node).summary(2),
    unlisted("objects", statistics::objects),
    listed("partition-generation", partitions::generation).summary(15),
    unlisted("partition-info", partitions::info),
    unlisted("partitions", partitions::count),
    listed("peers-clear-alt", peers::alternate),
    listed("peers-clear-std", peers::standard),
    listed("peers-generation", peers::generation),
    listed("peers-tls-alt", peers::with_tls),
    listed("peers-tls-std", peers::with_tls),
    listed("physical-devices", health::physical_devices),
    listed("query-abort", query::abort).needs(QueryAdmin),
    listed("query-abort-all", query::abort_all).needs(QueryAdmin),
    listed("query-show", query::show),
    unlisted("quiesce", cluster::quiesce).needs(ServiceCtrl),
    unlisted("quiesce-undo", cluster::quiesce_undo).needs(ServiceCtrl),
    listed("rack-ids", racks::ids),
    listed("racks", racks::racks),
    unlisted("rebalance-generation", partitions::rebalance_generation),
    listed("recluster", cluster::recluster).needs(ServiceCtrl),
    unlisted("replicas", partitions::replicas),
    unlisted("replicas-all", partitions::replicas_all),
    unlisted("replicas-master", partitions::replicas_master),
    unlisted("revive", racks::with_clusters).needs(ServiceCtrl),
    listed("roster", racks::roster),
    unlisted("roster-set", racks::with_clusters).needs(ServiceCtrl),
    listed("service", peers::service),
    listed("service-clear-alt", peers::service_alternate),
    listed("service-clear-std", peers::service_standard),
    listed("service-tls-alt", peers::none),
    listed("service-tls-std", peers::none),
    listed("services", peers::services).summary(14),
    listed("services-alternate", peers::services_alternate),
    listed("services-alumni", peers::services_alumni).summary(13),
    listed("services-alumni-reset", peers::reset_alumni).needs(ServiceCtrl),
    listed("set-config", config::set).needs(SetConfig),
    listed("set-log", logs::set).needs(LoggingCtrl),
    listed("sets", sets::sets),
    listed("sindex", sindex::by_path),
    listed("sindex-create", sindex::create).needs(SindexAdmin),
    listed("sindex-delete", sindex::delete).needs(SindexAdmin),
    listed("sindex-exists", sindex::exists).needs(SindexAdmin),
    listed("sindex-list", sindex::list),
    listed("sindex-stat", sindex::stat),
    unlisted("smd-info", metadata::info),
    unlisted("smd-show", metadata::show),
    listed("statistics", statistics::statistics).summary(12),
    listed("status", identity::status),
    listed("thread-traces", logs::thread_traces),
    listed("tip", cluster::tip).needs(ServiceCtrl),
    listed("tip-clear", cluster::tip_clear).needs(ServiceCtrl),
    listed("truncate", truncate::set).needs(Truncate),
    listed("truncate-namespace", truncate::namespace).needs(Truncate),
    listed("truncate-namespace-undo", truncate::undo_namespace).needs(Truncate),
    listed("truncate-undo", truncate::undo_set).needs(Truncate),
    unlisted("udf-clear-cache", udf::clear_cache).needs(UdfAdmin),
    listed("udf-get", udf::get),
    listed("udf-list", udf::list),
    listed("udf-put", udf::put_module).needs(UdfAdmin),
    listed("udf-remove", udf::remove).needs(UdfAdmin),
    listed("version", identity::version).summary(11),
    unlisted("xdr-dc-state", racks::with_shipping),
    unlisted("xdr-get-filter", racks::with_shipping),
    unlisted("xdr-set-filter", racks::with_shipping).needs(XdrSetFilter),
    ]
};

/// The command with this name; case matters.
pub fn find(name: &[u8]) -> Option<&'static InfoCommand> {
    let place = COMMANDS.binary_search_by(|command| command.name.as_bytes().cmp(name)).ok()?;
    COMMANDS.get(place)
}

/// What an empty request asks for, in order.
pub fn summary() -> impl Iterator<Item = &'static InfoCommand> {
    let mut items: Vec<_> =
        COMMANDS.iter().filter_map(|command| Some((command.summary?, command))).collect();
    items.sort_unstable_by_key(|(place, _)| *place);
    items.into_iter().map(|(_, command)| command)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longest name that the original takes.
    const NAME_BYTES_MAX: usize = 31;
    /// Commands of the original.
    const OF_THE_ORIGINAL: usize = 113;

    #[test]
    fn table_is_sorted_and_unique() {
        assert!(COMMANDS.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(COMMANDS.iter().all(|command| command.name.len() <= NAME_BYTES_MAX));
        assert_eq!(COMMANDS.len(), OF_THE_ORIGINAL + 1, "and one of our own");
    }

    #[test]
    fn summary_has_fifteen_items_in_order() {
        let names: Vec<_> = summary().map(|command| command.name).collect();
        let places: Vec<_> = summary().filter_map(|command| command.summary).collect();
        assert_eq!(places, (1..=15).collect::<Vec<_>>());
        assert_eq!(names[..3], ["features", "node", "compatibility-id"]);
        assert_eq!(names[12..], ["services-alumni", "services", "partition-generation"]);
    }

    #[test]
    fn names_are_found_exactly() {
        assert_eq!(find(b"node").map(|command| command.name), Some("node"));
        for name in [&b"NODE"[..], b"", b"nod", b"node ", &[0xFF; 40]] {
            assert!(find(name).is_none());
        }
    }
}
