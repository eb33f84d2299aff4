//! What touches many records, and functions: queries, an index and its use, calls. One request at a time, beside
//! the point reads and writes that they can be measured by.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use wire::client::{Reply, RequestBuilder};
use wire::{
    FieldType, Info1, Info2, Info3, OpCode, ParticleType, PartitionId, ProtoHeader, ResultCode,
};

use super::{NAMESPACE, SET, SuiteArgs, insert_all};
use crate::bins::{Bins, Value};
use crate::children::ServerProcess;
use crate::engine::pin_to;
use crate::info::ask;
use crate::keys::KeySpace;
use crate::report::{QueryReport, Report, text};

/// The name on the command line.
pub(super) const QUERIES: &str = "queries";

/// The first bin of a record, `Bins::name(0)`: a random integer. The second has 100 bytes.
const INTEGER_BIN: &str = "testbin";

/// Records that a query by index finds, on average.
const FOUND: u64 = 10;

/// A function that writes as a plain write does.
const MODULE: &str = "function put(rec, value)\n  rec.c = value\n  aerospike:update(rec)\nend\n";

/// Longest wait for a reply.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection with one request in flight.
pub(super) struct Connection(TcpStream);

impl Connection {
    pub(super) fn open(server: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self(stream))
    }

    /// Sends a frame and takes in frames until `is_last` says that one was the last.
    pub(super) fn ask(
        &mut self,
        frame: &[u8],
        mut is_last: impl FnMut(&[u8]) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        self.0.write_all(frame)?;
        let mut body = Vec::new();
        loop {
            let mut header = [0; ProtoHeader::SIZE];
            self.0.read_exact(&mut header)?;
            let header = ProtoHeader::parse(header)
                .map_err(|error| anyhow::anyhow!("the answer is no frame: {error:?}"))?;
            body.resize(header.body_size_bytes, 0);
            self.0.read_exact(&mut body)?;
            if is_last(&body)? {
                return Ok(());
            }
        }
    }

    /// Runs a query; returns how many rows came.
    fn query(&mut self, frame: &[u8]) -> anyhow::Result<u64> {
        let mut rows = 0;
        self.ask(frame, |mut body| {
            while !body.is_empty() {
                let (reply, rest) = Reply::parse(body).ok().context("the answer has no message")?;
                body = rest;
                let header = reply.header;
                ensure!(
                    header.result == ResultCode::OK,
                    "the query ended with {:?}",
                    header.result
                );
                if header.info3.contains(Info3::LAST) {
                    return Ok(true);
                }
                rows += 1;
            }
            Ok(false)
        })?;
        Ok(rows)
    }

    /// Sends a request about one record.
    fn single(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        self.ask(frame, |body| {
            let (reply, _) = Reply::parse(body).ok().context("the answer has no message")?;
            let result = reply.header.result;
            ensure!(result == ResultCode::OK, "a request ended with {result:?}");
            Ok(true)
        })
    }
}

fn query() -> RequestBuilder {
    let partitions = PartitionId::all();
    let ids: Vec<u8> =
        partitions.flat_map(|partition| (partition.index() as u16).to_le_bytes()).collect();
    RequestBuilder::new()
        .namespace(NAMESPACE)
        .set(SET)
        .info1(Info1::READ | Info1::GET_ALL)
        .info3(Info3::PARTITION_DONE)
        .field(FieldType::PARTITION_IDS, &ids)
}

/// A query for the records whose integer lies in a random range with [`FOUND`] of `records`.
fn query_of_some(records: u64) -> RequestBuilder {
    let width = u64::MAX / records * FOUND;
    let low = i64::MIN.wrapping_add_unsigned(fastrand::u64(..u64::MAX - width));
    let mut range = vec![1, INTEGER_BIN.len() as u8];
    range.extend_from_slice(INTEGER_BIN.as_bytes());
    range.push(ParticleType::INTEGER.0);
    for end in [low, low.wrapping_add_unsigned(width)] {
        range.extend_from_slice(&8u32.to_be_bytes());
        range.extend_from_slice(&end.to_be_bytes());
    }
    query().field(FieldType::INDEX_RANGE, &range)
}

fn about(keys: &KeySpace) -> RequestBuilder {
    let key = keys.key(fastrand::u64(..keys.count()));
    RequestBuilder::new().namespace(NAMESPACE).set(SET).digest(&keys.digest(key))
}

