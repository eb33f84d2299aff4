//! The command line.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use record::meta::EPOCH_UNIX_SECONDS;
use serde_json::json;
use storage::Secret;

use crate::device::{Device, Whose};
use crate::dump::{Selection, dump};
use crate::load::{Outcome, Target, load};
use crate::report::{self, Blocks};
use crate::source::FileSource;
use crate::survey::Survey;

/// Something is damaged, missing or refused.
const EXIT_FINDINGS: u8 = 1;
/// A device cannot be read, is not what it should be, or the command makes no sense.
const EXIT_UNUSABLE: u8 = 2;

/// Reads storage devices of Bolide, or of Aerospike 8.0, without a server and without changing them.
///
/// Checks every checksum, counts what is alive and tells what is damaged. It can also print the records,
/// or write them into a running node. A device that a server has open is read as it is at the moment:
/// what was written last may be missing or torn.
///
/// Exit code: 0 if all is sound, 1 if something is damaged, missing or was refused by the node,
/// 2 if a device cannot be read or is none.
#[derive(Debug, Parser)]
#[command(name = "bolide-inspect", version)]
struct Cli {
    /// Files or block devices; all of a namespace, in the order of its configuration.
    #[arg(required = true, value_name = "DEVICE")]
    devices: Vec<PathBuf>,
    /// The devices are those of the original, version 8.0.
    #[arg(long)]
    aerospike: bool,
    /// Tells of every block in a line.
    #[arg(long, conflicts_with_all = ["dump", "json"])]
    blocks: bool,
    /// Prints the report as JSON.
    #[arg(long, conflicts_with = "dump")]
    json: bool,
    /// Prints the live records instead, a line of JSON each.
    #[arg(long, conflicts_with = "load")]
    dump: bool,
    /// With --dump: every sound version, also what is superseded, deleted or expired.
    #[arg(long, requires = "dump")]
    all_versions: bool,
    /// Size in bytes of a block, tried first where a damaged header cannot tell it.
    #[arg(long, value_name = "BYTES", default_value_t = storage::format::BLOCK_BYTES)]
    block_size: u32,
    /// Key file of the namespace: encrypted records are read with it.
    #[arg(long, value_name = "FILE", conflicts_with = "aerospike")]
    encryption_key_file: Option<PathBuf>,
    /// Writes the live records into the node at this address.
    #[arg(long, value_name = "HOST:PORT", help_heading = "Loading")]
    load: Option<String>,
    /// Namespace to write into; that of the devices if not given.
    #[arg(long, value_name = "NAME", requires = "load", help_heading = "Loading")]
    namespace: Option<String>,
    /// Connections to write over.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=256),
        help_heading = "Loading"
    )]
    threads: u16,
}

/// Runs the command that the arguments name; what goes wrong is told on standard error.
pub fn main() -> ExitCode {
    // Wrong arguments end the process here, with code 2.
    let cli = Cli::parse();
    match cli.run() {
        Ok(code) => ExitCode::from(code),
        // Whoever reads the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bolide-inspect: {error:#}");
            ExitCode::from(EXIT_UNUSABLE)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let json =
            cause.downcast_ref::<serde_json::Error>().and_then(|error| error.io_error_kind());
        io.or(json) == Some(io::ErrorKind::BrokenPipe)
    })
}

/// The time in seconds since 2010.
fn now() -> u32 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    u32::try_from(unix.saturating_sub(EPOCH_UNIX_SECONDS)).unwrap_or(u32::MAX)
}

impl Cli {
    fn run(&self) -> anyhow::Result<u8> {
        let (mut devices, unusable) = self.open();
        if devices.is_empty() {
            return Ok(EXIT_UNUSABLE);
        }
        self.unlock(&mut devices)?;
        // Looked up before the long walk, so that a wrong name is told at once.
        let address = self.load.as_deref().map(resolve).transpose()?;
        if self.dump || address.is_some() {
            check_one_namespace(&devices)?;
        }
        let survey = Survey::of(&devices, now())?;
        let mut code = if survey.is_sound() { 0 } else { EXIT_FINDINGS };
        if self.dump {
            self.dump(&devices, &survey)?;
        } else {
            let outcome = address.map(|address| self.load(&devices, &survey, address));
            let outcome = outcome.transpose()?;
            self.report(&survey, outcome.as_ref())?;
            if outcome.is_some_and(|outcome| !outcome.is_complete()) {
                code = EXIT_FINDINGS;
            }
        }
        Ok(if unusable { EXIT_UNUSABLE } else { code })
    }

