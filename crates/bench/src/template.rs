//! Requests built once and then only copied and patched.
//!
//! The places to patch are found by building: fields come before operations, and each appended part
//! ends the frame as built so far, so a part's data are the last bytes at that moment.

use wire::batch::{BatchBuilder, BatchFlags};
use wire::client::RequestBuilder;
use wire::{Digest, FieldType, Info1, OpCode, ParticleType};

use crate::bins::{Bins, Value, ValueSource};

/// Where the generation stands in a frame: after the frame's header and six bytes of the message's.
const GENERATION_AT: usize = wire::ProtoHeader::SIZE + 6;

/// A request about one record.
#[derive(Clone, Debug)]
pub struct Template {
    frame: Vec<u8>,
    digest_at: usize,
    key_at: Option<usize>,
    values: Vec<Slot>,
}

/// A value that changes from request to request.
#[derive(Clone, Copy, Debug)]
struct Slot {
    at: usize,
    value: Value,
}

/// Which record, in which namespace and set; the first part of every request.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Namespace name.
    pub namespace: &'a str,
    /// Set name, empty for none.
    pub set: &'a str,
    /// Whether the user key goes along, to be stored.
    pub send_key: bool,
}

impl Template {
    /// A request without operations; `head` has the flags.
    pub fn new(head: RequestBuilder, scope: Scope<'_>) -> Self {
        Self::build(head, scope).0
    }

    /// A request that writes all `bins`, with content from `source`. Unless `fixed`, every request
    /// gets new content.
    pub fn writing(
        head: RequestBuilder,
        scope: Scope<'_>,
        bins: &Bins,
        source: &mut ValueSource,
        fixed: bool,
    ) -> Self {
        let (mut template, mut request) = Self::build(head, scope);
        for (index, &value) in bins.0.iter().enumerate() {
            let mut content = vec![0; value.size_bytes()];
            source.fill(value, &mut content);
            let name = Bins::name(index);
            request = request.op(OpCode::WRITE, value.particle_type(), name.as_bytes(), &content);
            template.frame = request.clone().into_frame();
            if !fixed {
                template.values.push(Slot { at: template.frame.len() - content.len(), value });
            }
        }
        template
    }

    /// A request with these operations.
    pub fn operating(
        head: RequestBuilder,
        scope: Scope<'_>,
        ops: &[(OpCode, ParticleType, &str, &[u8])],
    ) -> Self {
        let (mut template, mut request) = Self::build(head, scope);
        for (code, kind, name, value) in ops {
            request = request.op(*code, *kind, name.as_bytes(), value);
        }
        template.frame = request.into_frame();
        template
    }

    fn build(head: RequestBuilder, scope: Scope<'_>) -> (Self, RequestBuilder) {
        let mut request = head.namespace(scope.namespace);
        if !scope.set.is_empty() {
            request = request.set(scope.set);
        }
        let mut key_at = None;
        if scope.send_key {
            request = request.key(ParticleType::INTEGER, &[0; 8]);
            key_at = Some(request.clone().into_frame().len() - 8);
        }
        request = request.digest(&Digest([0; Digest::SIZE]));
        let frame = request.clone().into_frame();
        let digest_at = frame.len() - Digest::SIZE;
        (Self { frame, digest_at, key_at, values: Vec::new() }, request)
    }

    /// Appends the request about one record.
    pub fn append(&self, out: &mut Vec<u8>, key: u64, digest: &Digest, source: &mut ValueSource) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        let frame = &mut out[start..];
        frame[self.digest_at..][..Digest::SIZE].copy_from_slice(&digest.0);
        if let Some(at) = self.key_at {
            frame[at..][..8].copy_from_slice(&key.to_be_bytes());
        }
        for slot in &self.values {
            source.fill(slot.value, &mut frame[slot.at..][..slot.value.size_bytes()]);
        }
    }

    /// Changes the generation of the request appended last, which starts at `start`.
    pub fn set_generation(out: &mut [u8], start: usize, generation: u32) {
        out[start + GENERATION_AT..][..4].copy_from_slice(&generation.to_be_bytes());
    }
}

/// A batch that reads whole records (`reference` protocol, section 8.1): the first row names
/// namespace, set and flags, the others repeat them.
#[derive(Clone, Debug)]
pub struct BatchTemplate {
    frame: Vec<u8>,
    digests_at: Vec<usize>,
}

impl BatchTemplate {
    /// Answer on the connection's own thread where data are in memory, and answer every row whatever
    /// happens to others. Official clients send both.
    const FLAGS: BatchFlags = BatchFlags::INLINE.union(BatchFlags::RESPOND_ALL);

    /// A batch of `rows` (at least one).
    pub fn reading(scope: Scope<'_>, rows: usize) -> Self {
        let mut request =
            RequestBuilder::new().info1(Info1::READ | Info1::GET_ALL).namespace(scope.namespace);
        if !scope.set.is_empty() {
            request = request.set(scope.set);
        }
        let mut batch = BatchBuilder::new(Self::FLAGS);
        let unknown = Digest([0; Digest::SIZE]);
        let digests_in_data: Vec<_> = (0..rows as u32)
            .map(|index| match index {
                0 => batch.row(index, &unknown, &request),
                _ => batch.repeat(index, &unknown),
            })
            .collect();
        let data = batch.into_data();
        let frame = RequestBuilder::new()
            .info1(Info1::READ | Info1::BATCH)
            .field(FieldType::BATCH, &data)
            .into_frame();
        let data_at = frame.len() - data.len();
        let digests_at = digests_in_data.into_iter().map(|at| data_at + at).collect();
        Self { frame, digests_at }
    }

