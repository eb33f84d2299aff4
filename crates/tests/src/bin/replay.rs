//! Replays golden transcripts against any server and shows every reply that differs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use tests::golden::{Clock, Replay, Transcript};

/// Replays golden transcripts against a server that has the namespaces `test` and `bar`.
///
/// Every file wants a fresh, empty server.
#[derive(Parser)]
struct Arguments {
    /// The server, as HOST:PORT.
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// How many differences to show in full.
    #[arg(long, value_name = "N", default_value_t = 5)]
    show: usize,
    /// Transcripts (.jsonl.gz).
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut different = 0;
    for file in &arguments.files {
        let transcript = Transcript::load(file)?;
        let mut replay = Replay::new(&arguments.to, Clock::Wall).showing(arguments.show);
        let report = replay.run(&transcript)?;
        print!("{report}");
        different += report.steps_different();
    }
    Ok(if different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
