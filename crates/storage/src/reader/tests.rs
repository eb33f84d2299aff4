//! What every reader has to stand.

use std::collections::HashSet;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;
use crate::aligned::{ALIGN_BYTES, AlignedBuf, Span};
use crate::device::{Device, FileDevice, OpenOptions};
use crate::testing::Folder;

const PAGES: u64 = 512;

/// Far beyond what any step takes, so that a bug ends a test rather than hanging it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Every kind of reader, each with its signal.
fn readers() -> Vec<(Reader, Signal)> {
    let signal = || Signal::new().unwrap();
    let with = |make: fn(Signal) -> Reader| {
        let signal = signal();
        (make(signal.clone()), signal)
    };
    vec![with(|_| Reader::inline()), with(Reader::new), with(Reader::on_pool)]
}

/// A device whose pages each hold their own number, all over.
fn device(folder: &Folder, direct: bool) -> Arc<FileDevice> {
    let filesize_bytes = Some(PAGES * ALIGN_BYTES as u64);
    let options = OpenOptions { direct, filesize_bytes, ..OpenOptions::default() };
    let name = format!("device {}", fastrand::u64(..));
    let device = FileDevice::open(&folder.path(&name), &options).unwrap().device;
    let mut page = AlignedBuf::zeroed(ALIGN_BYTES);
    for number in 0..PAGES {
        page.as_chunks_mut().0.fill(number.to_ne_bytes());
        device.write_at(&page, number * ALIGN_BYTES as u64).unwrap();
    }
    Arc::new(device)
}

fn fetch(device: &Arc<impl Device + 'static>, page: u64, pages: usize) -> Fetch {
    let offset_bytes = page * ALIGN_BYTES as u64;
    let span = Span { offset_bytes, size_bytes: pages * ALIGN_BYTES };
    Fetch::of_nothing(Arc::clone(device) as Arc<dyn Device>, span)
}

#[track_caller]
fn check(done: &FetchDone, page: u64, pages: usize) {
    let bytes = done.bytes().unwrap();
    assert_eq!(bytes.len(), pages * ALIGN_BYTES);
    for (number, bytes) in (page..).zip(bytes.chunks(ALIGN_BYTES)) {
        assert!(bytes.as_chunks().0.iter().all(|word| *word == number.to_ne_bytes()));
    }
}

/// Collects so many outcomes, and waits for the signal between whiles.
fn collect(reader: &mut Reader, signal: &Signal, count: usize) -> Vec<(Ticket, FetchDone)> {
    let start = Instant::now();
    let mut all = Vec::new();
    loop {
        signal.lower();
        reader.reap(|ticket, done| all.push((ticket, done)));
        if all.len() >= count {
            return all;
        }
        assert!(start.elapsed() < PATIENCE, "{}: {} outcomes", reader.kind(), all.len());
        assert!(waits_for(signal, PATIENCE), "{}: no signal", reader.kind());
    }
}

fn waits_for(signal: &Signal, time: Duration) -> bool {
    let timeout = Timespec::try_from(time).unwrap();
    let fd = signal.as_fd();
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&timeout)).unwrap() > 0
}

#[test]
fn what_is_read_is_right() {
    let folder = Folder::new();
    for (mut reader, signal) in readers() {
        for device in [device(&folder, false), device(&folder, true)] {
            for (ticket, page, pages) in [(7, 0, 1), (u64::MAX, 100, 30), (0, PAGES - 1, 1)] {
                reader.submit(&fetch(&device, page, pages), ticket);
                reader.flush();
                let done = collect(&mut reader, &signal, 1);
                assert_eq!(done.len(), 1);
                assert_eq!(done[0].0, ticket);
                check(&done[0].1, page, pages);
            }
        }
    }
}

#[test]
fn the_best_reader_is_the_kernels() {
    // Fails where the kernel offers no ring, so that no run of these tests is less than it seems.
    assert_eq!(Reader::new(Signal::new().unwrap()).kind(), "io_uring");
    assert_eq!(Reader::on_pool(Signal::new().unwrap()).kind(), "threads");
    assert_eq!(Reader::inline().kind(), "inline");
}

#[test]
fn thousands_of_reads_are_under_way_at_once() {
    const READS: u64 = 20_000;

    let folder = Folder::new();
    for (mut reader, signal) in readers() {
        let device = device(&folder, true);
        for ticket in 0..READS {
            reader.submit(&fetch(&device, ticket % PAGES, 1), ticket);
        }
        reader.flush();
        let mut open: HashSet<Ticket> = (0..READS).collect();
        for (ticket, done) in collect(&mut reader, &signal, READS as usize) {
            assert!(open.remove(&ticket), "{}: {ticket} twice", reader.kind());
            check(&done, ticket % PAGES, 1);
        }
        assert!(open.is_empty());
        reader.reap(|ticket, _| panic!("{ticket} once more"));
    }
}

#[test]
fn several_threads_read_at_once() {
    let folder = Folder::new();
    let device = device(&folder, true);
    thread::scope(|scope| {
        for make in [Reader::new, Reader::on_pool, Reader::new, Reader::on_pool] {
            let device = Arc::clone(&device);
            scope.spawn(move || {
                let signal = Signal::new().unwrap();
                let mut reader = make(signal.clone());
                for round in 0..200 {
                    for page in 0..8 {
                        reader.submit(&fetch(&device, page + round, 1), page);
                    }
                    reader.flush();
                    for (page, done) in collect(&mut reader, &signal, 8) {
                        check(&done, page + round, 1);
                    }
                }
            });
        }
    });
}

