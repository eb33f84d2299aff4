//! Runs one kind of request over and over on one thread: what a profiler is pointed at.
//!
//! ```text
//! cargo build --release -p bolide-engine --example hot_path
//! valgrind --tool=callgrind --toggle-collect='*measured*' \
//!     target/release/examples/hot_path read 100000
//! ```
//!
//! The instructions collected, divided by the number of requests, are those of one request from its
//! body to its reply: parsing, look-up, checks, operations, storing, reply. Without a profiler the
//! program prints nanoseconds.
//!
//! A third argument has the records lie elsewhere than in memory: `cached` on a device and in its
//! cache, `device` on a device alone. Reads from it block, so only their instructions say anything.

use engine::copies::Written;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use engine::counters::Stripe;
use engine::devices::{DevicePlan, NamespaceOpening};
use engine::{Namespace, Turn};
use record::LastUpdateTime;
use storage::device::{FileDevice, OpenOptions};
use storage::format::BLOCK_BYTES;
use storage::{Fetch, Fetched, Pledges};
use wire::client::RequestBuilder;
use wire::reply::ReplyWriter;
use wire::{Digest, Info1, Info2, OpCode, ParticleType, Request, ResultCode};

/// Records in the namespace: many sprigs hold one, some hold several.
const RECORDS: usize = 100_000;
/// Requests if the command line names no number.
const REQUESTS: usize = 1_000_000;
/// Size of the blob bin that reads return and writes set.
const BLOB_BYTES: usize = 100;
/// Output kept from one wake-up to the next, in bytes.
const OUT_BYTES: usize = 64 << 10;
/// When everything happens.
const NOW: LastUpdateTime = LastUpdateTime(500_000_000_000);
/// Size of the device, and of its cache if it has one.
const DEVICE_BYTES: u64 = 1 << 30;

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_else(|| "read".into());
    let requests = match arguments.next() {
        Some(number) => number.parse().map_err(|error| format!("{number}: {error}"))?,
        None => REQUESTS,
    };
    let build = builder(&kind)
        .ok_or("usage: hot_path read|read-bin|exists|write|increment [n [memory|cached|device]]")?;
    let place = arguments.next().unwrap_or_else(|| "memory".into());
    let file = std::env::temp_dir().join(format!("bolide-hot-path-{}", std::process::id()));
    let namespace = namespace(&place, &file)?;
    let mut runner = Runner::new(&namespace);
    std::thread::scope(|scope| {
        for device in 0..namespace.device_count() {
            let (flusher, mover) = (&namespace, &namespace);
            scope.spawn(move || flusher.run_flusher(device));
            scope.spawn(move || mover.run_mover(device));
        }
        runner.run_all(&bodies(RECORDS, create));
        let bodies = bodies(requests.min(RECORDS), build);
        namespace.flush_devices();
        let begun = Instant::now();
        measured(&mut runner, &bodies, requests);
        let spent = begun.elapsed().as_nanos() as f64;
        println!("{kind} {place}: {requests} requests, {:.0} ns each", spent / requests as f64);
        namespace.stop_devices();
    });
    // There is none unless records were on it.
    let _ = std::fs::remove_file(file);
    Ok(())
}

/// A namespace in memory, or on a device with or without a cache.
fn namespace(place: &str, file: &Path) -> Result<Namespace, String> {
    let mut config = config::Namespace::named("test");
    let engine = &mut config.storage_engine;
    match place {
        "memory" => return Ok(Namespace::new(config, 1)),
        "cached" => engine.post_write_cache_bytes = DEVICE_BYTES,
        "device" => engine.post_write_cache_bytes = 0,
        _ => return Err(format!("there is no place {place}")),
    }
    engine.kind = config::EngineKind::Device;
    let options = OpenOptions { filesize_bytes: Some(DEVICE_BYTES), ..OpenOptions::default() };
    let opened = FileDevice::open(file, &options).map_err(|error| error.to_string())?;
    let plan = DevicePlan {
        devices: vec![Arc::new(opened.device)],
        image: None,
        block_bytes: BLOCK_BYTES,
        encryption: None,
        threads: 1,
        random: || 1,
    };
    let opening = NamespaceOpening::begin(config, 1, plan).map_err(|error| error.to_string())?;
    let (namespace, _) = opening.finish(NOW.seconds()).map_err(|error| error.to_string())?;
    Ok(namespace)
}