impl SuiteArgs {
    /// Runs all of it and tells the results.
    pub(super) fn run_queries(&self, program: &Path, report: &mut Report) -> anyhow::Result<()> {
        pin_to(self.load_core)?;
        let database = ServerProcess::database(program, self.server_core)?;
        let keys = KeySpace::new(SET, 1, self.keys);
        let bins = Bins(vec![Value::Integer, Value::Blob(100)]);
        insert_all(&self.job_with(&database, &super::LOADS[0], &keys, bins)?)?;
        let figures = &mut report.queries;
        let mut connection = Connection::open(database.address)?;

        let all = query().into_frame();
        figures.push(self.timed("scan, all bins", &database, || connection.query(&all))?);
        let no_bins = query().info1(Info1::READ | Info1::GET_NO_BINS).into_frame();
        figures.push(self.timed("scan, no bins", &database, || connection.query(&no_bins))?);
        figures.push(self.index_build(&database)?);
        let mut once = |frame: Vec<u8>| connection.single(&frame).map(|()| 1);
        figures.push(self.timed("point read", &database, || {
            once(about(&keys).info1(Info1::READ | Info1::GET_ALL).into_frame())
        })?);
        let value = 7u64.to_be_bytes();
        let writing = || about(&keys).info2(Info2::WRITE);
        figures.push(self.timed("write of a bin", &database, || {
            once(writing().op(OpCode::WRITE, ParticleType::INTEGER, b"c", &value).into_frame())
        })?);
        let content = BASE64.encode(MODULE);
        let put = format!("udf-put:filename=b.lua;content-len={};content={content}", content.len());
        ensure!(ask(database.address, &put)? == "ok", "the module was refused");
        let calling = || {
            writing()
                .field(FieldType::UDF_FILENAME, b"b")
                .field(FieldType::UDF_FUNCTION, b"put")
                .field(FieldType::UDF_ARGUMENTS, &[0x91, 7])
        };
        figures.push(
            self.timed("call that writes a bin", &database, || once(calling().into_frame()))?,
        );
        let short = Info1::READ | Info1::GET_ALL | Info1::SHORT_QUERY;
        let mut by_index = Connection::open(database.address)?;
        figures.push(self.timed("query of about 10 records", &database, || {
            let frame = query_of_some(self.keys).info1(short).into_frame();
            by_index.query(&frame).map(|_| 1)
        })?);
        print!("{}", text::queries(figures));
        Ok(())
    }

    /// How long a kind of request takes, which does so many things each time. Repeated for the length of a
    /// round.
    fn timed(
        &self,
        name: &str,
        server: &ServerProcess,
        mut run: impl FnMut() -> anyhow::Result<u64>,
    ) -> anyhow::Result<QueryReport> {
        let (mut took, mut cpu) = (Vec::new(), Vec::new());
        run()?;
        for _ in 0..self.rounds {
            let (begun, before, mut count) = (Instant::now(), server.process().cpu_time()?, 0);
            while begun.elapsed().as_secs_f64() < self.round_seconds {
                count += run()?;
            }
            let micros = |time: Duration| time.as_secs_f64() * 1e6 / count.max(1) as f64;
            took.push(micros(begun.elapsed()));
            cpu.push(micros(server.process().cpu_time()?.since(before).total()));
        }
        QueryReport::of(name, took, cpu).context("no rounds")
    }

    /// How long an index of all records takes, and how much memory.
    fn index_build(&self, server: &ServerProcess) -> anyhow::Result<QueryReport> {
        let name = format!("ns={NAMESPACE};indexname=i");
        let (mut took, mut cpu, mut bytes) = (Vec::new(), Vec::new(), 0.0);
        for round in 0..self.rounds {
            if round > 0 {
                ask(server.address, &format!("sindex-delete:{name}"))?;
            }
            let (begun, before) = (Instant::now(), server.process().cpu_time()?);
            let create = format!("sindex-create:{name};set={SET};indexdata={INTEGER_BIN},numeric");
            ensure!(ask(server.address, &create)? == "ok", "the index was refused");
            let stat = loop {
                let stat = ask(server.address, &format!("sindex-stat:{name}"))?;
                if stat.contains("load_pct=100;") {
                    break stat;
                }
                ensure!(begun.elapsed() < TIMEOUT, "the index is not built: {stat}");
                std::thread::sleep(Duration::from_millis(2));
            };
            let micros = |time: Duration| time.as_secs_f64() * 1e6 / self.keys as f64;
            took.push(micros(begun.elapsed()));
            cpu.push(micros(server.process().cpu_time()?.since(before).total()));
            let number = |name: &str| {
                let mut pairs = stat.split(';').filter_map(|pair| pair.split_once('='));
                pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse::<f64>().ok())
            };
            bytes = number("used_bytes").zip(number("entries")).map_or(0.0, |(a, b)| a / b);
        }
        let name = format!("index build, {bytes:.2} bytes an entry");
        QueryReport::of(&name, took, cpu).context("no rounds")
    }
}
