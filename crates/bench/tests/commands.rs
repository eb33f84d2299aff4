//! The commands as processes, the way a user calls them.

#![allow(clippy::unwrap_used, reason = "the helpers of tests assert by it as the tests do")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bolide-bench");

/// A directory of one test, gone with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bolide-bench-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The echo command on a free port.
struct Echo {
    child: Child,
    address: String,
}

impl Echo {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["echo", "--port", "0"]).args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, address }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_run_tells_rate_latency_and_server_cpu() {
    let echo = Echo::start(&["--reply-bytes", "145"]);
    let arguments = ["run", "-h", &echo.address, "-w", "read", "-k", "1000", "-t", "1.2"];
    let text = stdout(&run(&arguments));
    let progress = text.lines().next().unwrap();
    assert!(progress.contains("ops/s") && progress.contains("server "), "{text}");
    assert!(text.contains("CPU µs/op") && text.contains("p99.99"), "{text}");
}

#[test]
fn every_kind_ends_against_a_plain_echo() {
    let echo = Echo::start(&[]);
    let mix = "read=1,exists=1,update=1,modify=1,operate=1,touch=1,delete=1,batch-read=1";
    let arguments =
        ["run", "-h", &echo.address, "-w", mix, "-k", "50", "--operations", "400", "-d", "4"];
    let text = stdout(&run(&arguments));
    for kind in ["read", "exists", "update", "modify", "operate", "touch", "delete", "batch-read"] {
        assert!(text.contains(kind), "{kind} in {text}");
    }
    assert!(!text.contains("never answered"), "{text}");
}

#[test]
fn failures_are_told_with_the_exit_code() {
    let output = run(&["run", "-h", "127.0.0.1:1", "-w", "read"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("no connection to 127.0.0.1:1"), "{text}");
    assert_eq!(run(&["run", "--bins", "Q"]).status.code(), Some(2));
    assert_eq!(run(&["echo", "--reply-bytes", "31"]).status.code(), Some(1));
}

/// The suite with an echo server in place of the database: everything but the numbers is real.
#[test]
fn the_suite_starts_compares_and_ends_its_servers() {
    let directory = Directory::new("suite");
    let database = directory.0.join("bolide");
    let script = format!(
        "#!/bin/sh\n\
         test \"$1\" = --config-file || exit 9\n\
         port=$(awk '/port/ {{ print $2; exit }}' \"$2\")\n\
         exec '{PROGRAM}' echo --port \"$port\" --reply-bytes 145\n"
    );
    fs::write(&database, script).unwrap();
    fs::set_permissions(&database, fs::Permissions::from_mode(0o755)).unwrap();
    let json = directory.0.join("out.json");
    let html = directory.0.join("out.html");
    let output = Command::new(PROGRAM)
        .args(["suite", "read-16", "batch-16", "footprint", "--rounds", "2", "--quiet"])
        .args(["--round-seconds", "0.3", "--keys", "100", "--footprint-records", "100"])
        .args(["--server-core", "0", "--load-core", "0"])
        .arg("--server")
        .arg(&database)
        .arg("--json")
        .arg(&json)
        .arg("--html")
        .arg(&html)
        .output()
        .unwrap();
    let text = stdout(&output);
    assert!(text.contains("% of the echo ceiling"), "{text}");
    assert!(text.contains("bytes per record"), "{text}");
    let json: serde_json::Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(json["scenarios"][0]["name"], "read-16");
    assert_eq!(json["scenarios"][1]["name"], "batch-16");
    assert_eq!(json["footprints"][0]["records"], 100);
    assert!(fs::read_to_string(html).unwrap().contains("</html>"));
}
