//! Operations on one bin, one after the other: what lists, maps, bits and sketches have in common.

use value::cdt::Modified;
use value::cdt::answer::Answer;
use value::from_wire;
use value::msgpack::{Reader, Token};
use wire::{ParticleType, ResultCode};

use super::value::is_exempt;
use super::{Outcome, Target};
use crate::corpus::Corpus;

/// Bytes of a value beyond which it is dropped: inputs must not take longer and longer.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// What the first byte of an input says about the rest.
const READ: u8 = 0;
const MODIFY: u8 = 1;
const WRITE: u8 = 2;

/// An operation that answers about a value.
pub type Read = fn((ParticleType, &[u8]), &[u8]) -> Result<Answer, ResultCode>;
/// An operation that changes a value, if there is one.
pub type Modify = fn(Option<(ParticleType, &[u8])>, &[u8]) -> Result<Modified, ResultCode>;

/// A bin, and the operations of one family on it.
pub struct Bin {
    read: Read,
    modify: Modify,
    value: Option<(ParticleType, Vec<u8>)>,
    /// Whether a step of a context may have made a key for the value. Such keys are not checked as
    /// those of map operations are.
    has_free_keys: bool,
}

impl Bin {
    pub fn new(read: Read, modify: Modify) -> Self {
        Self { read, modify, value: None, has_free_keys: false }
    }

    fn apply(&mut self, action: u8, bytes: &[u8]) -> Result<&'static str, ResultCode> {
        let value = self.value.as_ref().map(|(kind, bytes)| (*kind, &bytes[..]));
        match action {
            READ => {
                let Some(value) = value else { return Ok("nothing to read") };
                check_answer(&(self.read)(value, bytes)?);
                Ok("read")
            }
            MODIFY => {
                let modified = (self.modify)(value, bytes)?;
                check_answer(&modified.answer);
                let Some(bin) = modified.bin else { return Ok("not modified") };
                self.has_free_keys |= has_context(bytes);
                check_stored(&bin, self.has_free_keys);
                self.value = Some(bin);
                Ok("modified")
            }
            WRITE => {
                let (kind, bytes) = bytes.split_first().ok_or(ResultCode::PARAMETER)?;
                let kind = ParticleType(*kind);
                self.value = Some((kind, from_wire(kind, bytes)?.to_vec()));
                self.has_free_keys = false;
                Ok("written")
            }
            _ => {
                self.value = None;
                self.has_free_keys = false;
                Ok("dropped")
            }
        }
    }
}

impl Target for Bin {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        let Some((action, bytes)) = input.split_first() else { return Outcome::of("empty") };
        let result = self.apply(action % 4, bytes);
        if self.value.as_ref().is_some_and(|(_, bytes)| bytes.len() > VALUE_BYTES_MAX) {
            self.value = None;
        }
        if let Err(code) = result {
            assert!(ResultCode::ALL.iter().any(|(known, ..)| *known == code), "{code:?}");
        }
        // An operation begins with its length and its code.
        let code = bytes.get(..2);
        Outcome::of((result.map_err(|code| code.0), code))
    }
}

fn check_answer(answer: &Answer) {
    let Some((kind, bytes)) = answer else { return };
    match *kind {
        ParticleType::LIST | ParticleType::MAP => {
            assert!(value::msgpack::Element::new(bytes).is_ok(), "an answer that is no value");
        }
        kind => assert!(kind.name().is_some(), "an answer of no type: {kind:?}"),
    }
}

/// What an operation leaves in a bin is a value that could have been written.
fn check_stored((kind, bytes): &(ParticleType, Vec<u8>), has_free_keys: bool) {
    let again = from_wire(*kind, bytes);
    if has_free_keys && again.is_err() {
        assert!(value::msgpack::Element::new(bytes).is_ok(), "no value is left in the bin");
    } else {
        assert!(is_exempt(*kind, bytes) || again.as_deref() == Ok(bytes), "{kind:?} {again:?}");
    }
}

/// Whether an operation of a list or map goes along a context: its code is 0xff.
fn has_context(operation: &[u8]) -> bool {
    let mut reader = Reader::new(operation);
    let code = reader.head().and_then(|_| reader.head()).map(|head| head.token);
    code == Ok(Token::Unsigned(0xff))
}

/// Inputs that read, modify and write, from operations of requests with these codes and from
/// recorded requests in the text form of the value crate.
pub fn seeds(corpus: &Corpus, codes: [u8; 2], recorded: &[&str]) -> Vec<Vec<u8>> {
    let requests = corpus.requests.iter().filter_map(|body| wire::Request::parse(body).ok());
    let ops = requests.flat_map(|request| request.ops().collect::<Vec<_>>());
    let of_requests = ops.filter_map(|op| {
        let action = codes.iter().position(|code| *code == op.code.0)?;
        Some([&[action as u8], op.value].concat())
    });
    let mut seeds: Vec<_> = of_requests.collect();
    for text in recorded {
        seeds.extend(text.lines().step_by(7).filter_map(of_line));
    }
    seeds.retain(|seed| seed.len() < 4000);
    seeds
}

/// `write BIN TYPE VALUE`, or an operation: `… BIN VALUE`.
fn of_line(line: &str) -> Option<Vec<u8>> {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["write", _, kind, value] => {
            Some([&[WRITE, kind.parse().ok()?][..], &hexadecimal(value)?].concat())
        }
        [verb, _, value] if verb.ends_with("read") => {
            Some([&[READ][..], &hexadecimal(value)?].concat())
        }
        [verb, _, value] if verb.ends_with("modify") => {
            Some([&[MODIFY][..], &hexadecimal(value)?].concat())
        }
        _ => None,
    }
}

/// Bytes written as hexadecimal digits; `-` is none.
pub fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    if text == "-" {
        return Some(Vec::new());
    }
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
