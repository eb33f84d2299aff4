//! Reading a device without a database: what its reads can be measured by.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::event::{PollFd, PollFlags, poll};
use storage::device::{Device, FileDevice, OpenOptions};
use storage::{ALIGN_BYTES, AlignedBuf, Fetch, Reader, Signal, Span};
use wire::ResultCode;

use crate::engine::pin_to;
use crate::measure::Measurement;
use crate::metrics::{Correction, Metrics};
use crate::procfs::{CpuTime, Process};
use crate::workload::OpKind;

/// Bytes that a cold start reads at once.
const BLOCK_BYTES: usize = storage::format::BLOCK_BYTES as usize;

fn open(path: &Path) -> anyhow::Result<FileDevice> {
    let options = OpenOptions { direct: true, ..OpenOptions::default() };
    let opened = FileDevice::open(path, &options)?;
    opened.notes.iter().for_each(|note| println!("  note: {note}"));
    Ok(opened.device)
}

/// Random reads of 4 KiB with the database's own reader, in one thread on a core; so many are under way
/// at any time. The processor time is that of the thread.
pub fn random_reads(
    path: &Path,
    core: usize,
    depth: usize,
    time: Duration,
) -> anyhow::Result<Measurement> {
    let device: Arc<dyn Device> = Arc::new(open(path)?);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            pin_to(core)?;
            read_at_random(&device, depth, time)
        });
        reading.join().map_err(|_| anyhow::anyhow!("the reading thread failed"))?
    })
}

fn read_at_random(
    device: &Arc<dyn Device>,
    depth: usize,
    time: Duration,
) -> anyhow::Result<Measurement> {
    let pages = device.size_bytes() / ALIGN_BYTES as u64;
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
    let device = open(path)?;
    let mut buffer = AlignedBuf::zeroed(BLOCK_BYTES);
    let begun = Instant::now();
    let blocks = bytes.div_ceil(BLOCK_BYTES as u64);
    for block in 1..=blocks {
        let read = device.read_at(&mut buffer, block * BLOCK_BYTES as u64);
        read.with_context(|| format!("block {block}"))?;
    }
    Ok(begun.elapsed())
}
