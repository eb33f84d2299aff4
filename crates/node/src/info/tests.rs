//! Rules of info commands, each as a command and its answer.

mod behaviour;
mod counters;
mod health;
mod recorded;
mod storage;
mod tools;
mod udf;

use super::answer;
use super::testing::{CLIENT, ask, node};

/// Asserts what each command is answered.
fn assert_answers(cases: &[(&str, &str)]) {
    let (_, node) = node();
    for (command, expected) in cases {
        assert_eq!(ask(&node, command), *expected, "{command}");
    }
}

#[test]
fn the_node_says_who_it_is() {
    assert_answers(&[
        ("node", "A1"),
        ("name", "A1"),
        ("get-sl", "A1"),
        ("cluster-name", "bolide"),
        ("build", "8.0.0.7"),
        ("edition", "Aerospike Community Edition"),
        ("version", "Aerospike Community Edition build 8.0.0.7"),
        ("build_arch", std::env::consts::ARCH),
        ("build_ee_sha", ""),
        ("bolide-version", concat!("bolide ", env!("CARGO_PKG_VERSION"))),
        ("digests", "RIPEMD160"),
        ("feature-key", ""),
    ]);
}

#[test]
fn an_empty_request_is_answered_with_the_summary() {
    let (_, node) = node();
    let mut out = Vec::new();
    answer(&node, b"", CLIENT, &mut out);
    let reply = String::from_utf8(out).unwrap();
    let names: Vec<_> = reply.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(
        names.join(" "),
        "features node compatibility-id edition build_ee_sha build_sha build_arch build_time \
         build_os build version statistics services-alumni services partition-generation"
    );
}

#[test]
fn help_has_the_summary_first_and_hides_what_clients_ask() {
    let (_, node) = node();
    let help = ask(&node, "help");
    let names: Vec<_> = help.split(';').collect();
    assert_eq!(names[..2], ["features", "node"]);
    assert!(names[15..].is_sorted());
    for hidden in ["replicas", "objects", "endpoints", "smd-info", "quiesce", "bolide-version"] {
        assert!(!names.contains(&hidden), "{hidden}");
    }
    assert!(names.contains(&"set-config") && names.contains(&"udf-put"));
}

#[test]
fn racks_and_rosters_of_one_node() {
    let roster = "roster=null:pending_roster=null:observed_nodes=A1";
    assert_answers(&[
        ("rack-ids", "test:0;bar:0"),
        ("racks:", "ns=test:rack_0=A1;ns=bar:rack_0=A1"),
        ("racks:namespace=bar", "rack_0=A1"),
        ("racks:namespace=nope", "ERROR:20:namespace not found on node"),
        ("roster:namespace=test", roster),
        ("roster:", &format!("ns=test:{roster};ns=bar:{roster}")),
        ("quiesce:", "ok"),
        ("quiesce-undo:", "ok"),
        ("revive:", "ERROR:25:clusters of several nodes come in a later release"),
        ("xdr-dc-state:dc=a", "ERROR:25:shipping to other clusters comes in a later release"),
    ]);
}

#[test]
fn parameters_have_limits() {
    let long = "x".repeat(3000);
    assert_answers(&[
        (&format!("truncate:namespace={}", &long[..32]), "ERROR:20:'namespace' value too long"),
        (&format!("log-message:message={}", &long[..2048]), "ERROR:4:'message' value too long"),
        (&format!("tip-clear:host-port-list={long}"), "ERROR:4:'host-port-list' value too long"),
        (&format!("jem-stats:sites={}", &long[..100]), "ERROR:4:'sites' value too long"),
        (&format!("latencies:hist={}", &long[..99]), "ERROR:4:bad hist name"),
        (&format!("get-config:context={}", &long[..128]), "ERROR:4:'context' value too long"),
    ]);
}

#[test]
fn peers_are_tipped_and_forgotten_by_address() {
    assert_answers(&[
        ("tip:host=a;port=1", "ERROR:4:'a' is no address and no host that is known"),
        ("tip:host=10.0.0.2;port=3002", "ok"),
        ("tip-clear:host-port-list=a:1,[fd00::1]:2,b,:3,c:x", "ERROR::0 cleared, 2 not found"),
    ]);
}

#[test]
fn addresses_of_the_node_are_told_as_clients_want_them() {
    let (host, node) = node();
    *host.addresses.lock() = vec!["10.0.0.1:3000".into(), "[fd00::1]:3000".into()];
    assert_eq!(ask(&node, "service"), "10.0.0.1:3000");
    assert_eq!(ask(&node, "service-clear-std"), "10.0.0.1:3000,[fd00::1]:3000");
    host.addresses.lock().clear();
    assert_eq!(ask(&node, "service-clear-std"), "", "loopback alone is not listed");
}

