//! Functions that the original ran, run again on records in memory: the values that they return,
//! the texts of their errors, and what becomes of the record.
//!
//! What concerns the request rather than the function (filters, policies, keys) is left to whoever
//! replays the recordings against a node: such steps are skipped where the original refused them.

mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::Value;
use support::{Record, Watch};
use udf::{Call, Limits, Modules, Outcome, Particle, RecordAccess, Reply};
use wire::{FieldType, OpCode, ParticleType, Request, ResultCode};

/// Where the original kept its modules.
const USER_PATH: &str = "/opt/golden/udf";
/// Bytes of a frame before its body.
const FRAME_HEADER_BYTES: usize = 8;
/// Functions whose answer is the stored size, of which this crate knows nothing.
const SIZES: [&[u8]; 3] = [b"rsize", b"rmem", b"rdev"];

struct Step {
    request: Vec<u8>,
    replies: Vec<Vec<u8>>,
}

struct Recording {
    modules: Modules,
    /// What the requests before the first case wrote.
    records: Vec<Record>,
    cases: Vec<Vec<Step>>,
}

fn body(frame: &Value) -> Vec<u8> {
    STANDARD.decode(frame.as_str().unwrap()).unwrap().split_off(FRAME_HEADER_BYTES)
}

fn bodies(reply: &Value) -> Vec<Vec<u8>> {
    match reply {
        Value::Array(frames) => frames.iter().map(body).collect(),
        Value::String(text) if text.starts_with('<') => Vec::new(),
        frame => vec![body(frame)],
    }
}

fn load() -> Recording {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/testdata/golden/udf.jsonl.gz");
    let lines = BufReader::new(GzDecoder::new(File::open(path).unwrap())).lines();
    let limits = Limits { user_path: USER_PATH.to_owned(), ..Limits::default() };
    let mut recording =
        Recording { modules: Modules::new(limits), records: Vec::new(), cases: Vec::new() };
    for line in lines {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if let Some(setup) = line.get("setup") {
            set_up(&mut recording, &body(&setup["req"]));
        } else if line.get("case").is_some() {
            let steps = line["steps"].as_array().unwrap().iter();
            let step = |step: &Value| Step {
                request: body(&step["req"]),
                replies: bodies(&step["reply"]),
            };
            recording.cases.push(steps.map(step).collect());
        }
    }
    recording
}

fn set_up(recording: &mut Recording, body: &[u8]) {
    if let Some(rest) = body.strip_prefix(b"udf-put:") {
        let text = String::from_utf8(rest.to_vec()).unwrap();
        let parameter = |name: &str| {
            let parts = text.trim_end().split(';');
            parts.filter_map(|part| part.split_once('=')).find(|(n, _)| *n == name).unwrap().1
        };
        let source = STANDARD.decode(parameter("content")).unwrap();
        let file = parameter("filename");
        recording.modules.check(file, &source, Watch::new(Duration::from_secs(5))).unwrap();
        recording.modules.put(file, &source);
    } else if let Ok(request) = Request::parse(body)
        && request.ops().count() > 0
    {
        let mut record = Record::default();
        write(&mut record, &request);
        recording.records.push(record);
    }
}

/// Carries out a plain write; says whether it is one.
fn write(record: &mut Record, request: &Request<'_>) -> bool {
    for op in request.ops() {
        if op.code != OpCode::WRITE {
            return false;
        }
        let value = match op.particle_type {
            ParticleType::NULL => None,
            kind => match value::from_wire(kind, op.value) {
                Ok(stored) => Some((kind, stored.to_vec())),
                Err(_) => return false,
            },
        };
        record.write_bin(op.name, value);
    }
    record.digest = request.digest.unwrap().try_into().unwrap();
    record.set = request.set.map(<[u8]>::to_vec);
    if let Some((&kind, key)) = request.key.and_then(<[u8]>::split_first) {
        record.key = Some((ParticleType(kind), key.to_vec()));
    }
    record.info.generation += 1;
    record.info.last_update_time_ms = 1;
    true
}

fn call<'a>(request: &'a Request<'a>) -> Option<Call<'a>> {
    Some(Call {
        module: std::str::from_utf8(request.field(FieldType::UDF_FILENAME)?).ok()?,
        function: request.field(FieldType::UDF_FUNCTION)?,
        arguments: request.field(FieldType::UDF_ARGUMENTS).unwrap_or_default(),
    })
}

