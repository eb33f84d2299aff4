//! Reading a device without a database: what its reads can be measured by.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use storage::device::Device;
use storage::{ALIGN_BYTES, AlignedBuf, Fetch, Reader, Signal, Span};
use wire::ResultCode;

use crate::engine::pin_to;
use crate::measure::Measurement;
use crate::metrics::{Correction, Metrics};
use crate::procfs::{CpuTime, Process};
use crate::workload::OpKind;

/// Bytes that a cold start reads at once.
const BLOCK_BYTES: usize = storage::format::BLOCK_BYTES as usize;
/// Unit in which the system counts what a file takes.
const STAT_BLOCK_BYTES: u64 = 512;

/// A file read past the page cache. The server holds a lock on it, which this does not ask for.
#[derive(Debug)]
struct RawFile(File);

impl RawFile {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let direct = OFlags::DIRECT.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(direct).open(path);
        Ok(Self(file.with_context(|| format!("cannot open {}", path.display()))?))
    }
}

impl Device for RawFile {
    fn name(&self) -> &str {
        "raw"
    }

    fn size_bytes(&self) -> u64 {
        self.0.metadata().map_or(0, |metadata| metadata.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset_bytes: u64) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset_bytes)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn read_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

/// Random reads of 4 KiB, of what has been written to the file, with the database's own reader, in one
/// thread on a core; so many are under way at any time. The processor time is that of the thread.
pub fn random_reads(
    path: &Path,
    core: usize,
    depth: usize,
    time: Duration,
) -> anyhow::Result<Measurement> {
    let file = RawFile::open(path)?;
    // A database fills its blocks in order; behind them is nothing that would have to be read.
    let pages = file.0.metadata()?.blocks() * STAT_BLOCK_BYTES / ALIGN_BYTES as u64;
    let device: Arc<dyn Device> = Arc::new(file);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            pin_to(core)?;
            read_at_random(&device, pages, depth, time)
        });
        reading.join().map_err(|_| anyhow::anyhow!("the reading thread failed"))?
    })
}

fn read_at_random(
    device: &Arc<dyn Device>,
    pages: u64,
    depth: usize,
    time: Duration,
) -> anyhow::Result<Measurement> {
    let signal = Signal::new()?;
    let mut reader = Reader::new(signal.clone());
    let mut begun_at = vec![Instant::now(); depth];
    let submit = |reader: &mut Reader, ticket: u64| {
        let offset_bytes = fastrand::u64(..pages) * ALIGN_BYTES as u64;
        let span = Span { offset_bytes, size_bytes: ALIGN_BYTES };
        reader.submit(&Fetch::of_nothing(Arc::clone(device), span), ticket);
    };
    let (start, before) = (Instant::now(), Process::own().cpu_time()?);
    let (mut metrics, mut done) = (Metrics::default(), Vec::new());
    (0..depth as u64).for_each(|ticket| submit(&mut reader, ticket));
    while start.elapsed() < time {
        reader.flush();
        poll(&mut [PollFd::from_borrowed_fd(signal.as_fd(), PollFlags::IN)], None)?;
        signal.lower();
        reader.reap(|ticket, outcome| done.push((ticket, outcome.bytes().is_ok())));
        for (ticket, is_read) in done.drain(..) {
            ensure!(is_read, "a read failed");
            let begun = &mut begun_at[ticket as usize];
            let latency_ns = begun.elapsed().as_nanos() as u64;
            metrics.answered(OpKind::Read, ResultCode::OK, latency_ns, Correction::None);
            *begun = Instant::now();
            submit(&mut reader, ticket);
        }
    }
    let cpu = Process::own().cpu_time()?.since(before);
    let mut measurement = Measurement::default();
    measurement.add_second(start.elapsed(), &metrics, Some(cpu), CpuTime::default());
    Ok(measurement)
}

/// How long it takes to read so many bytes from the first block on, a block at a time, past the page
/// cache.
pub fn sequential_reads(path: &Path, bytes: u64) -> anyhow::Result<Duration> {
    let device = RawFile::open(path)?;
    let mut buffer = AlignedBuf::zeroed(BLOCK_BYTES);
    let begun = Instant::now();
    let blocks = bytes.div_ceil(BLOCK_BYTES as u64);
    for block in 1..=blocks {
        let read = device.read_at(&mut buffer, block * BLOCK_BYTES as u64);
        read.with_context(|| format!("block {block}"))?;
    }
    Ok(begun.elapsed())
}