#[inline(never)]
fn measured(runner: &mut Runner<'_>, bodies: &[Vec<u8>], requests: usize) {
    for _ in 0..requests / bodies.len().max(1) {
        runner.run_all(bodies);
    }
}

type Build = fn(RequestBuilder) -> RequestBuilder;

fn builder(kind: &str) -> Option<Build> {
    const READ: Info1 = Info1::READ;
    Some(match kind {
        "read" => |request| request.info1(READ | Info1::GET_ALL),
        "read-bin" => {
            |request| request.info1(READ).op(OpCode::READ, ParticleType::NULL, b"blob", b"")
        }
        "exists" => |request| request.info1(READ | Info1::GET_NO_BINS),
        "write" => |request| {
            let blob = [7; BLOB_BYTES];
            request.info2(Info2::WRITE).op(OpCode::WRITE, ParticleType::BLOB, b"blob", &blob)
        },
        "increment" => |request| {
            let one = 1u64.to_be_bytes();
            request.info2(Info2::WRITE).op(OpCode::INCREMENT, ParticleType::INTEGER, b"count", &one)
        },
        _ => return None,
    })
}

fn create(request: RequestBuilder) -> RequestBuilder {
    request.info2(Info2::WRITE).op(OpCode::WRITE, ParticleType::BLOB, b"blob", &[1; BLOB_BYTES]).op(
        OpCode::WRITE,
        ParticleType::INTEGER,
        b"count",
        &[0; 8],
    )
}

/// One request's body for each of the first records.
fn bodies(count: usize, build: Build) -> Vec<Vec<u8>> {
    let body = |number: usize| {
        let key = (number as u64).to_be_bytes();
        let digest = Digest::of_key(b"demo", ParticleType::INTEGER, &key);
        build(RequestBuilder::new().namespace("test").set("demo").digest(&digest)).into_body()
    };
    (0..count).map(body).collect()
}

/// A thread that answers requests.
struct Runner<'n> {
    namespace: &'n Namespace,
    scratch: Vec<u8>,
    out: Vec<u8>,
}

impl<'n> Runner<'n> {
    fn new(namespace: &'n Namespace) -> Self {
        Self { namespace, scratch: Vec::new(), out: Vec::with_capacity(2 * OUT_BYTES) }
    }

    fn run_all(&mut self, bodies: &[Vec<u8>]) {
        for body in bodies {
            let result = self.run(black_box(body));
            assert_eq!(result, ResultCode::OK);
            if self.out.len() > OUT_BYTES {
                black_box(&self.out);
                self.out.clear();
            }
        }
    }

    fn run(&mut self, body: &[u8]) -> ResultCode {
        let mut read = Fetched::default();
        loop {
            let fetched = if read.is_empty() { Fetched::NONE } else { &read };
            match self.try_run(body, fetched) {
                Ok(result) => return result,
                Err(fetch) => read.add(fetch.read_now()),
            }
        }
    }

    fn try_run(&mut self, body: &[u8], fetched: &Fetched) -> Result<ResultCode, Fetch> {
        let mut turn = Turn {
            now: NOW,
            stripe: Stripe::of_loop(0),
            scratch: &mut self.scratch,
            fetched,
            pledges: &mut Pledges::default(),
            written: Written::Nothing,
        };
        let Ok(request) = Request::parse(body) else { return Ok(ResultCode::PARAMETER) };
        let Some(digest) = request.valid_digest() else { return Ok(ResultCode::PARAMETER) };
        if request.header.info2.contains(Info2::WRITE) {
            self.namespace.write(&request, &digest, &mut turn, ReplyWriter::new(&mut self.out))
        } else {
            self.namespace.read(&request, &digest, &mut turn, ReplyWriter::new(&mut self.out))
        }
    }
}
