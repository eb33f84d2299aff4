//! Every conflict, in a configuration that has only this one.

use super::*;
use crate::{Notation, parse};

const BASE: &str = "
service {
    cluster-name c
    SERVICE
}
network {
    service {
        port 3000
        CLIENTS
    }
    heartbeat {
        mode mesh
        port 3002
        HEARTBEAT
    }
    fabric {
        port 3001
        FABRIC
    }
}
namespace n {
    NAMESPACE
    storage-engine memory {
        data-size 1G
        ENGINE
    }
}
XDR
";

/// The conflicts of the base file with `text` in place of `marker`, and `without` removed.
fn conflicts(marker: &str, text: &str, without: &str) -> Vec<String> {
    let mut file = BASE.replace(marker, text).replace(without, "#");
    for marker in ["SERVICE", "CLIENTS", "HEARTBEAT", "FABRIC", "NAMESPACE", "ENGINE", "XDR"] {
        file = file.replace(marker, "#");
    }
    match parse(file.as_bytes(), "t.conf", Notation::Conf) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.0.iter().map(|error| error.reason.to_string()).collect(),
    }
}

#[track_caller]
fn one(marker: &str, text: &str, without: &str, expected: &str) {
    let found = conflicts(marker, text, without);
    assert_eq!(found.len(), 1, "{text}: {found:#?}");
    assert!(found[0].contains(expected), "{text}: {}", found[0]);
}

const NOTHING: &str = "\u{0}";

#[test]
fn the_base_has_none() {
    assert_eq!(conflicts("SERVICE", "", NOTHING), [""; 0]);
}

#[test]
fn of_the_node() {
    one("SERVICE", "", "cluster-name c", "cluster-name is missing");
    let both = "node-id a1\nnode-id-interface eth0";
    one("SERVICE", both, NOTHING, "both node-id and node-id-interface");
}

#[test]
fn of_the_network() {
    one("CLIENTS", "", "port 3000", "it has no port: add port, usually 3000");
    one("CLIENTS", "", "port 3001", "it has no port: add port, usually 3001");
    one("CLIENTS", "", "port 3002", "it has no port: add port, usually 3002");
    one("CLIENTS", "", "mode mesh", "it has no mode");
    one("CLIENTS", "tls-port 4333", NOTHING, "no certificate for it");
    one("FABRIC", "tls-name t", NOTHING, "there is no tls context 't'");
    let mixed = "tls-authenticate-client any\ntls-authenticate-client alice";
    one("CLIENTS", mixed, NOTHING, "mixes any or false with names");
    one("FABRIC", "channel-rw-recv-pools 3", NOTHING, "cannot be shared by 3 pools");
    one("HEARTBEAT", "connect-timeout-ms 501", NOTHING, "more than a third");
    one("HEARTBEAT", "multicast-group 239.1.1.1", NOTHING, "mesh has no multicast groups");
    one("HEARTBEAT", "mode multicast", NOTHING, "needs a group");
    let seeds = "mode multicast\nmulticast-group 239.1.1.1\nmesh-seed-address-port a 3002";
    one("HEARTBEAT", seeds, NOTHING, "multicast has no seeds");
    let tls = "mode multicast\nmulticast-group 239.1.1.1\ntls-mesh-seed-address-port a 3012";
    one("HEARTBEAT", tls, NOTHING, "cannot use TLS");
}

#[test]
fn of_expiry() {
    one("NAMESPACE", "default-ttl 1d", NOTHING, "nothing would remove expired records");
    let set = "set s {\ndefault-ttl 1d\n}";
    one("NAMESPACE", set, NOTHING, "in 'namespace n.set s'");
    let with_nsup = "default-ttl 1d\nnsup-period 120";
    assert_eq!(conflicts("NAMESPACE", with_nsup, NOTHING), [""; 0]);
    let never = "set s {\ndefault-ttl -1\n}";
    assert_eq!(conflicts("NAMESPACE", never, NOTHING), [""; 0]);
    let geo = "geo2dsphere-within {\nmin-level 21\n}";
    one("NAMESPACE", geo, NOTHING, "min-level 21 is above max-level 20");
}

