//! What requests allocate once a namespace is warm: nothing but the record itself.
//!
//! Measured with the allocator of the server, which counts what each thread has allocated.

use engine::copies::Written;
use engine::counters::Stripe;
use engine::{Namespace, Turn};
use record::LastUpdateTime;
use storage::{Fetched, Pledges};
use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp};
use wire::client::RequestBuilder;
use wire::reply::ReplyWriter;
use wire::{Digest, Info1, Info2, OpCode, ParticleType, Request, ResultCode};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Records in the namespace.
const RECORDS: u32 = 200;
/// Bytes of a body with one bin `blob`, beside its value.
const OVERHEAD_BYTES: usize = 8 + 8 + 4;

/// A warm namespace and a thread that works on it.
struct Thread {
    namespace: Namespace,
    allocated: ThreadLocal<u64>,
    scratch: Vec<u8>,
    out: Vec<u8>,
}

impl Thread {
    fn new() -> Self {
        let mut thread = Self {
            namespace: Namespace::new(config::Namespace::named("test"), 1),
            allocated: allocatedp::read().expect("jemalloc counts what threads allocate"),
            scratch: Vec::with_capacity(1 << 16),
            out: Vec::with_capacity(1 << 16),
        };
        thread.allocated_by(&write_blob(100));
        thread
    }

    /// Bytes allocated while every record gets this request, of which it is the second.
    fn allocated_again_by(&mut self, request: &RequestBuilder) -> u64 {
        self.allocated_by(request);
        self.allocated_by(request)
    }

    /// Bytes allocated while every record gets this request.
    fn allocated_by(&mut self, request: &RequestBuilder) -> u64 {
        let requests: Vec<_> = (0..RECORDS)
            .map(|number| {
                let key = u64::from(number).to_be_bytes();
                let digest = Digest::of_key(b"s", ParticleType::INTEGER, &key);
                request.clone().namespace("test").set("s").digest(&digest).into_body()
            })
            .collect();
        let before = self.allocated.get();
        for body in &requests {
            self.out.clear();
            assert_eq!(self.send(body), ResultCode::OK);
        }
        self.allocated.get() - before
    }

    fn send(&mut self, body: &[u8]) -> ResultCode {
        let mut turn = Turn {
            now: LastUpdateTime(500_000_000_000),
            stripe: Stripe::of_loop(0),
            scratch: &mut self.scratch,
            fetched: Fetched::NONE,
            pledges: &mut Pledges::default(),
            written: Written::Nothing,
        };
        let Ok(request) = Request::parse(body) else { return ResultCode::PARAMETER };
        let Some(digest) = request.valid_digest() else { return ResultCode::PARAMETER };
        let reply = ReplyWriter::new(&mut self.out);
        let result = if request.header.info2.contains(Info2::WRITE) {
            self.namespace.write(&request, &digest, &mut turn, reply)
        } else {
            self.namespace.read(&request, &digest, &mut turn, reply)
        };
        result.expect("memory needs no reading")
    }
}

fn write_blob(size_bytes: usize) -> RequestBuilder {
    let value = vec![7; size_bytes];
    RequestBuilder::new().info2(Info2::WRITE).op(OpCode::WRITE, ParticleType::BLOB, b"blob", &value)
}

fn read(info1: Info1) -> RequestBuilder {
    RequestBuilder::new().info1(Info1::READ | info1)
}

#[test]
fn reads_allocate_nothing() {
    let mut thread = Thread::new();
    let bin = |request: RequestBuilder, name: &[u8]| {
        request.op(OpCode::READ, ParticleType::NULL, name, b"")
    };
    for (what, request) in [
        ("all bins", read(Info1::GET_ALL)),
        ("selected bins", bin(bin(read(Info1::empty()), b"blob"), b"absent")),
        ("metadata", read(Info1::GET_NO_BINS)),
    ] {
        assert_eq!(thread.allocated_again_by(&request), 0, "{what}");
    }
}

#[test]
fn writes_of_like_size_allocate_nothing() {
    let mut thread = Thread::new();
    let increment = RequestBuilder::new().info2(Info2::WRITE).op(
        OpCode::INCREMENT,
        ParticleType::INTEGER,
        b"count",
        &1u64.to_be_bytes(),
    );
    let touch =
        RequestBuilder::new().info2(Info2::WRITE).op(OpCode::TOUCH, ParticleType::NULL, b"", b"");
    let several = write_blob(100)
        .info1(Info1::READ)
        .op(OpCode::INCREMENT, ParticleType::INTEGER, b"count", &1u64.to_be_bytes())
        .op(OpCode::READ, ParticleType::NULL, b"count", b"");
    for (what, request) in [
        ("one bin", write_blob(100)),
        ("one bin, a few bytes less", write_blob(97)),
        ("an increment", increment),
        ("a touch", touch),
        ("several operations", several),
        ("a key", write_blob(100).key(ParticleType::STRING, b"my key")),
    ] {
        assert_eq!(thread.allocated_again_by(&request), 0, "{what}");
    }
}

#[test]
fn records_with_many_bins_are_read_without_allocating() {
    let mut thread = Thread::new();
    let names: Vec<String> = (0..8).map(|number| format!("bin{number}")).collect();
    let write = names.iter().fold(write_blob(10), |request, name| {
        request.op(OpCode::WRITE, ParticleType::STRING, name.as_bytes(), b"text")
    });
    thread.allocated_by(&write);
    assert_eq!(thread.allocated_by(&read(Info1::GET_ALL)), 0);
    let select = names.iter().fold(read(Info1::empty()), |request, name| {
        request.op(OpCode::READ, ParticleType::NULL, name.as_bytes(), b"")
    });
    assert_eq!(thread.allocated_by(&select), 0);
    assert_eq!(thread.allocated_by(&write_blob(10)), 0, "one of nine bins is written");
}

#[test]
fn a_record_that_changes_its_size_is_all_that_is_allocated() {
    let mut thread = Thread::new();
    // Sizes that the allocator hands out without rounding up.
    for body_size_bytes in [256, 1024, 512, 64] {
        let allocated = thread.allocated_by(&write_blob(body_size_bytes - OVERHEAD_BYTES));
        assert_eq!(allocated, u64::from(RECORDS) * body_size_bytes as u64, "{body_size_bytes}");
    }
}
