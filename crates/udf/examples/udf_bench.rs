//! What a function call costs: `cargo run --release -p bolide-udf --example udf_bench`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use udf::{Call, Host, Level, Limits, Modules, RecordAccess, RecordInfo, Reply};
use wire::ParticleType;

const SOURCE: &str = r#"
function nothing(rec) end
function echo(rec, v) return v end
function get(rec) return rec.n end
function increment(rec) rec.n = rec.n + 1 aerospike:update(rec) return rec.n end
function append(rec) local l = rec.l list.append(l, 1) rec.l = l aerospike:update(rec) return #l end
function match(rec) return string.match("key = value", "(%w+)%s*=%s*(%w+)") end
function gsub(rec) return (string.gsub("hello world", "o", "0")) end
function loop(rec) local x = 0 for i = 1, 100000 do x = x + i % 7 end return x end
"#;

#[derive(Clone)]
struct Record(Vec<u8>, [u8; 8]);

impl RecordAccess for Record {
    fn exists(&self) -> bool {
        true
    }

    fn info(&self) -> RecordInfo {
        RecordInfo::default()
    }

    fn digest(&self) -> [u8; 20] {
        [0; 20]
    }

    fn set_name(&self) -> Option<&[u8]> {
        None
    }

    fn key(&self) -> Option<(ParticleType, &[u8])> {
        None
    }

    fn bin(&self, name: &[u8]) -> Option<(ParticleType, &[u8])> {
        match name {
            b"l" => Some((ParticleType::LIST, &self.0)),
            b"n" => Some((ParticleType::INTEGER, &self.1)),
            _ => None,
        }
    }

    fn bin_names(&self) -> Vec<&[u8]> {
        vec![b"l", b"n"]
    }
}

struct Watch(Instant);

impl Host for Watch {
    fn log(&self, _: Level, _: &str, _: usize, _: &[u8]) {}

    fn now_us(&self) -> u64 {
        let elapsed = self.0.elapsed();
        u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
    }

    fn is_overdue(&self) -> bool {
        self.0.elapsed() > Duration::from_secs(60)
    }
}

fn measure(modules: &Modules, function: &str, arguments: &[u8], rounds: u32) {
    let record = Record(vec![0x93, 1, 2, 3], 5_i64.to_be_bytes());
    let host: Arc<dyn Host> = Arc::new(Watch(Instant::now()));
    let call = Call { module: "bench", function: function.as_bytes(), arguments };
    // The best of many short turns: other programs disturb some of them.
    let mut best = Duration::MAX;
    for _ in 0..200 {
        let start = Instant::now();
        for _ in 0..rounds {
            let outcome = modules.apply(call, Box::new(record.clone()), host.clone());
            assert!(matches!(outcome.reply, Reply::Success(_)), "{outcome:?}");
        }
        best = best.min(start.elapsed() / rounds);
    }
    println!("{function:10} {:>9} ns", best.as_nanos());
}

fn main() {
    let modules = Modules::new(Limits::default());
    modules.put("bench.lua", SOURCE.as_bytes());
    for (function, arguments, rounds) in [
        ("nothing", &[][..], 1_000),
        ("echo", &[0x91, 0x2a], 1_000),
        ("get", &[], 1_000),
        ("increment", &[], 1_000),
        ("append", &[], 1_000),
        ("match", &[], 1_000),
        ("gsub", &[], 1_000),
        ("loop", &[], 2),
    ] {
        measure(&modules, function, arguments, rounds);
    }
    modules.set_cache_enabled(false);
    println!("with a fresh state for each call:");
    measure(&modules, "nothing", &[], 5);
}
