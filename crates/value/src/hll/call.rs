//! Sketch operations as they are sent (`reference`: bits-hll.md, B3 to B5).

use std::borrow::Cow;
use std::ops::RangeInclusive;

use wire::ResultCode;

use super::sketch::{Element, Shape, Sketch, is_index_bits, is_minhash_bits};
use crate::msgpack::{Malformed, Reader, Token, write};
use crate::operation::{Arguments, Elements as Checked, Policy, malformed, payload};

/// Codes of the operations that modify.
pub(super) const MODIFICATIONS: RangeInclusive<u32> = 0..=4;
/// Codes of the operations that read.
pub(super) const QUESTIONS: RangeInclusive<u32> = 50..=56;

/// An operation that modifies. Bits that are not given are `None`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Modification<'a> {
    Init { index_bits: Option<u8>, minhash_bits: Option<u8> },
    Add { elements: Elements<'a>, index_bits: Option<u8>, minhash_bits: Option<u8> },
    Union(Sketches<'a>),
    RefreshCount,
    Fold { index_bits: Option<u8> },
}

/// An operation that reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question<'a> {
    Count,
    Union(Sketches<'a>),
    UnionCount(Sketches<'a>),
    IntersectCount(Sketches<'a>),
    Similarity(Sketches<'a>),
    Describe,
    MayContain(Elements<'a>),
}

/// An operation whose code is known, but whose arguments are still to be read: between the two the
/// bin is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    code: u32,
    arguments: Arguments<'a>,
}

impl<'a> Call<'a> {
    pub(super) fn parse(
        operation: &'a [u8],
        codes: RangeInclusive<u32>,
    ) -> Result<Self, ResultCode> {
        match Arguments::parse(operation)? {
            (code, arguments) if codes.contains(&code) => Ok(Self { code, arguments }),
            _ => Err(ResultCode::PARAMETER),
        }
    }

    pub(super) fn modification(mut self) -> Result<(Modification<'a>, Policy), ResultCode> {
        const INITIALISING: u64 = Policy::CREATE_ONLY | Policy::UPDATE_ONLY | Policy::NO_FAIL;
        const ADDING: u64 = Policy::CREATE_ONLY | Policy::NO_FAIL;
        const UNITING: u64 = INITIALISING | Policy::ALLOW_FOLD;
        let args = &mut self.arguments;
        let parsed = match self.code {
            0 => {
                let (index_bits, minhash_bits) = bits(args)?;
                (Modification::Init { index_bits, minhash_bits }, args.policy(INITIALISING)?)
            }
            1 => {
                let elements = Elements::parse(args)?;
                let (index_bits, minhash_bits) = bits(args)?;
                let policy = args.policy(ADDING)?;
                (Modification::Add { elements, index_bits, minhash_bits }, policy)
            }
            2 => (Modification::Union(Sketches::parse(args)?), args.policy(UNITING)?),
            3 => (Modification::RefreshCount, Policy::default()),
            4 => {
                let index_bits = given(args.integer()?, is_index_bits)?;
                (Modification::Fold { index_bits }, Policy::default())
            }
            _ => return Err(ResultCode::PARAMETER),
        };
        self.arguments.finish()?;
        Ok(parsed)
    }

    pub(super) fn question(mut self) -> Result<Question<'a>, ResultCode> {
        let args = &mut self.arguments;
        let question = match self.code {
            50 => Question::Count,
            51 => Question::Union(Sketches::parse(args)?),
            52 => Question::UnionCount(Sketches::parse(args)?),
            53 => Question::IntersectCount(Sketches::parse(args)?),
            54 => Question::Similarity(Sketches::parse(args)?),
            55 => Question::Describe,
            56 => Question::MayContain(Elements::parse(args)?),
            _ => return Err(ResultCode::PARAMETER),
        };
        self.arguments.finish()?;
        Ok(question)
    }
}

/// Index bits and minhash bits; those at the end may be left out.
fn bits(args: &mut Arguments<'_>) -> Result<(Option<u8>, Option<u8>), ResultCode> {
    const NOT_GIVEN: u64 = u64::MAX;
    let index_bits = args.optional_integer()?.unwrap_or(NOT_GIVEN);
    let minhash_bits = args.optional_integer()?.unwrap_or(NOT_GIVEN);
    let bits = (given(index_bits, is_index_bits)?, given(minhash_bits, is_minhash_bits)?);
    match bits {
        (Some(index_bits), Some(minhash_bits))
            if Shape::new(index_bits, minhash_bits).is_none() =>
        {
            Err(ResultCode::PARAMETER)
        }
        _ => Ok(bits),
    }
}

/// A number of bits; -1 stands for none given.
fn given(argument: u64, is_legal: fn(u8) -> bool) -> Result<Option<u8>, ResultCode> {
    if argument.cast_signed() == -1 {
        return Ok(None);
    }
    let bits = u8::try_from(argument).ok().filter(|&bits| is_legal(bits));
    bits.map(Some).ok_or(ResultCode::PARAMETER)
}

/// Elements to add or to look for: at least one, none of them a list or a map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'a>(Checked<'a>);

impl<'a> Elements<'a> {
    fn parse(args: &mut Arguments<'a>) -> Result<Self, ResultCode> {
        args.elements(false, |reader| element(reader).map_err(malformed)).map(Self)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Element<'a>> {
        let mut reader = self.0.reader;
        (0..self.0.count).map_while(move |_| element(&mut reader).ok())
    }
}

fn element<'a>(reader: &mut Reader<'a>) -> Result<Element<'a>, Malformed> {
    let head = reader.head()?;
    if matches!(head.token, Token::List(_) | Token::Map(_)) {
        return Err(Malformed);
    }
    if head.is_canonical {
        return Ok(Element(Cow::Borrowed(head.raw)));
    }
    let mut canonical = Vec::with_capacity(head.raw.len());
    write::token(&mut canonical, head.token);
    Ok(Element(Cow::Owned(canonical)))
}

/// Sketches to put together with the bin's: at least one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sketches<'a>(Checked<'a>);

impl<'a> Sketches<'a> {
    fn parse(args: &mut Arguments<'a>) -> Result<Self, ResultCode> {
        args.elements(true, sketch).map(Self)
    }

    pub(super) fn count(self) -> usize {
        self.0.count
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Sketch<'a>> + Clone {
        let mut reader = self.0.reader;
        (0..self.0.count).map_while(move |_| sketch(&mut reader).ok())
    }

    /// These and, last, the bin's.
    pub(super) fn and(self, own: Sketch<'a>) -> impl Iterator<Item = Sketch<'a>> + Clone {
        self.iter().chain([own])
    }
}

fn sketch<'a>(reader: &mut Reader<'a>) -> Result<Sketch<'a>, ResultCode> {
    let bytes = payload(reader.head().map_err(malformed)?.token)?;
    Sketch::parse(bytes).ok_or(ResultCode::PARAMETER)
}