/// What a reply says of a call.
fn recorded(body: &[u8]) -> (ResultCode, Option<(Vec<u8>, Particle)>) {
    let (reply, _) = wire::client::Reply::parse(body).unwrap();
    let value = reply.ops().next().map(|op| {
        let value = Particle { kind: op.particle_type, bytes: op.value.to_vec() };
        (op.name.to_vec(), value)
    });
    (reply.header.result, value)
}

fn told(outcome: &Outcome) -> (ResultCode, Option<(Vec<u8>, Particle)>) {
    match &outcome.reply {
        Reply::Success(value) => (ResultCode::OK, Some((b"SUCCESS".to_vec(), value.clone()))),
        Reply::Failure(text) => {
            let value = Particle::string(text.clone());
            (ResultCode::UDF_EXECUTION, Some((b"FAILURE".to_vec(), value)))
        }
        Reply::Code(code) => (*code, None),
    }
}

/// Bins by name, for comparison.
fn sorted(bins: impl Iterator<Item = (Vec<u8>, ParticleType, Vec<u8>)>) -> Vec<support::Bin> {
    let mut bins: Vec<_> = bins.collect();
    bins.sort_by(|a, b| a.0.cmp(&b.0));
    bins
}

struct Tally {
    compared: usize,
    wrong: Vec<String>,
}

fn show(value: &Option<(Vec<u8>, Particle)>) -> String {
    match value {
        Some((name, value)) => format!(
            "{} {:?} {}",
            String::from_utf8_lossy(name),
            value.kind,
            value.bytes.escape_ascii()
        ),
        None => "nothing".to_owned(),
    }
}

/// Runs one case; ends it at the first step that this test does not know.
fn run_case(recording: &Recording, number: usize, steps: &[Step], tally: &mut Tally) {
    let mut record = Record::default();
    for step in steps {
        let Ok(request) = Request::parse(&step.request) else { return };
        let [reply] = &*step.replies else { return };
        let (code, value) = recorded(reply);
        record.digest = request.digest.and_then(|d| d.try_into().ok()).unwrap_or_default();
        record.set = request.set.map(<[u8]>::to_vec).filter(|_| record.exists).or(record.set);
        if let Some(call) = call(&request) {
            let is_about_request = value.is_none() && code != ResultCode::NOT_FOUND;
            if is_about_request {
                continue;
            }
            let (time_to_live, _) = wire::client::Reply::parse(reply).unwrap();
            record.info.ttl_seconds = time_to_live.header.record_ttl.min(1000);
            let host = Watch::new(Duration::from_millis(500));
            let outcome = recording.modules.apply(call, Box::new(record.clone()), host);
            tally.compared += 1;
            let told = told(&outcome);
            let is_same = code == ResultCode::NOT_FOUND || told == (code, value.clone());
            if !is_same && !SIZES.contains(&call.function) {
                tally.wrong.push(format!(
                    "case {number} {}.{}: {} {}, recorded {} {}",
                    call.module,
                    call.function.escape_ascii(),
                    told.0.0,
                    show(&told.1),
                    code.0,
                    show(&value),
                ));
            }
            if let Some(write) = outcome.write {
                if !record.exists {
                    record.set = request.set.map(<[u8]>::to_vec);
                    record.key = None;
                }
                record.info.last_update_time_ms = 1;
                record.carry_out(write);
                if let Some((&kind, key)) = request.key.and_then(<[u8]>::split_first)
                    && record.exists
                    && record.key.is_none()
                    && call.function != b"drop_key"
                {
                    record.key = Some((ParticleType(kind), key.to_vec()));
                }
            }
        } else if request.ops().next().is_some() {
            if code != ResultCode::OK || !write(&mut record, &request) {
                return;
            }
        } else if matches!(code, ResultCode::OK | ResultCode::NOT_FOUND) {
            compare_bins(number, &record, reply, tally);
        }
    }
}