#[test]
fn the_signal_tells_of_outcomes_and_of_nothing_else() {
    let folder = Folder::new();
    for (mut reader, signal) in readers().into_iter().skip(1) {
        let device = device(&folder, true);
        assert!(!waits_for(&signal, Duration::ZERO));
        for ticket in 0..100 {
            reader.submit(&fetch(&device, ticket, 1), ticket);
            reader.flush();
            assert!(waits_for(&signal, PATIENCE), "{}", reader.kind());
            assert_eq!(collect(&mut reader, &signal, 1).len(), 1);
            let is_told_again = cfg!(target_arch = "x86_64") && waits_for(&signal, Duration::ZERO);
            assert!(!is_told_again, "{}", reader.kind());
            // What is looked at once too often does no harm.
            reader.reap(|ticket, _| panic!("{ticket} once more"));
        }
        assert!(!waits_for(&signal, Duration::from_millis(20)), "{}", reader.kind());
    }
}

#[test]
fn errors_are_delivered_and_harm_nobody_else() {
    let folder = Folder::new();
    for (mut reader, signal) in readers() {
        let device = device(&folder, false);
        reader.submit(&fetch(&device, PAGES, 1), 1);
        reader.submit(&fetch(&device, 3, 1), 2);
        // Half of it is there.
        reader.submit(&fetch(&device, PAGES - 1, 2), 3);
        let broken = Arc::new(Odd::Broken);
        reader.submit(&fetch(&broken, 0, 1), 4);
        let panicking = Arc::new(Odd::Panicking);
        if reader.kind() != "inline" {
            reader.submit(&fetch(&panicking, 0, 1), 5);
        }
        reader.flush();
        let count = if reader.kind() == "inline" { 4 } else { 5 };
        for (ticket, done) in collect(&mut reader, &signal, count) {
            match ticket {
                2 => check(&done, 3, 1),
                _ => drop(done.bytes().unwrap_err()),
            }
        }
    }
}

#[test]
fn a_file_that_was_cut_ends_early() {
    let folder = Folder::new();
    for (mut reader, signal) in readers() {
        let device = device(&folder, false);
        let file = std::fs::File::options().write(true).open(device.name()).unwrap();
        file.set_len(10 * ALIGN_BYTES as u64 + 100).unwrap();
        for (page, pages) in [(10, 1), (9, 2), (20, 1)] {
            reader.submit(&fetch(&device, page, pages), 1);
            reader.flush();
            let done = collect(&mut reader, &signal, 1);
            let error = done[0].1.bytes().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{}", reader.kind());
        }
    }
}

#[test]
fn a_reader_that_is_dropped_waits_for_its_reads() {
    let folder = Folder::new();
    for (mut reader, signal) in readers() {
        let device = device(&folder, true);
        for ticket in 0..3_000 {
            reader.submit(&fetch(&device, ticket % PAGES, 1), ticket);
            if ticket == 2_000 {
                reader.flush();
            }
        }
        drop(reader);
        assert_eq!(Arc::strong_count(&device), 1, "the reader holds on to the device");
        drop(signal);
    }
}

#[test]
fn a_device_without_a_descriptor_is_read_by_threads() {
    for (mut reader, signal) in readers() {
        let slow = Arc::new(Odd::Slow(AtomicUsize::new(0)));
        for ticket in 0..40 {
            reader.submit(&fetch(&slow, 0, 1), ticket);
        }
        reader.flush();
        let done = collect(&mut reader, &signal, 40);
        assert!(done.iter().all(|(_, done)| done.bytes().unwrap()[0] == 1));
        reader.submit(&fetch(&slow, 0, 1), 0);
        reader.flush();
        drop(reader);
        let Odd::Slow(reads) = &*slow else { unreachable!() };
        assert_eq!(reads.load(SeqCst), 41, "a read that was under way was waited for");
        assert_eq!(Arc::strong_count(&slow), 1);
    }
}

/// Devices that do not read as files do.
#[derive(Debug)]
enum Odd {
    Broken,
    Panicking,
    /// Takes its time, and counts the reads.
    Slow(AtomicUsize),
}

impl Device for Odd {
    fn name(&self) -> &str {
        "odd"
    }

    fn size_bytes(&self) -> u64 {
        ALIGN_BYTES as u64
    }

    fn read_at(&self, bytes: &mut [u8], _offset_bytes: u64) -> io::Result<()> {
        match self {
            Self::Broken => return Err(io::Error::other("as ordered")),
            Self::Panicking => panic!("as ordered"),
            Self::Slow(reads) => {
                thread::sleep(Duration::from_millis(3));
                bytes.fill(1);
                reads.fetch_add(1, SeqCst);
            }
        }
        Ok(())
    }

    fn write_at(&self, _bytes: &[u8], _offset_bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn reads_on_a_desk_wait_for_the_host() {
    let folder = Folder::new();
    let device = device(&folder, false);
    let signal = Signal::new().unwrap();
    let desk = Desk::new(signal.clone());
    let mut reader = Reader::on_desk(desk.clone());
    reader.submit(&fetch(&device, 3, 1), 7);
    reader.flush();
    reader.reap(|ticket, _| panic!("nobody has read {ticket}"));
    assert!(!signal.lower());
    for (ticket, fetch) in desk.take() {
        desk.put(ticket, fetch.read_now());
    }
    let done = collect(&mut reader, &signal, 1);
    assert_eq!(done[0].0, 7);
    check(&done[0].1, 3, 1);
    assert!(desk.take().is_empty());
}
