//! The system metadata of a whole process: through restarts, through kills, and when their files are damaged.
//!
//! `BOLIDE_CRASH_RUNS=N` kills a server N times rather than a few times.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::announce;
use tests::harness::{GOLDEN_CONFIGURATION, Launch, Server};
use tests::raw::{Connection, Draft, INFO, frame};

const RUNS: u64 = 6;
const OK: u8 = 0;
const NOT_FOUND: u8 = 2;
const FIELD_SET: u8 = 1;

/// Two modules as the original writes them.
const MODULES: &str = r#"[
   [
      201928282904,
      2
   ],
   {
      "key": "one.lua",
      "value": "{\"content64\": \"ZnVuY3Rpb24gZihyKSByZXR1cm4gMSBlbmQK\", \"type\": \"LUA\", \"name\": \"one.lua\"}",
      "generation": 1,
      "timestamp": 533082403092
   },
   {
      "key": "yi_b.lua",
      "value": "{\"content64\": \"LS0gbm90aGluZwo=\", \"type\": \"LUA\", \"name\": \"yi_b.lua\"}",
      "generation": 1,
      "timestamp": 533082403093
   }
]"#;

fn launch() -> Result<Launch> {
    let launch = Launch::new()?;
    fs::create_dir_all(launch.folder().join("smd"))?;
    let text = GOLDEN_CONFIGURATION.replace("context any critical", "context any info");
    launch.argument("--foreground").configured("bolide.conf", &text)
}

fn file(launch: &Launch, module: &str) -> PathBuf {
    launch.folder().join("smd").join(format!("{module}.smd"))
}

fn ask(server: &Server, command: &str) -> Result<String> {
    let answer = Connection::open(server.port())?.info(&format!("{command}\n"))?;
    let value = answer.split_once('\t').map_or("", |(_, value)| value);
    Ok(value.trim_end().to_owned())
}

fn command(server: &Server, command: &str) -> Result<()> {
    let answer = ask(server, command)?;
    ensure!(answer == "ok", "{command} is answered {answer}");
    Ok(())
}

/// Stops or kills a server and has another come up in its place.
fn restart(server: Server, is_killed: bool) -> Result<Server> {
    if is_killed { server.kill()?.start() } else { server.stop()?.1.start() }
}

fn result(server: &Server, draft: Draft) -> Result<u8> {
    let draft = draft.field(FIELD_SET, b"s");
    Connection::open(server.port())?.result(&draft.frame())
}

#[test]
fn truncations_last_in_memory_too() -> Result<()> {
    for is_killed in [false, true] {
        let server = launch()?.start()?;
        ensure!(result(&server, Draft::write_number("old", 5))? == OK);
        thread::sleep(Duration::from_millis(20));
        command(&server, "truncate:namespace=test;set=s")?;
        command(&server, "truncate:namespace=test;set=undone")?;
        command(&server, "truncate-undo:namespace=test;set=undone")?;
        command(&server, "eviction-reset:namespace=bar;ttl=1000")?;
        ensure!(result(&server, Draft::read("old"))? == NOT_FOUND);
        let shown = ["smd-show:module=truncate", "smd-show:module=evict"];
        let before = shown.map(|command| ask(&server, command).unwrap_or_default());
        ensure!(before[0].starts_with("test|s=") && !before[0].contains(';'), "{before:?}");
        ensure!(before[1].starts_with("bar="), "{before:?}");

        let server = restart(server, is_killed)?;
        let after = shown.map(|command| ask(&server, command).unwrap_or_default());
        ensure!(after == before, "{after:?} instead of {before:?}");
        ensure!(result(&server, Draft::write_number("new", 5))? == OK);
        ensure!(result(&server, Draft::read("new"))? == OK);
        let lut = before[0].trim_start_matches("test|s=");
        let set = ask(&server, "sets/test/s")?;
        ensure!(set.contains(&format!(":truncate_lut={lut}:")), "{set}");
        command(&server, "truncate-undo:namespace=test;set=s")?;
        let server = restart(server, is_killed)?;
        ensure!(ask(&server, "smd-show:module=truncate")? == "<empty>");
    }
    Ok(())
}

/// They count more than what the configuration file says.
#[test]
fn settings_of_sets_last() -> Result<()> {
    for is_killed in [false, true] {
        let mut server = launch()?.start()?;
        let setting = "set-config:context=namespace;namespace=test;set=s;";
        command(&server, &format!("{setting}stop-writes-count=2"))?;
        command(&server, &format!("{setting}enable-index=true"))?;
        ensure!(result(&server, Draft::write_number("one", 1))? == OK);
        for _ in 0..2 {
            server = restart(server, is_killed)?;
            let set = ask(&server, "sets/test/s")?;
            ensure!(set.contains(":stop-writes-count=2:"), "{set}");
            ensure!(set.contains(":enable-index=true:"), "{set}");
        }
        command(&server, &format!("{setting}stop-writes-count=0"))?;
        let server = restart(server, is_killed)?;
        let set = ask(&server, "sets/test/s")?;
        ensure!(set.contains(":stop-writes-count=0:"), "{set}");
        let shown = ask(&server, "smd-show:module=set-settings")?;
        ensure!(shown == "test|s|stop-writes-count=0;test|s|enable-index=true", "{shown}");
    }
    Ok(())
}

