//! The configuration of a node: `aerospike.conf` and its YAML twin, read into one typed tree.
//!
//! - [`parse`] and [`load`] turn a file into a [`Config`], with everything wrong about it as a value
//!   and what deserves attention as warnings; [`Config::default_single_node`] is the
//!   configuration without a file, and [`Config::resolve`] adds what only the host knows.
//! - [`get_config`] and [`set_config`] are the info commands of these names, as pure functions.
//! - [`reference_page`] renders every setting as a page of documentation, from [`outline`].
//!
//! All of it reads one registry: the tables beside the structs of the tree.

mod check;
mod info;
mod outline;
mod page;
mod registry;
mod text;
mod tree;

pub use check::{Conflict, validate};
pub use info::{
    Applied, Change, SetConfigError, get_config, is_about_set, namespace_config_pairs, set_config,
    set_config_pairs, set_in_set,
};
pub use outline::{Outline, Row};
pub use page::reference_page;
pub use registry::{
    Dynamic, Edition, Fault, Kind, Many, Source, Spec, Support, Takes, parse_duration, parse_number,
};
pub use text::{ConfigError, ConfigErrors, Notation, Parsed, Reason, Warning, load, parse};
pub use tree::logging::{LOG_CONTEXTS, LogLevel, LogSink, Logging, SinkKind, SyslogFacility};
pub use tree::namespace::{
    ConflictResolution, Geo2dsphereWithin, Namespace, ReadConsistencyOverride, Set,
    WriteCommitOverride,
};
pub use tree::network::{
    ClientService, Fabric, Heartbeat, HeartbeatMode, HeartbeatProtocol, InfoPort, Network, Tls,
};
pub use tree::security::{Ldap, Security, SecurityLog, TokenHash};
pub use tree::service::{AutoPin, ModLua, Service};
pub use tree::storage::{
    Compression, Encryption, EngineKind, IndexHome, IndexType, SindexType, StorageEngine,
};
pub use tree::values::{DataOpScope, DevicePath, HostPort, LevelRule, SetOverride};
pub use tree::xdr::{
    AuthMode, BinPolicy, DataCenter, ShipVersionsPolicy, WritePolicy, Xdr, XdrNamespace,
};
pub use tree::{Config, Host, NAMESPACE_NAME_MAX, NAMESPACES_MAX, SET_NAME_MAX, outline};

#[cfg(test)]
mod tests;
