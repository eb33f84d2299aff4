//! UDF modules.

use std::sync::atomic::Ordering;

use super::super::testing::{ask, node, restarted};
use crate::metadata::Module;
use crate::udf::Stored;

const SCRIPT: &str = include_str!("../../../testdata/udf_replies.txt");

fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = SCRIPT.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once('\t').unwrap())
}

#[test]
fn every_recorded_reply_about_modules_is_matched() {
    let (_, node) = node();
    for (command, expected) in lines() {
        assert_eq!(ask(&node, command), expected, "{command}");
    }
    let committed = node.metadata.committed(Module::Udf);
    assert!(committed.tid > 5);
    let expected =
        format!("UDF:committed_key=E9F7134D3401,committed_tid={},n_keys=1", committed.tid);
    assert!(ask(&node, "smd-info").contains(&expected));
}

#[test]
fn modules_last() {
    let (host, node) = node();
    for name in ["b.lua", "a.lua", "c.lua"] {
        let put = format!("udf-put:filename={name};content=cmV0dXJuIDEK;content-len=12");
        assert_eq!(ask(&node, &put), "ok");
    }
    assert_eq!(ask(&node, "udf-remove:filename=a.lua"), "ok");
    let list = ask(&node, "udf-list");
    let names: Vec<_> = list.split(';').filter_map(|entry| entry.split(',').next()).collect();
    assert_eq!(names, ["filename=b.lua", "filename=c.lua", ""]);

    let node = restarted(&host).unwrap();
    assert_eq!(ask(&node, "udf-list"), list);
    assert_eq!(ask(&node, "udf-get:filename=b.lua"), "type=LUA;content=cmV0dXJuIDEK;");
    assert_eq!(ask(&node, "udf-get:filename=a.lua"), "error=not_found");
    let shown = ask(&node, "smd-show:module=udf");
    let value = Stored::lua("b.lua", "cmV0dXJuIDEK").value();
    assert!(shown.starts_with(&format!("b.lua={value};c.lua=")), "{shown}");
}

#[test]
fn what_cannot_be_kept_is_not_there() {
    let (host, node) = node();
    host.full.store(true, Ordering::Relaxed);
    let put = "udf-put:filename=a.lua;content=cmV0dXJuIDEK;content-len=12";
    assert_eq!(ask(&node, put), "error=timeout");
    assert_eq!(ask(&node, "udf-get:filename=a.lua"), "error=not_found");
    assert!(
        host.messages.lock()[0].starts_with("UDF module a.lua: smd/UDF.smd cannot be written: ")
    );
    assert!(ask(&node, "smd-info").contains("UDF:committed_key=0,committed_tid=0,n_keys=0"));
}

#[test]
fn names_that_are_no_text_are_refused() {
    let (_, node) = node();
    let mut out = Vec::new();
    let put = b"udf-put:filename=\xFF.lua;content=cmV0dXJuIDEK;content-len=12";
    super::super::answer_value(&node, put, super::CLIENT, &mut out);
    assert_eq!(out, b"error=json_error");
}

#[test]
fn a_module_that_was_put_into_the_file_may_be_empty() {
    let (host, _) = node();
    let value = Stored::lua("e.lua", "").value().replace('"', "\\\"");
    let file = format!(
        "[[1,1],{{\"key\":\"e.lua\",\"value\":\"{value}\",\"generation\":1,\"timestamp\":1}}]"
    );
    host.files.lock().insert("UDF".into(), file.into_bytes());
    let node = restarted(&host).unwrap();
    assert_eq!(ask(&node, "udf-get:filename=e.lua"), "error=empty");
}