#[test]
fn modules_of_the_original_are_taken_over() -> Result<()> {
    let launch = launch()?;
    fs::write(file(&launch, "UDF"), MODULES)?;
    // A draft that a crash has left.
    fs::write(file(&launch, "UDF").with_extension("smd.save"), "[\n[1, 1],")?;
    let mut server = launch.start()?;
    let list = ask(&server, "udf-list")?;
    let [one, two, ""] = list.split(';').collect::<Vec<_>>()[..] else {
        anyhow::bail!("{list}");
    };
    ensure!(one.starts_with("filename=one.lua,hash=") && one.ends_with(",type=LUA"), "{one}");
    ensure!(
        two == "filename=yi_b.lua,hash=ce3c3e4b684ce398b7d3c5fd25dde8c63d0c80c5,type=LUA",
        "{two}"
    );
    let info = ask(&server, "smd-info")?;
    ensure!(info.contains(";UDF:committed_key=2F03DD1318,committed_tid=2,n_keys=2,"), "{info}");
    command(&server, "udf-remove:filename=one.lua")?;
    for is_killed in [true, false] {
        server = restart(server, is_killed)?;
        ensure!(ask(&server, "udf-list")? == format!("{two};"));
        let source = ask(&server, "udf-get:filename=yi_b.lua")?;
        ensure!(source == "type=LUA;content=LS0gbm90aGluZwo=;", "{source}");
        ensure!(ask(&server, "udf-get:filename=one.lua")? == "error=not_found");
    }
    Ok(())
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() -> Result<()> {
    let cut = MODULES.len() / 2;
    let cases: [(&str, String, &[&str]); 5] = [
        ("UDF", MODULES[..cut].to_owned(), &["line 1", "without the UDF modules"]),
        ("truncate", "[\n[1, 2],\n{\"key\": 5}\n]".into(), &["line 3", "without the truncations"]),
        ("evict", String::new(), &["line 1", "without the thresholds of eviction"]),
        ("set-settings", "[]".into(), &["line 1", "without the settings of sets"]),
        ("sindex", "nonsense".into(), &["line 1", "definitions of secondary indexes"]),
    ];
    for (module, text, named) in cases {
        let launch = launch()?;
        let path = file(&launch, module);
        fs::write(&path, &text)?;
        let outcome = launch.run()?;
        ensure!(outcome.status.code() == Some(1), "{outcome:?}");
        let place = path.display().to_string();
        for name in [&[&place[..], "put back a good copy, or move the file away"], named].concat() {
            ensure!(outcome.stderr.contains(name), "{name:?} is not in: {}", outcome.stderr);
        }
        ensure!(fs::read_to_string(&path)? == text, "a file that was refused was changed");
        fs::rename(&path, path.with_extension("away"))?;
        launch.start()?;
    }
    Ok(())
}

#[test]
fn a_file_that_cannot_be_written_refuses_the_change() -> Result<()> {
    let server = launch()?.start()?;
    let folder = server.folder();
    fs::remove_dir_all(folder.join("smd"))?;
    let answer = ask(&server, "truncate:namespace=test;set=s")?;
    ensure!(answer.starts_with("ERROR::cannot be kept through a restart: "), "{answer}");
    ensure!(answer.contains("truncate.smd") && answer.contains("work directory"), "{answer}");
    ensure!(ask(&server, "smd-show:module=truncate")? == "<empty>");
    fs::create_dir(folder.join("smd"))?;
    command(&server, "truncate:namespace=test;set=s")
}

#[test]
fn a_kill_amid_changes_loses_none_that_was_acknowledged() -> Result<()> {
    let runs = std::env::var("BOLIDE_CRASH_RUNS").ok().and_then(|runs| runs.parse().ok());
    let mut launch = launch()?;
    let mut expected = BTreeSet::new();
    for run in 0..runs.unwrap_or(RUNS) {
        let server = launch.start()?;
        expect_all(&server, &expected)?;
        let mut connection = Connection::open(server.port())?;
        let names = (0..1000).map(|number| format!("{run}_{number}"));
        let names: Vec<String> = names.collect();
        let request =
            |name: &String| frame(INFO, format!("truncate:namespace=test;set={name}\n").as_bytes());
        connection.send(&names.iter().flat_map(request).collect::<Vec<u8>>())?;
        let killer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20 + 37 * (run % 7)));
            server.kill()
        });
        // Until it is gone.
        let answered = names
            .iter()
            .take_while(|_| connection.body(INFO).is_ok_and(|answer| answer.ends_with(b"\tok\n")));
        expected.extend(answered.cloned());
        launch = killer.join().ok().context("the killer has panicked")??;
    }
    announce(format_args!("{} changes were answered before kills", expected.len()));
    ensure!(!expected.is_empty(), "nothing was answered");
    expect_all(&launch.start()?, &expected)
}

/// Demands that these sets are truncated.
fn expect_all(server: &Server, names: &BTreeSet<String>) -> Result<()> {
    let shown = ask(server, "smd-show:module=truncate")?;
    let keys = shown.split(';').filter_map(|item| item.split_once('='));
    let there: BTreeSet<&str> = keys.filter_map(|(key, _)| key.strip_prefix("test|")).collect();
    for name in names {
        ensure!(there.contains(&name[..]), "{name} is lost");
    }
    Ok(())
}
