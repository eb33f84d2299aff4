//! A small server for tests: a thread per connection, records in a map, and faults on request.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use wire::reply::{self, ReplyWriter};
use wire::{
    Digest, FieldType, Info1, Info2, OpCode, ParticleType, ProtoHeader, ProtoType, Request,
    ResultCode,
};

/// What goes wrong, and when: the number counts requests of all connections from 1.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// Every request up to here is answered, then one connection is closed.
    pub close_after: Option<u64>,
    /// This request is answered late, and so is everything behind it on its connection.
    pub stall: Option<(u64, Duration)>,
    /// From this request on answers are no frames.
    pub garbage_from: Option<u64>,
}

/// A running server. It ends with the process.
pub struct Fake {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    records: Mutex<HashMap<Digest, Record>>,
    requests: AtomicU64,
    faults: Faults,
}

#[derive(Clone, Default)]
struct Record {
    generation: u32,
    bins: Vec<(Vec<u8>, ParticleType, Vec<u8>)>,
}

impl Fake {
    /// Starts one on a free port.
    pub fn start(faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { faults, ..State::default() });
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), shared.clone());
                thread::spawn(move || state.serve(stream));
            }
        });
        Self { address, state }
    }

    /// Number of records it holds.
    pub fn records(&self) -> usize {
        self.state.records.lock().unwrap().len()
    }

    /// Number of requests it has read.
    pub fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::Relaxed)
    }

    /// Sum of the counters that the operate workload increments.
    pub fn counters(&self) -> u64 {
        let records = self.state.records.lock().unwrap();
        let values = records.values().flat_map(|record| &record.bins);
        values.filter(|(name, ..)| name == b"counter").map(|(.., value)| number(value)).sum()
    }
}

fn number(value: &[u8]) -> u64 {
    u64::from_be_bytes(value.try_into().unwrap())
}

impl State {
    /// Serves one connection until either side closes it.
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).unwrap();
        loop {
            let mut header = [0; ProtoHeader::SIZE];
            stream.read_exact(&mut header).ok()?;
            let header = ProtoHeader::parse(header).unwrap();
            let mut body = vec![0; header.body_size_bytes];
            stream.read_exact(&mut body).ok()?;
            let mut out = Vec::new();
            if header.kind == ProtoType::Info {
                wire::proto::frame(&mut out, ProtoType::Info, |out| {
                    for command in wire::info::commands(&body) {
                        let value = if command.name == b"status" { "ok" } else { "objects=7;x=y" };
                        wire::info::append_answer(out, command.line, value.as_bytes());
                    }
                });
            } else {
                let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
                if self.faults.close_after.is_some_and(|last| number == last + 1) {
                    return None;
                }
                if let Some((_, time)) = self.faults.stall.filter(|(at, _)| *at == number) {
                    thread::sleep(time);
                }
                self.answer(&Request::parse(&body).unwrap(), &mut out);
                if self.faults.garbage_from.is_some_and(|first| number >= first) {
                    out.fill(0xFF);
                }
            }
            stream.write_all(&out).ok()?;
        }
    }

    fn answer(&self, request: &Request<'_>, out: &mut Vec<u8>) {
        if let Some(rows) = request.field(FieldType::BATCH) {
            return self.answer_batch(rows, out);
        }
        let digest = request.valid_digest().unwrap();
        let mut records = self.records.lock().unwrap();
        let (info1, info2) = (request.header.info1, request.header.info2);
        if info2.contains(Info2::WRITE) {
            let current = records.get(&digest).map_or(0, |record| record.generation);
            if info2.contains(Info2::GENERATION) && request.header.generation != current {
                return reply::header_only(out, ResultCode::GENERATION, current, 0);
            }
            if info2.contains(Info2::DELETE) {
                let found = records.remove(&digest).is_some();
                let code = if found { ResultCode::OK } else { ResultCode::NOT_FOUND };
                return reply::header_only(out, code, 0, 0);
            }
            let record = records.entry(digest).or_default();
            record.generation += 1;
            for op in request.ops() {
                record.apply(op);
            }
        }
        let Some(record) = records.get(&digest) else {
            return reply::header_only(out, ResultCode::NOT_FOUND, 0, 0);
        };
        let mut writer = ReplyWriter::new(out);
        if info1.contains(Info1::READ) && !info1.contains(Info1::GET_NO_BINS) {
            for (name, kind, value) in &record.bins {
                writer.op(OpCode::READ, *kind, name, value);
            }
        }
        writer.finish(ResultCode::OK, record.generation, 0);
    }

    /// Reads rows as the load generator writes them: only the first has more than index, digest and
    /// flags.
    fn answer_batch(&self, data: &[u8], out: &mut Vec<u8>) {
        let count = u32::from_be_bytes(data[..4].try_into().unwrap()) as usize;
        let repeats = 25 * (count - 1);
        assert!(data.len() > 5 + 25 + repeats, "{count} rows in {} bytes", data.len());
        let records = self.records.lock().unwrap();
        let first = 5;
        let others = data.len() - repeats;
        let starts = std::iter::once(first).chain((0..count - 1).map(|row| others + 25 * row));
        for (row, start) in starts.enumerate() {
            assert_eq!(data[start..start + 4], (row as u32).to_be_bytes());
            let digest = Digest(data[start + 4..start + 24].try_into().unwrap());
            match records.get(&digest) {
                Some(record) => reply::header_only(out, ResultCode::OK, record.generation, 0),
                None => reply::header_only(out, ResultCode::NOT_FOUND, 0, 0),
            }
        }
        reply::last(out, ResultCode::OK);
    }
}

impl Record {
    fn apply(&mut self, op: wire::Op<'_>) {
        let place = self.bins.iter_mut().find(|(name, ..)| name == op.name);
        match (op.code, place) {
            (OpCode::WRITE, Some(bin)) => bin.2 = op.value.to_vec(),
            (OpCode::INCREMENT, Some(bin)) => {
                bin.2 = (number(&bin.2) + number(op.value)).to_be_bytes().to_vec();
            }
            (OpCode::WRITE | OpCode::INCREMENT, None) => {
                self.bins.push((op.name.to_vec(), op.particle_type, op.value.to_vec()));
            }
            _ => {}
        }
    }
}