#[test]
fn of_storage_in_memory() {
    one("ENGINE", "", "data-size 1G", "data-size is missing");
    one("ENGINE", "device /dev/a", NOTHING, "determine the size");
    one("ENGINE", "device /dev/a /dev/b", "data-size 1G", "has no shadows");
    one("ENGINE", "file /a", "data-size 1G", "no size for them");
    let both = "device /dev/a\nfile /a\nfilesize 1G";
    one("ENGINE", both, "data-size 1G", "both devices and files");
    one("ENGINE", "commit-to-device true", NOTHING, "there is no device");
    let undone = "device /dev/a\ncommit-to-device true\ndisable-odsync true";
    one("ENGINE", undone, "data-size 1G", "undone by disable-odsync");
    one("ENGINE", "flush-size 128K", NOTHING, "nothing is written to a device");
    one("ENGINE", "encryption-key-file /k", NOTHING, "nothing is written to a device");
    one("ENGINE", "encryption-old-key-file /k", NOTHING, "without a new key");
    one("ENGINE", "compression-acceleration 2", NOTHING, "only for compression lz4");
    one("ENGINE", "compression-level 2", NOTHING, "only for compression zstd");
    let twice = "device /dev/a\ndevice /dev/b /dev/a";
    let found = conflicts("ENGINE", twice, "data-size 1G");
    assert!(found.iter().any(|conflict| conflict.contains("already used")), "{found:?}");
}

#[test]
fn of_storage_elsewhere() {
    for (kind, body, expected) in [
        ("device", "", "nowhere to keep records"),
        ("pmem", "", "nowhere to keep records"),
        ("device", "file /a", "no size for them"),
        ("device", "device /dev/a\nfile /a\nfilesize 1G", "both devices and files"),
        ("device", "device /dev/a\ndata-size 1G", "'data-size' is only for memory"),
        ("pmem", "file /a\nfilesize 1G\ndata-size 1G", "'data-size' is only for memory"),
        ("pmem", "device /dev/a\nfile /a\nfilesize 1G", "'device' is only for memory or device"),
        (
            "pmem",
            "file /a\nfilesize 1G\npost-write-cache 1G",
            "'post-write-cache' is only for device",
        ),
    ] {
        let other = format!("namespace other {{\nstorage-engine {kind} {{\n{body}\n}}\n}}");
        one("XDR", &other, NOTHING, expected);
    }
}

#[test]
fn of_indexes() {
    let index = |name: &str, body: &str| format!("{name} {{\n{body}\n}}");
    let pmem = index("index-type pmem", "mounts-budget 1G");
    one("NAMESPACE", &pmem, NOTHING, "no place to be");
    let pmem = index("sindex-type pmem", "mount /m");
    one("NAMESPACE", &pmem, NOTHING, "at least 1G");
    let flash = index("index-type flash", "mount /m\nmounts-budget 4G");
    one("NAMESPACE", &flash, NOTHING, "needs records on devices");
    let flash = index("sindex-type flash", "mount /m\nmounts-budget 1G");
    assert_eq!(conflicts("NAMESPACE", &flash, NOTHING), [""; 0]);
}

#[test]
fn of_shipping() {
    let dc = |body: &str| format!("xdr {{\ndc far {{\n{body}\n}}\n}}");
    one("XDR", &dc("auth-mode internal"), NOTHING, "needs somebody to log in");
    one("XDR", &dc("auth-mode pki"), NOTHING, "needs a certificate");
    one("XDR", &dc("namespace m {\n}"), NOTHING, "no namespace 'm' to ship");
    assert_eq!(conflicts("XDR", &dc("namespace n {\n}"), NOTHING), [""; 0]);
}

#[test]
fn commands_on_an_empty_tree_find_them_too() {
    let mut config = Config::default();
    config.namespaces.push(Namespace::named("n"));
    assert_eq!(validate(&config).len(), 1);
    assert_eq!(missing_in_file(&Config::default()).len(), 6);
}