#[test]
fn the_other_addresses_are_told_with_their_port() {
    let (_, node) = node();
    let set = |addresses: &[&str], port| {
        let addresses: Vec<String> = addresses.iter().map(|name| (*name).into()).collect();
        node.reconfigure(|config| {
            let mut config = config.clone();
            config.network.service.alternate_access_addresses = addresses;
            config.network.service.alternate_access_port = port;
            Ok::<_, ()>((config, ()))
        })
        .unwrap();
    };
    assert_eq!(ask(&node, "service-clear-alt"), "");
    set(&["db.example", "fd00::7"], None);
    assert_eq!(ask(&node, "service-clear-alt"), "db.example:3000,[fd00::7]:3000");
    set(&["db.example"], Some(4000));
    assert_eq!(ask(&node, "service-clear-alt"), "db.example:4000");
}

#[test]
fn secondary_indexes_and_modules_are_checked() {
    let index = "sindex-create:ns=test;indexname=i;indexdata=";
    assert_answers(&[
        (&format!("{index}b,numeric;context=kRA"), "ERROR:4:'context' invalid base64"),
        (
            &format!("{index}b,geo2dsphere;indextype=MAPKEYS"),
            "ERROR:4:bad 'indexdata' bin type for 'indextype' 'mapkeys' - must be one of 'numeric', \
             'string', 'blob'",
        ),
        (
            "udf-put:filename=a.lua;content=YQ==;content-len=4",
            "error=compile_error;file=a.lua;line=1;message=c3ludGF4IGVycm9yIG5lYXIgPGVvZj4=",
        ),
        ("udf-put:filename=a.;content=YQ==;content-len=4", "error=invalid_filename"),
    ]);
    let module = "YWFh".repeat((1 << 20) / 3 + 1);
    let size = module.len();
    assert_answers(&[(
        &format!("udf-put:filename=a.lua;content={module};content-len={size}"),
        "error=invalid_udf_content_len,>1M",
    )]);
}

#[test]
fn secondary_indexes_come_and_go() {
    let (_, node) = node();
    let index = "sindex-create:ns=test;indexname=";
    for (command, answer) in [
        (&*format!("{index}i;indexdata=b,NUMERIC"), "ok"),
        (&format!("{index}i;indexdata=b,numeric"), "ok"),
        (
            &format!("{index}i;indexdata=b,string"),
            "ERROR:200:'indexname' already exists with different definition",
        ),
        (&format!("{index}j;set=s;indexdata=g,geo2dsphere;indextype=LIST;context=khAA"), "ok"),
        ("sindex-create:ns=nowhere;indexname=x;indexdata=b,numeric", "ok"),
        ("sindex-exists:ns=test;indexname=i", "true"),
        ("sindex-exists:ns=test;indexname=k", "false"),
        ("sindex-exists:ns=nowhere;indexname=x", "false"),
        (
            "sindex-list:ns=test",
            "ns=test:indexname=i:set=NULL:bin=b:type=numeric:indextype=default:context=null:state=RW;\
             ns=test:indexname=j:set=s:bin=g:type=geo2dsphere:indextype=list:\
             context=[list_index(0)]:state=RW",
        ),
        ("smd-show:module=sindex", "test||b|.|I=i;test|s|g|ckhAA|L|G=j;nowhere||b|.|I=x"),
        (
            "sindex/test/i",
            "entries=0;used_bytes=196608;entries_per_bval=0;entries_per_rec=0;load_pct=100;\
             load_time=0;stat_gc_recs=0",
        ),
        ("sindex-delete:ns=test;indexname=i", "ok"),
        ("sindex-delete:ns=test;indexname=i", "ok"),
        ("sindex-stat:ns=test;indexname=i", "ERROR:201:no index"),
        // Another name for the same.
        (&format!("{index}k;set=s;indexdata=g,geo2dsphere;indextype=LIST;context=khAA"), "ok"),
        (
            "sindex-list:b64=true",
            "ns=test:indexname=k:set=s:bin=g:type=geo2dsphere:indextype=list:context=khAA:state=RW",
        ),
    ] {
        assert_eq!(ask(&node, command), answer, "{command}");
    }
    for number in 0..255 {
        assert_eq!(ask(&node, &format!("{index}n{number};indexdata=b{number},blob")), "ok");
    }
    assert_eq!(
        ask(&node, &format!("{index}last;indexdata=b,blob")),
        "ERROR:206:already at sindex definition limit"
    );
}

