//! Arguments, and whole commands.

use super::*;
use crate::fake::{Fake, Faults};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("bolide-bench").chain(line.split_whitespace()))
}

#[test]
fn definitions_are_sound() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn wrong_arguments_are_refused() {
    for line in [
        "",
        "walk",
        "run --workload X",
        "run --workload RU,101",
        "run --bins Q7",
        "run --keys 0",
        "run --zipf 0",
        "run --zipf nan",
        "run --duration -1",
        "run --connections 0",
        "run --throughput 0",
        "run --poisson",
        "run --throughput 5 --expected-interval-us 5",
        "run --vs-pid 5",
        "run --pin x",
        "run --batch-size 0",
        "echo --port 99999",
        "echo --address here",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn arguments_that_do_not_fit_together_are_refused() {
    for line in [
        "run --threads 5 --connections 4",
        "run --workload I --fill",
        "run --host 127.0.0.1:x",
        "run --rounds 0",
        "run --host no.such.host.invalid",
    ] {
        let Command::Run(args) = parse(line).unwrap().command else { panic!("{line}") };
        assert!(args.run().is_err(), "{line}");
    }
}

#[test]
fn addresses_are_read() {
    let shown = |text| resolve(text, 3000).unwrap().to_string();
    assert_eq!(shown("127.0.0.1"), "127.0.0.1:3000");
    assert_eq!(shown("127.0.0.1:4000"), "127.0.0.1:4000");
    assert_eq!(shown("::1"), "[::1]:3000");
    assert_eq!(shown("[::1]:5"), "[::1]:5");
    assert!(shown("localhost:7").ends_with(":7"));
}

#[test]
fn a_command_fills_compares_and_writes_its_reports() {
    let servers = [Fake::start(Faults::default()), Fake::start(Faults::default())];
    let directory = std::env::temp_dir().join(format!("bolide-bench-cli-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let line = format!(
        "run --host {} --vs {} --fill --keys 200 --workload RU,80 --rounds 2 --duration 0.2 \
         --connections 2 --depth 2 --quiet --json {dir}/out.json --html {dir}/out.html",
        servers[0].address,
        servers[1].address,
        dir = directory.display(),
    );
    let Command::Run(args) = parse(&line).unwrap().command else { panic!("{line}") };
    args.run().unwrap();
    assert!(servers.iter().all(|server| server.records() == 200));
    let json = fs::read_to_string(directory.join("out.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let scenario = &json["scenarios"][0];
    assert_eq!(scenario["name"], "read=80,update=20");
    assert_eq!(scenario["targets"].as_array().unwrap().len(), 2);
    assert!(scenario["comparisons"][0]["ratios"][0]["ratio"]["median"].as_f64().unwrap() > 0.0);
    assert_eq!(scenario["targets"][0]["errors"], 0);
    assert!(fs::read_to_string(directory.join("out.html")).unwrap().contains("</html>"));
    fs::remove_dir_all(&directory).unwrap();
}
