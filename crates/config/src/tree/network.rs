//! `network { }`: what the node listens on and whom it talks to.

use super::values::HostPort;
use crate::registry::{Named, Nested, context, words};

context! {
    /// Where clients connect.
    pub struct ClientService {}
    settings {
        /// The port that clients are told; `port` unless set.
        "access-port" access_port: Option<u16> = None, port();
        /// The addresses that clients are told; `address` unless set.
        "access-address" access_addresses: Vec<String> = Vec::new(), addresses();
        /// What to listen on; every address unless set. With an address given, loopback is added.
        "address" addresses: Vec<String> = Vec::new(), addresses();
        /// The port that clients outside are told; `access-port` unless set.
        "alternate-access-port" alternate_access_port: Option<u16> = None, port();
        /// The addresses that clients outside are told.
        "alternate-access-address" alternate_access_addresses: Vec<String> = Vec::new(),
            addresses();
        /// The port without TLS.
        "port" port: Option<u16> = None, port();
        /// The port with TLS.
        "tls-port" tls_port: Option<u16> = None, port().enterprise().later();
        /// The TLS port that clients are told; `tls-port` unless set.
        "tls-access-port" tls_access_port: Option<u16> = None, port().enterprise().later();
        /// The addresses that clients with TLS are told; `access-address` unless set.
        "tls-access-address" tls_access_addresses: Vec<String> = Vec::new(),
            addresses().enterprise().later();
        /// What to listen on with TLS; `address` unless set.
        "tls-address" tls_addresses: Vec<String> = Vec::new(), addresses().enterprise().later();
        /// The TLS port that clients outside are told; `tls-access-port` unless set.
        "tls-alternate-access-port" tls_alternate_access_port: Option<u16> = None,
            port().enterprise().later();
        /// The addresses that clients outside with TLS are told; `alternate-access-address` unless
        /// set.
        "tls-alternate-access-address" tls_alternate_access_addresses: Vec<String> = Vec::new(),
            addresses().enterprise().later();
        /// The TLS context whose certificate is presented.
        "tls-name" tls_name: Option<String> = None, text(1_023).enterprise().later();
        /// Which certificates clients must present: `any` for one that can be verified, `false` for
        /// none, or the subject names that are let in. As `any` unless set.
        "tls-authenticate-client" tls_authenticate_client: Vec<String> = Vec::new(),
            text(1_023).repeated(1_024).enterprise().later();
        /// Does not also listen on loopback.
        "disable-localhost" disable_localhost: bool = false, flag();
    }
    obsolete {
        "alternate-address" => "use alternate-access-address";
        "external-address" => "use access-address";
        "network-interface-name" => "use address, which also takes interface names";
    }
    children []
    hooks {}
}

words! {
    /// How nodes find each other.
    pub enum HeartbeatMode {
        /// By connections to each other, starting from seeds.
        Mesh = "mesh",
        /// By multicast messages.
        Multicast = "multicast",
    }
}

words! {
    /// Version of the heartbeat protocol.
    pub enum HeartbeatProtocol {
        /// The current one.
        V3 = "v3",
        /// Heartbeats are off.
        None = "none",
    }
}