/// The form of 8.1: `type` and either `bin` or `exp`.
#[test]
fn indexes_on_expressions_come_and_go() {
    let (_, node) = node();
    let index = "sindex-create:namespace=test;indexname=";
    // The integer bin n, the list bin l; 1; the time of the last update.
    let (n, l, one, updated) = ("k1ECoW4=", "k1EEoWw=", "AQ==", "kUI=");
    for (command, answer) in [
        (&*format!("{index}e;type=numeric;exp={n}"), "ok"),
        (&format!("{index}e;type=numeric;exp={n}"), "ok"),
        (&format!("{index}l;set=s;type=string;indextype=list;exp={l}"), "ok"),
        (&format!("{index}b;type=numeric;bin=n"), "ok"),
        (
            "sindex-list:ns=test",
            "ns=test:indexname=e:set=NULL:bin=null:type=numeric:indextype=default:context=null:\
             exp=k1ECoW4=:state=RW;\
             ns=test:indexname=l:set=s:bin=null:type=string:indextype=list:context=null:\
             exp=k1EEoWw=:state=RW;\
             ns=test:indexname=b:set=NULL:bin=n:type=numeric:indextype=default:context=null:state=RW",
        ),
        ("smd-show:module=sindex", "test|||ek1ECoW4=|.|I=e;test|s||ek1EEoWw=|L|S=l;test||n|.|I=b"),
        ("sindex-delete:ns=test;indexname=e", "ok"),
        ("sindex-exists:ns=test;indexname=e", "false"),
        (
            &format!("{index}x;type=string;exp={n}"),
            "ERROR:4:bad 'exp' - expression type 'numeric' does not match expected type 'string'",
        ),
        (
            &format!("{index}x;type=numeric;indextype=mapkeys;exp={l}"),
            "ERROR:4:bad 'exp' - expression type 'list' does not match expected type 'map'",
        ),
        (&format!("{index}x;type=numeric;exp={one}"), "ERROR:4:bad 'exp'"),
        (&format!("{index}x;type=numeric;exp={updated}"), "ERROR:4:bad 'exp'"),
        (&format!("{index}x;type=numeric;exp=k1E"), "ERROR:4:bad 'exp'"),
        (
            &format!("{index}x;type=number;exp={n}"),
            "ERROR:4:bad 'type' - must be one of 'numeric', 'string', 'blob', 'geo2dsphere'",
        ),
        (
            &format!("{index}x;type=numeric;bin=n;exp={n}"),
            "ERROR:4:both 'bin' and 'exp' are specified",
        ),
        (&format!("{index}x;type=numeric"), "ERROR:4:both 'bin' and 'exp' are missing"),
        (
            &format!("{index}x;type=numeric;exp={n};context=khAA"),
            "ERROR:4:both 'context' and 'exp' are specified",
        ),
        (
            &format!("{index}x;indexdata=n,numeric;exp={n}"),
            "ERROR:4:both 'indexdata' and 'exp' are specified",
        ),
    ] {
        assert_eq!(ask(&node, command), answer, "{command}");
    }
}

#[test]
fn a_setting_says_how_many_threads_fill_an_index() {
    let (_, node) = node();
    let threads = || node.namespace(b"test").unwrap().sindexes.builder_threads();
    assert_eq!(threads(), 4);
    let set = "set-config:context=service;sindex-builder-threads=2";
    assert_eq!((&*ask(&node, set), threads()), ("ok", 2));
    assert!(ask(&node, "namespace/test").contains(";sindex_used_bytes=0;"));
    ask(&node, "sindex-create:ns=test;indexname=i;indexdata=b,numeric");
    assert!(ask(&node, "namespace/test").contains(";sindex_used_bytes=196608;"));
}

/// Versions have 12 digits, whatever the key.
#[test]
fn versions_of_partitions_have_their_width() {
    let (_, node) = node();
    let key = node.cluster.state().cluster_key;
    let answer = ask(&node, "partition-info");
    assert!(answer.ends_with(&format!(":0:{key:012x}.0.mp-:{key:012x}.0.mp-")), "{answer}");
}

#[test]
fn a_short_request_has_no_endless_answer() {
    let (_, node) = node();
    let mut out = Vec::new();
    answer(&node, "partition-info\n".repeat(1000).as_bytes(), CLIENT, &mut out);
    assert!(out.len() < 2 * super::ANSWER_BYTES_MAX);
    assert!(out.ends_with(b"\n"));
}

#[test]
fn a_request_changes_metadata_a_limited_number_of_times() {
    let (_, node) = node();
    let mut out = Vec::new();
    let commands = (0..2000).map(|set| format!("status\ntruncate:namespace=test;set={set}\n"));
    let changes = answer(&node, commands.collect::<String>().as_bytes(), CLIENT, &mut out);
    assert_eq!(changes, super::CHANGES_MAX);
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 2 * super::CHANGES_MAX);
    assert_eq!(node.metadata.items(crate::metadata::Module::Truncate).len(), changes);
}

#[test]
fn any_bytes_are_answered() {
    let (_, node) = node();
    let mut random = fastrand::Rng::with_seed(7);
    let names: Vec<_> = super::registry::COMMANDS.iter().map(|command| command.name).collect();
    let keys = ["namespace", "ns", "set", "lut", "id", "trid", "hist", "keyd", "context", "host"];
    for _ in 0..3000 {
        let mut body = Vec::new();
        for _ in 0..random.usize(0..3) {
            body.extend_from_slice(random.choice(&names).unwrap().as_bytes());
            body.push(*random.choice(b"/:;=\t").unwrap());
            for _ in 0..random.usize(0..4) {
                body.extend_from_slice(random.choice(keys).unwrap().as_bytes());
                body.push(b'=');
                body.extend((0..random.usize(0..9)).map(|_| random.u8(..)));
                body.push(*random.choice(b";,\n/").unwrap());
            }
            body.push(b'\n');
        }
        body.extend((0..random.usize(0..40)).map(|_| random.u8(..)));
        let mut out = Vec::new();
        answer(&node, &body, CLIENT, &mut out);
        assert!(out.is_empty() || out.ends_with(b"\n"));
    }
}
