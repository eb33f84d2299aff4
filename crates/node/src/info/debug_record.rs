//! A look into one record.
//!
//! The names are the original's. What only its index and storage have (tree links, block numbers)
//! is zero.

use config::EngineKind;
use engine::Namespace;
use engine::namespace::Inspected;
use record::body::{Body, BodyWriter, StoredBin};
use wire::{Digest, ParticleType, ResultCode};

use super::call::{Call, Pairs, Refusal, put, put_joined};

/// Most bytes of a digest in hexadecimal.
const DIGEST_BYTES_MAX: usize = 40;
/// Most bytes of a mode.
const MODE_BYTES_MAX: usize = 31;
/// Bytes of which the original counts a record's size.
const BLOCK_BYTES: usize = 16;

/// What of a record is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Metadata, key and bins without values.
    Meta,
    /// The same with values.
    Values,
    /// Metadata, and the stored body under this name.
    Bytes { size: &'static str, bytes: &'static str },
}

pub(super) fn full(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    show(call, out, |call| {
        Ok(match call.optional("mode", MODE_BYTES_MAX)? {
            None => Mode::Values,
            Some(b"pickle") => Mode::Bytes { size: "pickle-size", bytes: "pickle" },
            Some(b"raw" | b"raw-encrypted") => Mode::Bytes { size: "raw-size", bytes: "raw-bytes" },
            Some(_) => return Err(Refusal::parameter("unknown mode")),
        })
    })
}

pub(super) fn meta(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    show(call, out, |_| Ok(Mode::Meta))
}

fn show(
    call: &Call<'_>,
    out: &mut Vec<u8>,
    mode: impl FnOnce(&Call<'_>) -> Result<Mode, Refusal>,
) -> Result<(), Refusal> {
    let namespace = call.namespace()?;
    let digest = call.required("keyd", DIGEST_BYTES_MAX)?;
    let digest = parse_digest(digest).ok_or_else(|| Refusal::parameter("keyd"))?;
    let mode = mode(call)?;
    let shown = namespace.inspect(&digest, |record| {
        put_meta(out, namespace, &digest, record);
        match mode {
            Mode::Meta => put_body(out, record.body, false),
            Mode::Values => put_body(out, record.body, true),
            Mode::Bytes { size, bytes } => {
                let stored = bytes_of(record.body);
                put(out, format_args!(";{size}={};{bytes}=", stored.len()));
                put_hex(out, &stored);
            }
        }
    });
    shown.ok_or_else(|| Refusal::new(ResultCode::NOT_FOUND, "record not found"))
}

fn parse_digest(hex: &[u8]) -> Option<Digest> {
    let mut digest = Digest([0; Digest::SIZE]);
    let (pairs, rest) = hex.as_chunks::<2>();
    if pairs.len() != Digest::SIZE || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in digest.0.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let [high, low] = pair.map(digit);
        *byte = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(digest)
}

/// A body as it lies in memory.
fn bytes_of(body: Body<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = BodyWriter::new(&mut bytes, body.key());
    for bin in body.bins() {
        writer.guided_bin(bin.name, bin.particle_type, bin.value, bin.guide);
    }
    writer.finish();
    bytes
}

fn put_meta(out: &mut Vec<u8>, namespace: &Namespace, digest: &Digest, record: &Inspected<'_>) {
    let Inspected { meta, body, size_bytes } = record;
    put(out, format_args!("pid={};repl-ix=0;index=", digest.partition().index()));
    let (part, part_name) = part_of(namespace, digest);
    let set = namespace.sets.by_id(meta.set);
    let mut pairs = Pairs::new(out, b',');
    pairs.put("rc", 0);
    pairs.put("tree-id", 0);
    pairs.put("color", 0);
    pairs.put("is-orig", 0);
    pairs.put("keyd", digest);
    pairs.put("left", 0);
    pairs.put("right", 0);
    pairs.put("set-id", meta.set.0);
    pairs.put("set-name", String::from_utf8_lossy(set.map_or(b"", |set| &set.name)));
    pairs.put("in-sindex", 0);
    pairs.put("xdr-bin-cemetery", 0);
    pairs.put("xdr-write", u8::from(meta.xdr_write));
    pairs.put("xdr-tombstone", 0);
    pairs.put("xdr-nsup-tombstone", 0);
    pairs.put("void-time", meta.void_time.0);
    pairs.put("lut", meta.last_update_time.0);
    pairs.put("generation", meta.generation.0);
    pairs.put("rblock-id", 0);
    pairs.put("n-rblocks", (size_bytes / BLOCK_BYTES).saturating_sub(1));
    pairs.put("file-id", part);
    let kind = namespace.config().storage_engine.part_name();
    pairs.put(format_args!("{kind}-name"), part_name);
    pairs.put("key-stored", u8::from(body.key().is_some()));
    pairs.put("repl-state", 0);
    pairs.put("tombstone", u8::from(meta.tombstone));
    pairs.put("cenotaph", 0);
    pairs.put("orig-h", 0);
}

/// Number and name of the device, file or stripe that keeps the record; without any, of the stripe
/// in which the original would keep it.
fn part_of(namespace: &Namespace, digest: &Digest) -> (usize, String) {
    let [.., b0, b1, b2, b3, _, _, _, _, _, _, _, _] = digest.0;
    let hash = u32::from_le_bytes([b0, b1, b2, b3]) as usize;
    let config = namespace.config();
    let engine = &config.storage_engine;
    let part = hash.checked_rem(engine.stripe_count()).unwrap_or(0);
    let path = engine.backing().nth(part).filter(|_| engine.kind != EngineKind::Memory);
    let name = path.map_or_else(|| format!("stripe-{part}"), |path| path.path.clone());
    (part, name)
}

fn put_body(out: &mut Vec<u8>, body: Body<'_>, with_values: bool) {
    if let Some((particle_type, key)) = body.key().and_then(<[u8]>::split_first) {
        put(out, format_args!(";key=flat-size={},type={particle_type}", key.len() + 1));
        if with_values {
            put_value(out, ParticleType(*particle_type), key);
        }
    }
    put(out, format_args!(";n-bins={};bins=", body.bin_count()));
    put_joined(out, b':', body.bins(), |out, bin| put_bin(out, &bin, with_values));
}

fn put_bin(out: &mut Vec<u8>, bin: &StoredBin<'_>, with_values: bool) {
    put(out, "bin-name=");
    out.extend_from_slice(bin.name);
    let (state, is_inline) = match bin.particle_type {
        ParticleType::INTEGER => (1, true),
        ParticleType::FLOAT => (4, true),
        ParticleType::BOOL => (5, true),
        _ => (3, false),
    };
    put(
        out,
        format_args!(",xdr-write=0,lut=0,src-id=0,state={state},type={}", bin.particle_type.0),
    );
    if !is_inline {
        put(out, format_args!(",data-size={}", bin.value.len()));
    }
    if with_values {
        put_value(out, bin.particle_type, bin.value);
    }
}

/// Integers as numbers, all else as bytes in hexadecimal.
fn put_value(out: &mut Vec<u8>, particle_type: ParticleType, value: &[u8]) {
    put(out, ",value=");
    match (particle_type, value.as_array::<8>()) {
        (ParticleType::INTEGER, Some(number)) => put(out, i64::from_be_bytes(*number)),
        _ => put_hex(out, value),
    }
}

fn put_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    bytes.iter().for_each(|byte| put(out, format_args!("{byte:02x}")));
}