context! {
    /// How nodes notice each other.
    pub struct Heartbeat {}
    settings {
        /// How nodes find each other; required.
        "mode" mode: Option<HeartbeatMode> = None, word(HeartbeatMode::WORDS);
        /// What to listen on, or to send from; every address unless set.
        "address" addresses: Vec<String> = Vec::new(), addresses();
        /// The multicast groups to speak in.
        "multicast-group" multicast_groups: Vec<String> = Vec::new(),
            addresses().shown_in(&["multicast"]);
        /// The port without TLS.
        "port" port: Option<u16> = None, port();
        /// The networks that multicast messages may cross; 0 for the system's default.
        "multicast-ttl" multicast_ttl: u32 = 0,
            number(0, 255).shown_in(&["multicast"]);
        /// What to listen on with TLS; `address` unless set.
        "tls-address" tls_addresses: Vec<String> = Vec::new(),
            addresses().shown_in(&["mesh"]).enterprise().later();
        /// The port with TLS.
        "tls-port" tls_port: Option<u16> = None,
            port().shown_in(&["mesh"]).enterprise().later();
        /// The TLS context for it.
        "tls-name" tls_name: Option<String> = None,
            text(1_023).shown_in(&["mesh"]).enterprise().later();
        /// A node to ask for the others.
        "mesh-seed-address-port" mesh_seeds: Vec<HostPort> = Vec::new(),
            host_port().repeated(256).shown_in(&["mesh"]);
        /// A node to ask for the others, by TLS.
        "tls-mesh-seed-address-port" tls_mesh_seeds: Vec<HostPort> = Vec::new(),
            host_port().repeated(256).shown_in(&["mesh"]).enterprise().later();
        /// How often a node says that it is alive.
        "interval" interval_ms: u32 = 150, millis(50, 600_000).dynamic();
        /// After how many missed intervals a node counts as gone.
        "timeout" timeout_intervals: u32 = 10, number(3, U32).unit("intervals").dynamic();
        /// How long connecting to a peer may take.
        "connect-timeout-ms" connect_timeout_ms: u32 = 500,
            millis(50, U32).shown_in(&["mesh"]).dynamic();
        /// Size of the largest packet; 0 to take it from the interface.
        "mtu" mtu_bytes: u32 = 0, number(0, U32).unit("bytes").dynamic()
            .inert("what is sent by multicast is smaller than any packet");
        /// Version of the protocol; `none` turns heartbeats off, and `set-config` also knows
        /// `reset`.
        "protocol" protocol: HeartbeatProtocol = HeartbeatProtocol::V3,
            word(HeartbeatProtocol::WORDS).dynamic();
    }
    obsolete {
        "interface-address" => "use address";
        "mcast-ttl" => "use multicast-ttl";
    }
    children []
    hooks {
        fn is(&self, mode: &str) -> bool {
            self.mode.unwrap_or_default().word() == mode
        }

        fn shown_value(&self, name: &str) -> Option<String> {
            (name == "mode").then(|| self.mode.unwrap_or_default().to_string())
        }
    }
}

context! {
    /// How nodes exchange records.
    pub struct Fabric {}
    settings {
        /// What to listen on; every address unless set.
        "address" addresses: Vec<String> = Vec::new(), addresses();
        /// What to listen on with TLS; `address` unless set.
        "tls-address" tls_addresses: Vec<String> = Vec::new(), addresses().enterprise().later();
        /// The port with TLS.
        "tls-port" tls_port: Option<u16> = None, port().enterprise().later();
        /// The TLS context for it.
        "tls-name" tls_name: Option<String> = None, text(1_023).enterprise().later();
        /// Connections to a peer for migrating records.
        "channel-bulk-fds" channel_bulk_fds: u32 = 2, number(1, 128).inert("each event loop has a connection of its own to every node for each kind of traffic");
        /// Threads that take migrating records.
        "channel-bulk-recv-threads" channel_bulk_recv_threads: u32 = 4,
            number(1, 128).dynamic().inert("the event loops carry what nodes send each other");
        /// Connections to a peer for cluster control.
        "channel-ctrl-fds" channel_ctrl_fds: u32 = 1, number(1, 128).inert("each event loop has a connection of its own to every node for each kind of traffic");
        /// Threads that take cluster control.
        "channel-ctrl-recv-threads" channel_ctrl_recv_threads: u32 = 4,
            number(1, 128).dynamic().inert("the event loops carry what nodes send each other");
        /// Connections to a peer for replicated metadata.
        "channel-meta-fds" channel_meta_fds: u32 = 1, number(1, 128).inert("each event loop has a connection of its own to every node for each kind of traffic");
        /// Threads that take replicated metadata.
        "channel-meta-recv-threads" channel_meta_recv_threads: u32 = 4,
            number(1, 128).dynamic().inert("the event loops carry what nodes send each other");
        /// Connections to a peer for reads and writes.
        "channel-rw-fds" channel_rw_fds: u32 = 8, number(1, 128).inert("each event loop has a connection of its own to every node for each kind of traffic");
        /// Pools of the threads that take reads and writes.
        "channel-rw-recv-pools" channel_rw_recv_pools: u32 = 1, number(1, 16).inert("the event loops carry what nodes send each other");
        /// Threads that take reads and writes; a multiple of the pools.
        "channel-rw-recv-threads" channel_rw_recv_threads: u32 = 16,
            number(1, 128).dynamic().inert("the event loops carry what nodes send each other");
        /// Lets the operating system probe idle connections.
        "keepalive-enabled" keepalive_enabled: bool = true, flag();
        /// Time between probes.
        "keepalive-intvl" keepalive_intvl_seconds: u32 = 1, number(0, U32).unit("s");
        /// Unanswered probes after which a connection is dropped.
        "keepalive-probes" keepalive_probes: u32 = 10, number(0, U32);
        /// Idle time before the first probe.
        "keepalive-time" keepalive_time_seconds: u32 = 1, number(0, U32).unit("s");
        /// Round trip that is still taken as a working connection.
        "latency-max-ms" latency_max_ms: u32 = 5, millis(0, 1_000)
            .inert("no interval is derived from it: rounds wait for who is heard");
        /// The port without TLS.
        "port" port: Option<u16> = None, port();
        /// Bytes read from a connection before others get their turn.
        "recv-rearm-threshold" recv_rearm_threshold_bytes: u32 = 1_024,
            number(0, 1_048_576).unit("bytes").dynamic().inert("turns of a connection are bounded in any case");
        /// Threads that send.
        "send-threads" send_threads: u32 = 8, number(1, 128).inert("the event loops carry what nodes send each other");
    }
    obsolete {}
    children []
    hooks {}
}

