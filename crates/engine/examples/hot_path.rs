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

use std::hint::black_box;
use std::time::Instant;

use engine::counters::Stripe;
use engine::{Namespace, Turn};
use record::LastUpdateTime;
use storage::{Fetched, Pledges};
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

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_else(|| "read".into());
    let requests = match arguments.next() {
        Some(number) => number.parse().map_err(|error| format!("{number}: {error}"))?,
        None => REQUESTS,
    };
    let build = builder(&kind).ok_or("usage: hot_path read|read-bin|exists|write|increment [n]")?;
    let namespace = Namespace::new(config::Namespace::named("test"), 1);
    let mut runner = Runner::new(&namespace);
    runner.run_all(&bodies(RECORDS, create));
    let bodies = bodies(requests.min(RECORDS), build);
    let begun = Instant::now();
    measured(&mut runner, &bodies, requests);
    let spent = begun.elapsed().as_nanos() as f64;
    println!("{kind}: {requests} requests, {:.0} ns each", spent / requests as f64);
    Ok(())
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
        let now = LastUpdateTime(500_000_000_000);
        let mut turn = Turn {
            now,
            stripe: Stripe::of_loop(0),
            scratch: &mut self.scratch,
            fetched: Fetched::NONE,
            pledges: &mut Pledges::default(),
        };
        let Ok(request) = Request::parse(body) else { return ResultCode::PARAMETER };
        let Some(digest) = request.valid_digest() else { return ResultCode::PARAMETER };
        let result = if request.header.info2.contains(Info2::WRITE) {
            self.namespace.write(&request, &digest, &mut turn, ReplyWriter::new(&mut self.out))
        } else {
            self.namespace.read(&request, &digest, &mut turn, ReplyWriter::new(&mut self.out))
        };
        result.expect("memory needs no reading")
    }
}
