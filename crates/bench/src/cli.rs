//! The command line.

mod load;

#[cfg(test)]
mod tests;

use std::fs;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::echo::Echo;
use crate::engine::pin_to;
use crate::report::{Report, html, text};
use crate::suite;

pub(crate) use self::load::{fill, parse_positive};

/// Runs the command that the arguments name; what goes wrong is told on standard error.
pub fn main() -> ExitCode {
    // Wrong arguments end the process here, with code 2.
    let command = Cli::parse().command;
    let result = match command {
        Command::Run(args) => args.run(),
        Command::Echo(args) => args.run(),
        Command::Suite(args) => args.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bolide-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Load generator for servers that speak the client protocol of Aerospike.
#[derive(Debug, Parser)]
#[command(name = "bolide-bench", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Loads one server, or two of them in turns, and tells what they did.
    Run(Box<load::LoadArgs>),
    /// Answers any request with a reply of a fixed shape: the ceiling of this machine.
    Echo(EchoArgs),
    /// Starts the database and an echo server by itself and compares them.
    Suite(Box<suite::SuiteArgs>),
}

/// Where results go besides the terminal.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Also writes the results as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also writes the results as a page with charts.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Prints no line a second.
    #[arg(long)]
    pub quiet: bool,
}

impl OutputArgs {
    /// Writes the files asked for.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn write(&self, report: &Report) -> anyhow::Result<()> {
        if let Some(path) = &self.json {
            let json = serde_json::to_string_pretty(report)?;
            fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
        }
        if let Some(path) = &self.html {
            fs::write(path, html::render(report))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// Prints the report and writes the files asked for.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn finish(&self, report: &Report) -> anyhow::Result<()> {
        print!("{}", text::render(report));
        self.write(report)
    }
}

/// The echo server.
#[derive(Debug, Args)]
struct EchoArgs {
    /// Port to listen on; 0 for a free one.
    #[arg(short, long, default_value_t = 3000)]
    port: u16,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// Event loops.
    #[arg(short = 'z', long, default_value_t = 1)]
    threads: usize,
    /// Answers with a message of so many bytes, frame header included, instead of the request itself.
    #[arg(long, value_name = "BYTES")]
    reply_bytes: Option<usize>,
    /// Core to keep all threads on.
    #[arg(long, value_name = "CORE")]
    pin: Option<usize>,
}

impl EchoArgs {
    /// Serves until the process is ended.
    fn run(&self) -> anyhow::Result<()> {
        let echo = self.reply_bytes.map_or(Ok(Echo::Request), Echo::with_reply_bytes)?;
        if let Some(core) = self.pin {
            // The server's threads inherit it.
            pin_to(core)?;
        }
        let address = SocketAddr::new(self.address, self.port);
        let (_server, address) = echo.start(address, self.threads)?;
        println!("listening on {address}");
        loop {
            std::thread::park();
        }
    }
}

/// The address that `text` names, as `HOST`, `HOST:PORT` or `[IPV6]:PORT`.
fn resolve(text: &str, default_port: u16) -> anyhow::Result<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Ok(ip) = text.parse() {
        return Ok(SocketAddr::new(ip, default_port));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().with_context(|| format!("the port in {text}"))?),
        None => (text, default_port),
    };
    let mut addresses =
        (host, port).to_socket_addrs().with_context(|| format!("no address of {host}"))?;
    addresses.next().with_context(|| format!("no address of {host}"))
}