    /// Has encrypted records decrypted, if there is a key file.
    fn unlock(&self, devices: &mut [Device]) -> anyhow::Result<()> {
        let Some(path) = &self.encryption_key_file else { return Ok(()) };
        let content =
            fs::read(path).with_context(|| format!("cannot read key file {}", path.display()))?;
        let key = Secret::new(content).with_context(|| format!("key file {}", path.display()))?;
        for device in devices {
            if let Device::Own(device) = device {
                device.unlock(&key).with_context(|| device.source.name().to_owned())?;
            }
        }
        Ok(())
    }

    /// The devices that can be read, and whether any cannot.
    fn open(&self) -> (Vec<Device>, bool) {
        let whose = match self.aerospike {
            true => Whose::Original,
            false => Whose::Ours { block_bytes: self.block_size },
        };
        let mut devices = Vec::new();
        let mut unusable = false;
        for path in &self.devices {
            let opened = FileSource::open(path).map_err(anyhow::Error::from);
            match opened.and_then(|source| Ok(Device::open(Box::new(source), whose)?)) {
                Ok(device) => devices.push(device),
                Err(error) => {
                    unusable = true;
                    eprintln!("bolide-inspect: {}: {error:#}", path.display());
                }
            }
        }
        (devices, unusable)
    }

    fn dump(&self, devices: &[Device], survey: &Survey) -> anyhow::Result<()> {
        let selection = if self.all_versions { Selection::AllVersions } else { Selection::Live };
        let mut out = BufWriter::new(io::stdout().lock());
        dump(devices, survey, selection, &mut out)?;
        if !survey.is_sound() {
            let mut verdict = String::new();
            report::append_verdict(&mut verdict, survey);
            eprint!("{verdict}");
        }
        Ok(())
    }

    fn load(
        &self,
        devices: &[Device],
        survey: &Survey,
        address: SocketAddr,
    ) -> anyhow::Result<Outcome> {
        let of_devices = devices.iter().find_map(Device::namespace);
        let namespace = self.namespace.as_deref().or(of_devices);
        let namespace = namespace.context("the devices lost their headers: name a --namespace")?;
        load(
            devices,
            survey,
            &Target {
                address,
                namespace,
                threads: self.threads.into(),
                clock: now,
                progress: |line| eprintln!("{line}"),
            },
        )
    }

    fn report(&self, survey: &Survey, loaded: Option<&Outcome>) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            let report = json!({ "survey": survey, "sound": survey.is_sound(), "loaded": loaded });
            serde_json::to_writer_pretty(&mut out, &report)?;
            return Ok(writeln!(out)?);
        }
        let blocks = if self.blocks { Blocks::Listed } else { Blocks::Counted };
        out.write_all(report::render(survey, blocks).as_bytes())?;
        if let Some(outcome) = loaded {
            out.write_all(report::outcome(outcome).as_bytes())?;
        }
        Ok(())
    }
}

/// Versions of different namespaces must not be compared, since digests do not tell them apart.
fn check_one_namespace(devices: &[Device]) -> anyhow::Result<()> {
    let mut namespaces: Vec<_> = devices.iter().filter_map(Device::namespace).collect();
    namespaces.dedup();
    ensure!(
        namespaces.len() <= 1,
        "the devices belong to several namespaces ({}); name those of one",
        namespaces.join(", ")
    );
    Ok(())
}

fn resolve(text: &str) -> anyhow::Result<SocketAddr> {
    let mut addresses =
        text.to_socket_addrs().with_context(|| format!("{text} is no address: HOST:PORT"))?;
    match addresses.next() {
        Some(address) => Ok(address),
        None => bail!("{text} has no address"),
    }
}