fn compare_bins(number: usize, record: &Record, reply: &[u8], tally: &mut Tally) {
    let (reply, _) = wire::client::Reply::parse(reply).unwrap();
    let recorded =
        sorted(reply.ops().map(|op| (op.name.to_vec(), op.particle_type, op.value.to_vec())));
    let ours = sorted(record.bins.iter().cloned());
    tally.compared += 1;
    // Coverings of regions may differ.
    let is_same = recorded.len() == ours.len()
        && recorded
            .iter()
            .zip(&ours)
            .all(|(a, b)| a.0 == b.0 && a.1 == b.1 && (a.2 == b.2 || a.1 == ParticleType::GEOJSON));
    if !is_same {
        tally.wrong.push(format!("case {number}: bins {ours:02x?}, recorded {recorded:02x?}"));
    }
}

#[test]
fn functions_answer_as_recorded() {
    let recording = load();
    let mut tally = Tally { compared: 0, wrong: Vec::new() };
    for (number, steps) in recording.cases.iter().enumerate() {
        run_case(&recording, number, steps, &mut tally);
    }
    assert!(tally.compared > 900, "{} compared", tally.compared);
    assert!(tally.wrong.is_empty(), "{} wrong:\n{}", tally.wrong.len(), tally.wrong.join("\n"));
}

/// The values of a stream over all records of the set-up, partition by partition.
fn aggregate(recording: &Recording, call: Call<'_>) -> (Vec<Particle>, Option<Vec<u8>>) {
    let mut partitions: BTreeMap<u16, Vec<&Record>> = BTreeMap::new();
    for record in &recording.records {
        let partition = u16::from_le_bytes([record.digest[0], record.digest[1]]) & 0x0fff;
        partitions.entry(partition).or_default().push(record);
    }
    let mut values = Vec::new();
    for mut records in partitions.into_values() {
        // In the order of a partition.
        records.sort_by_key(|record| std::cmp::Reverse(record.digest));
        let mut records = records.into_iter();
        let mut source =
            || records.next().map(|record| Box::new(record.clone()) as Box<dyn RecordAccess>);
        let mut sink = |value| {
            values.push(value);
            true
        };
        let host = Watch::new(Duration::from_secs(5));
        if let Err(failure) = recording.modules.aggregate(call, &mut source, &mut sink, host) {
            return (values, Some(failure.text()));
        }
    }
    (values, None)
}

fn sort_values(values: &mut [Particle]) {
    values.sort_by(|a, b| (a.kind, &a.bytes).cmp(&(b.kind, &b.bytes)));
}

#[test]
fn streams_answer_as_recorded() {
    let recording = load();
    let mut compared = 0;
    for step in recording.cases.iter().flatten() {
        let Ok(request) = Request::parse(&step.request) else { continue };
        let is_stream = request.field(FieldType::UDF_OP) == Some(&[1]) && request.digest.is_none();
        let is_over_index = request.field(FieldType::INDEX_RANGE).is_some();
        let Some(call) = call(&request).filter(|_| is_stream && !is_over_index) else { continue };
        let (mut values, failure) = aggregate(&recording, call);
        let rows: Vec<_> =
            step.replies.iter().flat_map(|frame| rows(frame)).filter_map(|row| row).collect();
        let (failures, mut wanted): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(name, _)| name == b"FAILURE");
        let wanted_failure = failures.into_iter().next().map(|(_, value)| value.bytes);
        let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(|b| b.escape_ascii().to_string());
        assert_eq!(text(&failure), text(&wanted_failure), "{call:?}");
        if failure.is_none() {
            let mut wanted: Vec<_> = wanted.drain(..).map(|(_, value)| value).collect();
            sort_values(&mut wanted);
            sort_values(&mut values);
            assert_eq!(values, wanted, "{call:?}");
        }
        compared += 1;
    }
    assert!(compared >= 9, "{compared} compared");
}

/// The first bin of each message of a frame, if there is one.
fn rows(mut body: &[u8]) -> Vec<Option<(Vec<u8>, Particle)>> {
    let mut rows = Vec::new();
    while let Ok((reply, rest)) = wire::client::Reply::parse(body) {
        rows.push(reply.ops().next().map(|op| {
            let value = Particle { kind: op.particle_type, bytes: op.value.to_vec() };
            (op.name.to_vec(), value)
        }));
        body = rest;
        if body.is_empty() {
            break;
        }
    }
    rows
}