context! {
    /// A port for info commands as plain text.
    pub struct InfoPort {}
    settings {
        /// What to listen on; every address unless set.
        "address" addresses: Vec<String> = Vec::new(), addresses();
        /// The port; none unless set.
        "port" port: Option<u16> = None, port();
    }
    obsolete {}
    children []
    hooks {}
}

context! {
    /// Certificates and rules of TLS connections. The context's name is the one that the
    /// certificate must carry; `<cluster-name>` and `<hostname>` in it are replaced.
    pub struct Tls {
        /// The name of the context.
        pub name: String = String::new();
    }
    settings {
        /// Certificates of the authorities to trust.
        "ca-file" ca_file: Option<String> = None, path().enterprise();
        /// Directory with the certificates of the authorities to trust.
        "ca-path" ca_path: Option<String> = None, path().enterprise();
        /// Serial numbers of certificates to refuse.
        "cert-blacklist" cert_blacklist: Option<String> = None, path().enterprise();
        /// This node's certificate.
        "cert-file" cert_file: Option<String> = None, path().enterprise();
        /// Cipher suites in OpenSSL's notation.
        "cipher-suite" cipher_suite: Option<String> = None, text(1_023).enterprise();
        /// The private key of the certificate.
        "key-file" key_file: Option<String> = None, path().enterprise();
        /// Where the password of the private key is.
        "key-file-password" key_file_password: Option<String> = None, text(1_023).enterprise();
        /// Protocol versions to speak, in OpenSSL's notation.
        "protocols" protocols: String = "TLSv1.2".into(), text(1_023).enterprise();
    }
    obsolete {
        "pki-user-append-ou" => "it belongs to release 8.1, this server follows 8.0";
    }
    children []
    hooks {}
}

context! {
    /// What the node listens on and whom it talks to.
    pub struct Network {
        /// Where clients connect.
        pub service: ClientService = ClientService::default();
        /// How nodes notice each other.
        pub heartbeat: Heartbeat = Heartbeat::default();
        /// How nodes exchange records.
        pub fabric: Fabric = Fabric::default();
        /// A port for info commands as plain text.
        pub info: InfoPort = InfoPort::default();
        /// Certificates and rules of TLS connections.
        pub tls: Vec<Tls> = Vec::new();
    }
    settings {}
    obsolete {
        "admin" => "it belongs to release 8.1, this server follows 8.0: use info";
    }
    children [
        &Nested {
            name: "service",
            shown: Some("service."),
            commands: Some("service."),
            support: Support::Works,
            get: |network: &Network| Some(&network.service),
            get_mut: |network| &mut network.service,
        },
        &Nested {
            name: "heartbeat",
            shown: Some("heartbeat."),
            commands: Some("heartbeat."),
            support: Support::Works,
            get: |network: &Network| Some(&network.heartbeat),
            get_mut: |network| &mut network.heartbeat,
        },
        &Nested {
            name: "fabric",
            shown: Some("fabric."),
            commands: Some("fabric."),
            support: Support::Works,
            get: |network: &Network| Some(&network.fabric),
            get_mut: |network| &mut network.fabric,
        },
        &Nested {
            name: "info",
            shown: Some("info."),
            commands: Some("info."),
            support: Support::Works,
            get: |network: &Network| Some(&network.info),
            get_mut: |network| &mut network.info,
        },
        &Named {
            name: "tls",
            name_max: 1_023,
            count_max: 10,
            reopens: false,
            support: Support::Later,
            shown: Some("tls"),
            entries: |network: &Network| &network.tls,
            entries_mut: |network| &mut network.tls,
            entry_name: |tls| &mut tls.name,
        },
    ]
    hooks {}
}
