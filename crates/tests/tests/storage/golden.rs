//! The golden transcripts again, on devices: what a client is told does not depend on where records are.
//!
//! A record that was just written is answered from memory. So that bodies are read from the device too, a
//! part of the cases is sent request by request, and between them the block that is being filled is filled
//! up, which takes it out of memory.

use std::path::Path;

use anyhow::{Result, ensure};
use tests::announce;
use tests::golden::{Clock, Replay, Transcript};
use tests::harness::{Server, golden_configuration_on_files};
use tests::raw::{Connection, Draft};

use crate::{BLOB, DEVICE_OVERLOAD, OK, OP_WRITE};

/// Cases, about, whose requests are sent one by one.
const ONE_BY_ONE: usize = 8;
/// Records that fill a block between two of them, none larger than a record may be.
const FILLERS: usize = 9;
const FILLER_BYTES: usize = 1_000_000;

#[test]
fn golden_record() -> Result<()> {
    replay("record", READ_BACK)
}

#[test]
fn golden_list() -> Result<()> {
    replay("list", READ_BACK)
}

#[test]
fn golden_map() -> Result<()> {
    replay("map", READ_BACK)
}

#[test]
fn golden_bits() -> Result<()> {
    replay("bits", READ_BACK)
}

#[test]
fn golden_hll() -> Result<()> {
    replay("hll", READ_BACK)
}

#[test]
fn golden_exp() -> Result<()> {
    replay("exp", READ_BACK)
}

#[test]
fn golden_record_when_writes_wait_for_the_device() -> Result<()> {
    replay("record", COMMIT)
}

/// How the namespaces are kept.
type Settings = &'static [&'static str];

const READ_BACK: Settings = &["post-write-cache 0", "flush-max-ms 1", "defrag-sleep 0"];
const COMMIT: Settings = &["post-write-cache 0", "commit-to-device true", "defrag-sleep 0"];

fn replay(area: &str, settings: Settings) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden");
    let transcript = Transcript::load(&folder.join(format!("{area}.jsonl.gz")))?;
    let server = Server::start(&golden_configuration_on_files(settings))?;
    let address = server.address();
    let mut filler = Connection::open(server.port())?;
    let fill = || fill_up(&mut filler);
    let mut replay = Replay::new(&address, Clock::Wall)
        .excepting(depends_on_size)
        .pausing(transcript.case_count() / ONE_BY_ONE + 1, fill);
    let report = replay.run(&transcript)?;
    drop(replay);
    announce(&report);
    let different = report.steps_different();
    ensure!(different == 0, "{different} replies differ; the server said:\n{}", server.output());
    ensure!(report.equal * 100 > report.steps() * 95, "too much is excepted");
    Ok(())
}

/// Writes as much as a block holds, so that the one which was being filled is full.
fn fill_up(connection: &mut Connection) -> Result<()> {
    for filler in 0..FILLERS {
        let draft = Draft::write(&format!("filler {filler}"));
        connection.send(&draft.op(OP_WRITE, BLOB, b"v", &vec![7; FILLER_BYTES]).frame())?;
    }
    for _ in 0..FILLERS {
        let result = connection.message()?.result;
        ensure!(result == OK || result == DEVICE_OVERLOAD, "filling up is answered {result}");
    }
    Ok(())
}

/// Expressions on the size of a record: what it takes on a device is not what it took in memory, where
/// the transcripts were recorded.
fn depends_on_size(request: &[u8]) -> Option<&'static str> {
    const SIZES: [[u8; 2]; 3] = [[0x91, 65], [0x91, 73], [0x91, 74]];
    let asks = request.windows(2).any(|pair| SIZES.iter().any(|size| pair == size));
    asks.then_some("asks for the size of a record, which is another on a device")
}
