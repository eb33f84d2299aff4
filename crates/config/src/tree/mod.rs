//! The typed tree: what a configuration says, in natural types.
//!
//! Every struct is declared together with its rows of the registry, by `context!`.

pub mod logging;
pub mod namespace;
pub mod network;
pub mod security;
pub mod service;
pub mod storage;
pub mod values;
pub mod xdr;

use std::path::Path;
use std::sync::LazyLock;

use crate::outline::{Outline, outline as outline_of};
use crate::registry::{Named, Nested, Support, Takes, context};
use logging::Logging;
use namespace::Namespace;
use network::Network;
use security::Security;
use service::{ModLua, Service};
use xdr::Xdr;

/// Most namespaces of a server.
pub const NAMESPACES_MAX: usize = 32;
/// Most characters of a namespace's name.
pub const NAMESPACE_NAME_MAX: usize = 31;
/// Most characters of a set's name.
pub const SET_NAME_MAX: usize = 63;

context! {
    /// A configuration as a whole.
    pub struct Config {
        /// The node as a whole.
        pub service: Service = Service::default();
        /// Where log lines go.
        pub logging: Logging = Logging::default();
        /// What the node listens on and whom it talks to.
        pub network: Network = Network::default();
        /// In the order of the file.
        pub namespaces: Vec<Namespace> = Vec::new();
        /// User-defined functions in Lua.
        pub mod_lua: ModLua = ModLua::default();
        /// Users and their rights; `None` if everybody may do everything.
        pub security: Option<Security> = None;
        /// Shipping to other clusters.
        pub xdr: Xdr = Xdr::default();
    }
    settings {}
    obsolete {}
    children [
        &Nested {
            name: "service",
            shown: Some(""),
            commands: None,
            support: Support::Works,
            get: |config: &Config| Some(&config.service),
            get_mut: |config| &mut config.service,
        },
        &Nested {
            name: "logging",
            shown: None,
            commands: None,
            support: Support::Works,
            get: |config: &Config| Some(&config.logging),
            get_mut: |config| &mut config.logging,
        },
        &Nested {
            name: "network",
            shown: Some(""),
            commands: None,
            support: Support::Works,
            get: |config: &Config| Some(&config.network),
            get_mut: |config| &mut config.network,
        },
        &Named {
            name: "namespace",
            name_max: NAMESPACE_NAME_MAX as u64,
            count_max: NAMESPACES_MAX,
            reopens: false,
            support: Support::Works,
            shown: None,
            entries: |config: &Config| &config.namespaces,
            entries_mut: |config| &mut config.namespaces,
            entry_name: |namespace| &mut namespace.name,
        },
        &Nested {
            name: "mod-lua",
            shown: None,
            commands: None,
            support: Support::Works,
            get: |config: &Config| Some(&config.mod_lua),
            get_mut: |config| &mut config.mod_lua,
        },
        &Nested {
            name: "security",
            shown: Some(""),
            commands: None,
            support: security::SUPPORT,
            get: |config: &Config| config.security.as_ref(),
            get_mut: |config| config.security.get_or_insert_default(),
        },
        &Nested {
            name: "xdr",
            shown: None,
            commands: None,
            support: xdr::SUPPORT,
            get: |config: &Config| Some(&config.xdr),
            get_mut: |config| &mut config.xdr,
        },
    ]
    hooks {}
}

/// The registry as a whole.
pub fn outline() -> &'static Outline {
    static OUTLINE: LazyLock<Outline> =
        LazyLock::new(|| outline_of::<Config>("", Takes::Nothing, None, Support::Works));
    &OUTLINE
}

/// What is known about the host only when the server starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// Processors that the process may use.
    pub cpus: u32,
    /// The node id, for a configuration that names none.
    pub node_id: u64,
    /// Largest packet of the interface that heartbeats go through.
    pub heartbeat_mtu_bytes: u32,
}

impl Config {
    /// What a server without a configuration file runs with: namespaces `test` and `bar` in memory,
    /// on loopback, port 3000, no peers, and records that expire when they should.
    pub fn default_single_node(work_directory: &Path) -> Self {
        let mut config = Self::default();
        config.service.cluster_name = Some("bolide".into());
        config.service.run_as_daemon = false;
        config.service.work_directory = work_directory.display().to_string();
        let udf_directory = work_directory.join("usr/udf/lua");
        config.mod_lua.user_path = udf_directory.display().to_string();
        let loopback = || vec!["127.0.0.1".to_owned()];
        config.network.service.addresses = loopback();
        config.network.service.access_addresses = loopback();
        config.network.service.port = Some(3_000);
        config.namespaces = ["test", "bar"].map(single_node_namespace).into();
        config
    }

    /// Puts in place what depends on the host, so that answers show effective values: threads,
    /// node id, packet size, and the refresh of certificates that exist.
    pub fn resolve(&mut self, host: &Host) {
        // Namespaces on devices want no more: no thread waits for a device.
        self.service.service_threads.get_or_insert(host.cpus.clamp(1, 4_096));
        self.service.batch_index_threads.get_or_insert(host.cpus.clamp(1, 256));
        self.service.node_id.get_or_insert(host.node_id);
        if !self.network.tls.is_empty() {
            self.service.tls_refresh_period_seconds.get_or_insert(60);
        }
        if self.network.heartbeat.mtu_bytes == 0 {
            self.network.heartbeat.mtu_bytes = host.heartbeat_mtu_bytes;
        }
    }

    /// The namespace of this name.
    pub fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.iter().find(|namespace| namespace.name == name)
    }
}

fn single_node_namespace(name: &str) -> Namespace {
    let mut namespace = Namespace::named(name);
    namespace.replication_factor = 1;
    namespace.nsup_period_seconds = 120;
    namespace.storage_engine.data_size_bytes = 1 << 30;
    namespace
}
