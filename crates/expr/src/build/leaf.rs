//! Literals, and operations whose parameters are all static.

use value::geo;
use value::msgpack::{Ext, Head, Token};
use wire::ParticleType;
use wire::message::BIN_NAME_BYTES_MAX;

use super::{BYTES_BYTES, Builder, Kind, PLAIN_BYTES, require};
use crate::Invalid;
use crate::posix::{self, Flags};
use crate::program::{GeoLiteral, Literal, Op, Span};
use crate::types::Type;

/// Compiled sizes in the original's arithmetic, which counts booleans as if they were bytes.
const NUMBER_BYTES: usize = 16;
const GEO_BYTES: usize = 40;
const MATCHES_BYTES: usize = 80;
const STATIC_BYTES: usize = 12;

/// First byte of an extension value with one byte of payload.
const FIXEXT_1: u8 = 0xd4;

impl Builder<'_> {
    /// Builds a value that stands for itself, of which the head was read.
    pub(super) fn literal(&mut self, head: &Head<'_>) -> Result<Kind, Invalid> {
        let (literal, size_bytes, kind) = match head.token {
            Token::Nil => (Literal::Nil, PLAIN_BYTES, Kind::Of(Type::Nil)),
            Token::Bool(value) => (Literal::Bool(value), BYTES_BYTES, Kind::Of(Type::Bool)),
            Token::Unsigned(value) => {
                (Literal::Int(value.cast_signed()), NUMBER_BYTES, Kind::Of(Type::Int))
            }
            Token::Negative(value) => (Literal::Int(value), NUMBER_BYTES, Kind::Of(Type::Int)),
            Token::Double(value) => (Literal::Float(value), NUMBER_BYTES, Kind::Of(Type::Float)),
            Token::Bytes(payload) => return self.bytes_literal(head, payload),
            Token::Map(pairs) => {
                let contents = self.skip(pairs.checked_mul(2).ok_or(Invalid)?)?;
                let span = self.just_read(head.raw.len() + contents);
                (Literal::Map(span), BYTES_BYTES, Kind::Of(Type::Map))
            }
            Token::Ext(ext) => {
                check_ext(head, &ext)?;
                let span = self.just_read(head.raw.len());
                (Literal::Opaque(span), BYTES_BYTES, Kind::Opaque)
            }
            Token::List(_) => return Err(Invalid),
        };
        self.leaf(Op::Literal(literal), size_bytes, kind)
    }

    fn bytes_literal(&mut self, head: &Head<'_>, payload: &[u8]) -> Result<Kind, Invalid> {
        let (particle_type, contents) = payload.split_first().ok_or(Invalid)?;
        let span = self.just_read(contents.len());
        let (literal, size_bytes, literal_type) = match ParticleType(*particle_type) {
            ParticleType::STRING => (Literal::Str(span), BYTES_BYTES, Type::Str),
            ParticleType::BLOB => (Literal::Blob(span), BYTES_BYTES, Type::Blob),
            ParticleType::HLL => (Literal::Hll(span), BYTES_BYTES, Type::Hll),
            ParticleType::GEOJSON => {
                let geometry =
                    geo::parse(contents, geo::EARTH_RADIUS_METERS).map_err(|_| Invalid)?;
                let packed = self.just_read(head.raw.len());
                let literal = Box::new(GeoLiteral { text: span, packed, geometry });
                (Literal::GeoJson(literal), GEO_BYTES, Type::GeoJson)
            }
            _ => return Err(Invalid),
        };
        self.leaf(Op::Literal(literal), size_bytes, Kind::Of(literal_type))
    }

    /// Builds a list that stands for itself, not for an operation.
    pub(super) fn quote(&mut self) -> Result<Kind, Invalid> {
        let list = self.reader.element()?;
        require(matches!(list.reader().head()?.token, Token::List(_)))?;
        let span = self.just_read(list.bytes().len());
        self.leaf(Op::Literal(Literal::List(span)), BYTES_BYTES, Kind::Of(Type::List))
    }

    /// Builds a search for a pattern.
    pub(super) fn matches(&mut self) -> Result<Kind, Invalid> {
        let flags = Flags::of(self.integer()?);
        let pattern = self.raw_bytes()?;
        let regex = posix::compile(pattern, flags, &mut self.pattern_budget)?;
        let at = self.open(Op::Matches(Box::new(regex)), MATCHES_BYTES)?;
        self.expression_of(Type::Str)?;
        self.close(at);
        Ok(Kind::Of(Type::Bool))
    }

    pub(super) fn digest_modulo(&mut self) -> Result<Kind, Invalid> {
        let modulus = self.integer()? as i32;
        require(modulus != 0)?;
        self.leaf(Op::DigestModulo(modulus), STATIC_BYTES, Kind::Of(Type::Int))
    }

    pub(super) fn key(&mut self) -> Result<Kind, Invalid> {
        let key_type = self.static_type()?;
        require(matches!(key_type, Type::Int | Type::Str | Type::Blob))?;
        self.needs_record = true;
        self.leaf(Op::Key(key_type), STATIC_BYTES, Kind::Of(key_type))
    }

    pub(super) fn bin(&mut self) -> Result<Kind, Invalid> {
        let bin_type = self.static_type()?;
        let name = self.bin_name()?;
        self.needs_record = true;
        self.leaf(Op::Bin(bin_type, name), BYTES_BYTES, Kind::Of(bin_type))
    }

    pub(super) fn bin_type(&mut self) -> Result<Kind, Invalid> {
        let name = self.bin_name()?;
        self.needs_record = true;
        self.leaf(Op::BinType(name), BYTES_BYTES, Kind::Of(Type::Int))
    }

    /// Reads the number of a type.
    pub(super) fn static_type(&mut self) -> Result<Type, Invalid> {
        Type::of(self.integer()?).ok_or(Invalid)
    }

    fn bin_name(&mut self) -> Result<Span, Invalid> {
        let name = self.raw_bytes()?;
        require(name.len() <= BIN_NAME_BYTES_MAX && !name.contains(&0))?;
        Ok(self.just_read(name.len()))
    }

    /// Skips values; returns how many bytes they are.
    fn skip(&mut self, values: usize) -> Result<usize, Invalid> {
        let before = self.reader.rest().len();
        for _ in 0..values {
            self.reader.element()?;
        }
        Ok(before - self.reader.rest().len())
    }
}

/// In the form with one byte of payload, only the values of comparisons are extension values.
pub(super) fn check_ext(head: &Head<'_>, ext: &Ext<'_>) -> Result<(), Invalid> {
    let is_known = *ext == Ext::WILDCARD || *ext == Ext::INFINITY;
    require(is_known || head.raw.first() != Some(&FIXEXT_1))
}
