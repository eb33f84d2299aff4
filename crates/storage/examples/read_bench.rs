//! Measures random reads: how many a second, and what each costs of the processor.
//!
//! `cargo run --release -p bolide-storage --example read_bench [FILE [MIB [SECONDS]]]`
//!
//! One thread keeps so many reads of 4 KiB under way, past the page cache, and waits for the signal as
//! an event loop does. CPU is the whole process's, user and system. A file that is missing is made.

use std::env;
use std::error::Error;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use storage::device::{Device, FileDevice, OpenOptions};
use storage::{ALIGN_BYTES, AlignedBuf, Fetch, Reader, Signal, Span};

const DEPTHS: [u64; 4] = [1, 8, 32, 128];

/// Bytes written at once to fill the file.
const FILL_BYTES: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let default_path = || env::temp_dir().join("bolide-read-bench");
    let path = arguments.next().map_or_else(default_path, PathBuf::from);
    let size_bytes = arguments.next().map_or(Ok(1024), |text| text.parse::<u64>())? << 20;
    let seconds = arguments.next().map_or(Ok(3.0), |text| text.parse())?;
    let device = prepare(&path, size_bytes)?;

    println!(
        "{:>9} {:>6} {:>10} {:>12} {:>12}",
        "reader", "depth", "reads/s", "CPU µs/read", "wake-ups/read"
    );
    for depth in DEPTHS {
        for make in [Reader::new, Reader::on_pool] {
            let signal = Signal::new()?;
            let reader = make(signal.clone());
            measure(reader, &signal, &device, depth, Duration::from_secs_f64(seconds))?;
        }
    }
    Ok(())
}

/// A file full of bytes, since reading holes says nothing.
fn prepare(path: &Path, size_bytes: u64) -> Result<Arc<dyn Device>, Box<dyn Error>> {
    let is_new = !path.exists();
    let filesize_bytes = Some(size_bytes);
    let options = OpenOptions { direct: true, filesize_bytes, ..OpenOptions::default() };
    let opened = FileDevice::open(path, &options)?;
    opened.notes.iter().for_each(|note| println!("note: {note}"));
    if is_new {
        let mut bytes = AlignedBuf::zeroed(FILL_BYTES);
        bytes.fill(0x5a);
        for offset in (0..size_bytes).step_by(FILL_BYTES) {
            opened.device.write_at(&bytes, offset)?;
        }
        opened.device.sync()?;
    }
    Ok(Arc::new(opened.device))
}

fn measure(
    mut reader: Reader,
    signal: &Signal,
    device: &Arc<dyn Device>,
    depth: u64,
    time: Duration,
) -> Result<(), Box<dyn Error>> {
    let pages = device.size_bytes() / ALIGN_BYTES as u64;
    let mut random = fastrand::Rng::with_seed(depth);
    let mut submit = |reader: &mut Reader| {
        let offset_bytes = random.u64(..pages) * ALIGN_BYTES as u64;
        let span = Span { offset_bytes, size_bytes: ALIGN_BYTES };
        reader.submit(&Fetch::of_nothing(Arc::clone(device), span), 0);
    };
    let (start, cpu_before) = (Instant::now(), cpu_time()?);
    (0..depth).for_each(|_| submit(&mut reader));
    let (mut reads, mut failures, mut wake_ups) = (0_u64, 0_u64, 0_u64);
    while start.elapsed() < time {
        reader.flush();
        poll(&mut [PollFd::from_borrowed_fd(signal.as_fd(), PollFlags::IN)], None)?;
        wake_ups += 1;
        signal.lower();
        let mut done = 0;
        reader.reap(|_, outcome| {
            done += 1;
            failures += u64::from(outcome.bytes().is_err());
        });
        reads += done;
        (0..done).for_each(|_| submit(&mut reader));
    }
    let (elapsed, cpu) = (start.elapsed(), cpu_time()?.saturating_sub(cpu_before));
    let count = reads.max(1) as f64;
    println!(
        "{:>9} {depth:>6} {:>10.0} {:>12.2} {:>12.2}",
        reader.kind(),
        count / elapsed.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / count,
        wake_ups as f64 / count,
    );
    if failures > 0 {
        return Err(format!("{failures} reads failed").into());
    }
    Ok(())
}

/// Processor time that the threads of this process have taken, user and system.
fn cpu_time() -> io::Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let times = fs::read_to_string(task?.path().join("schedstat"))?;
        let running = times.split(' ').next().and_then(|time| time.parse::<u64>().ok());
        nanoseconds += running.unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanoseconds))
}