    /// Appends the batch, with digests from `digest`.
    pub fn append(&self, out: &mut Vec<u8>, mut digest: impl FnMut() -> Digest) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        for &at in &self.digests_at {
            out[start + at..][..Digest::SIZE].copy_from_slice(&digest().0);
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::{Info2, Request};

    use super::*;
    use crate::keys::KeySpace;

    const SCOPE: Scope<'_> = Scope { namespace: "test", set: "testset", send_key: false };

    fn digest(key: u64) -> Digest {
        KeySpace::new("testset", 0, 1).digest(key)
    }

    fn source() -> ValueSource {
        ValueSource::new(&"I,S3,B100".parse().unwrap(), 1)
    }

    #[test]
    fn reading_equals_the_request_built_afresh() {
        for (set, send_key) in [("testset", false), ("", false), ("testset", true), ("", true)] {
            let scope = Scope { set, send_key, ..SCOPE };
            let head = RequestBuilder::new().info1(Info1::READ | Info1::GET_ALL);
            let template = Template::new(head.clone(), scope);
            let mut out = vec![9; 3];
            template.append(&mut out, 77, &digest(77), &mut source());

            let mut built = head.namespace("test");
            if !set.is_empty() {
                built = built.set(set);
            }
            if send_key {
                built = built.key(ParticleType::INTEGER, &77_u64.to_be_bytes());
            }
            assert_eq!(out[3..], built.digest(&digest(77)).into_frame());
        }
    }

    #[test]
    fn writing_equals_the_request_built_afresh() {
        let bins: Bins = "I,S3,2*B100".parse().unwrap();
        for fixed in [true, false] {
            let head = RequestBuilder::new().info2(Info2::WRITE | Info2::GENERATION);
            let template = Template::writing(head.clone(), SCOPE, &bins, &mut source(), fixed);
            let mut out = Vec::new();
            template.append(&mut out, 5, &digest(5), &mut source());
            let start = out.len();
            template.append(&mut out, 6, &digest(6), &mut source());
            Template::set_generation(&mut out, start, 0x0102_0304);

            let request = Request::parse(&out[start + wire::ProtoHeader::SIZE..]).unwrap();
            let mut built = head.generation(0x0102_0304).namespace("test").set("testset");
            built = built.digest(&digest(6));
            for (index, op) in request.ops().enumerate() {
                let value = bins.0[index];
                assert_eq!(op.value.len(), value.size_bytes());
                let name = Bins::name(index);
                built = built.op(OpCode::WRITE, value.particle_type(), name.as_bytes(), op.value);
            }
            assert_eq!(out[start..], built.into_frame());
        }
    }

    #[test]
    fn content_is_fixed_or_new_as_asked() {
        let bins: Bins = "B100".parse().unwrap();
        for fixed in [true, false] {
            let mut source = source();
            let head = RequestBuilder::new().info2(Info2::WRITE);
            let template = Template::writing(head, SCOPE, &bins, &mut source, fixed);
            let [mut a, mut b] = [Vec::new(), Vec::new()];
            template.append(&mut a, 1, &digest(1), &mut source);
            template.append(&mut b, 1, &digest(1), &mut source);
            assert_eq!(a == b, fixed);
        }
    }

    #[test]
    fn operations_follow_the_digest() {
        let head = RequestBuilder::new().info2(Info2::WRITE);
        let ops: [(_, _, _, &[u8]); 1] = [(OpCode::TOUCH, ParticleType::NULL, "", b"")];
        let template = Template::operating(head.clone(), SCOPE, &ops);
        let mut out = Vec::new();
        template.append(&mut out, 1, &digest(1), &mut source());
        let built = head.namespace("test").set("testset").digest(&digest(1));
        let built = built.op(OpCode::TOUCH, ParticleType::NULL, b"", b"");
        assert_eq!(out, built.into_frame());
    }

    #[test]
    fn batch_rows_after_the_first_repeat_it() {
        let template = BatchTemplate::reading(SCOPE, 3);
        let mut keys = 1..;
        let mut out = Vec::new();
        template.append(&mut out, || digest(keys.next().unwrap()));

        let request = Request::parse(&out[wire::ProtoHeader::SIZE..]).unwrap();
        assert_eq!(request.header.info1, Info1::READ | Info1::BATCH);
        let mut expected = vec![0, 0, 0, 3, 0x05];
        expected.extend_from_slice(&[0, 0, 0, 0]);
        expected.extend_from_slice(&digest(1).0);
        expected.extend_from_slice(&[0, 0x03, 0, 2, 0, 0]);
        expected.extend_from_slice(b"\0\0\0\x05\0test\0\0\0\x08\x01testset");
        for row in 1..3 {
            expected.extend_from_slice(&[0, 0, 0, row]);
            expected.extend_from_slice(&digest(u64::from(row) + 1).0);
            expected.push(1);
        }
        assert_eq!(request.field(FieldType::BATCH), Some(&expected[..]));
    }
}
