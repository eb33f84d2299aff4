//! Every kind of command through the official Rust client.
//!
//! usage: `rust_client HOST PORT LUA`

mod batch;
mod checks;
mod collections;
mod expect;
mod expressions;
mod functions;
mod queries;
mod sketches;

use std::process::ExitCode;

use aerospike::{Client, ClientPolicy, Key, WritePolicy, as_key};
use anyhow::{Context, Result};

/// A test on a key whose record does not exist.
type Check = fn(&Client, &Key) -> Result<()>;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, _lua] = &arguments[..] else {
        anyhow::bail!("usage: rust_client HOST PORT LUA")
    };
    let client =
        Client::new(&ClientPolicy::default(), &format!("{host}:{port}")).context("connecting")?;
    let (mut passed, mut failed) = (0, 0);
    let all = [
        checks::ALL,
        batch::ALL,
        collections::ALL,
        sketches::ALL,
        expressions::ALL,
        queries::ALL,
        functions::ALL,
    ];
    for (name, check) in all.concat() {
        match run(&client, name, check) {
            Ok(()) => {
                passed += 1;
                println!("ok {name}");
            }
            Err(error) => {
                failed += 1;
                println!("FAIL {name} {}", format!("{error:#}").replace('\n', " "));
            }
        }
    }
    client.close()?;
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(client: &Client, name: &str, check: Check) -> Result<()> {
    let key = as_key!("test", "rust", name);
    client.delete(&WritePolicy::default(), &key)?;
    check(client, &key)
}
