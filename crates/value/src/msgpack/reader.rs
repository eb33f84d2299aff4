//! Reading msgpack from bytes that nobody vouches for.

use super::{Element, Ext, Flags, Malformed, Token};

/// First byte of an extension value with one byte of payload.
const FIXEXT_1: u8 = 0xd4;

/// A position in msgpack bytes. Reading past a malformed item is pointless: after an error the
/// position is unspecified.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// A [`Token`] with its encoding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head<'a> {
    /// What was read.
    pub token: Token<'a>,
    /// Its bytes; of a container, only the header's.
    pub raw: &'a [u8],
    /// Whether `raw` is what [`super::write`] would have written. The original leaves long byte
    /// strings in the `bin` family, so they count as such too.
    pub is_canonical: bool,
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything is read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads one item: a scalar whole, of a container only the header.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes end early or the first one is reserved.
    pub fn head(&mut self) -> Result<Head<'a>, Malformed> {
        let start = self.rest;
        let [byte] = self.array()?;
        let (token, is_canonical) = match byte {
            0x00..=0x7f => (Token::Unsigned(byte.into()), true),
            0x80..=0x8f => (Token::Map(usize::from(byte & 0x0f)), true),
            0x90..=0x9f => (Token::List(usize::from(byte & 0x0f)), true),
            0xa0..=0xbf => (Token::Bytes(self.take(usize::from(byte & 0x1f))?), true),
            0xc0 => (Token::Nil, true),
            0xc1 => return Err(Malformed),
            0xc2 | 0xc3 => (Token::Bool(byte == 0xc3), true),
            0xc4 | 0xd9 => self.bytes::<1>(0x1f)?,
            0xc5 | 0xda => self.bytes::<2>(0xff)?,
            0xc6 | 0xdb => self.bytes::<4>(0xffff)?,
            0xc7 => self.ext::<1>()?,
            0xc8 => self.ext::<2>()?,
            0xc9 => self.ext::<4>()?,
            0xca => (Token::Double(f32::from_be_bytes(self.array()?).into()), true),
            0xcb => (Token::Double(f64::from_be_bytes(self.array()?)), true),
            0xcc => self.unsigned::<1>(0x7f)?,
            0xcd => self.unsigned::<2>(0xff)?,
            0xce => self.unsigned::<4>(0xffff)?,
            0xcf => self.unsigned::<8>(0xffff_ffff)?,
            0xd0 => self.signed::<1>(-0x20)?,
            0xd1 => self.signed::<2>(i8::MIN.into())?,
            0xd2 => self.signed::<4>(i16::MIN.into())?,
            0xd3 => self.signed::<8>(i32::MIN.into())?,
            0xd4..=0xd8 => (self.ext_of_size(1 << (byte - FIXEXT_1))?, true),
            0xdc => self.list::<2>(0x0f)?,
            0xdd => self.list::<4>(0xffff)?,
            0xde => self.map::<2>(0x0f)?,
            0xdf => self.map::<4>(0xffff)?,
            0xe0..=0xff => (Token::Negative(i64::from(byte.cast_signed())), true),
        };
        let raw = &start[..start.len() - self.rest.len()];
        Ok(Head { token, raw, is_canonical })
    }

    /// Reads one whole value, containers with all their elements.
    ///
    /// # Errors
    /// [`Malformed`] when it is not complete or not msgpack.
    pub fn element(&mut self) -> Result<Element<'a>, Malformed> {
        let start = self.rest;
        // A declared count only says how long to go on; each turn uses up at least one byte.
        let mut pending = 1_usize;
        while pending > 0 {
            let contained = self.skip()?;
            pending = (pending - 1).checked_add(contained).ok_or(Malformed)?;
        }
        Ok(self.element_since(start))
    }

    /// Moves past one item and returns how many items follow that belong to it. It is what
    /// [`Reader::head`] does without looking at what the item says, for walking over many.
    fn skip(&mut self) -> Result<usize, Malformed> {
        let [byte] = self.array()?;
        let size = match byte {
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => return Ok(0),
            0x80..=0x8f => return Ok(2 * usize::from(byte & 0x0f)),
            0x90..=0x9f => return Ok(usize::from(byte & 0x0f)),
            0xa0..=0xbf => usize::from(byte & 0x1f),
            0xcc | 0xd0 => 1,
            0xcd | 0xd1 => 2,
            0xca | 0xce | 0xd2 => 4,
            0xcb | 0xcf | 0xd3 => 8,
            0xc4 | 0xd9 => self.size::<1>()?,
            0xc5 | 0xda => self.size::<2>()?,
            0xc6 | 0xdb => self.size::<4>()?,
            // The type of an extension value is one byte more.
            0xc7 => self.size::<1>()? + 1,
            0xc8 => self.size::<2>()? + 1,
            0xc9 => self.size::<4>()?.checked_add(1).ok_or(Malformed)?,
            0xd4..=0xd8 => (1 << (byte - FIXEXT_1)) + 1,
            0xdc => return self.size::<2>(),
            0xdd => return self.size::<4>(),
            0xde => return Ok(2 * self.size::<2>()?),
            0xdf => return self.size::<4>()?.checked_mul(2).ok_or(Malformed),
            0xc1 => return Err(Malformed),
        };
        self.take(size)?;
        Ok(0)
    }

    /// The value between an earlier [`Reader::rest`] of this reader and its position, which the
    /// caller has just read whole.
    pub(crate) fn element_since(&self, start: &'a [u8]) -> Element<'a> {
        Element(&start[..start.len() - self.rest.len()])
    }

    /// Reads the extension value at the head of a container, if there is one; call it right after
    /// a container's header that declares at least one item. Of a map the pair's value remains.
    ///
    /// The comparison values are elements even here, and so is anything in the form of an
    /// extension with one byte of payload: the original tells the two apart by that form.
    ///
    /// # Errors
    /// [`Malformed`] when the item at the head is.
    pub fn order_ext(&mut self) -> Result<Option<Head<'a>>, Malformed> {
        if !matches!(self.rest.first(), Some(0xc7..=0xc9 | 0xd5..=0xd8)) {
            return Ok(None);
        }
        let before = *self;
        let head = self.head()?;
        match head.token {
            Token::Ext(ext) if ext != Ext::WILDCARD && ext != Ext::INFINITY => Ok(Some(head)),
            _ => {
                *self = before;
                Ok(None)
            }
        }
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(size).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn uint<const N: usize>(&mut self) -> Result<u64, Malformed> {
        Ok(self.array::<N>()?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    fn size<const N: usize>(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.uint::<N>()?).map_err(|_| Malformed)
    }

    /// `shorter_max` is, here and below, the greatest value that a shorter form could hold.
    fn unsigned<const N: usize>(
        &mut self,
        shorter_max: u64,
    ) -> Result<(Token<'a>, bool), Malformed> {
        let value = self.uint::<N>()?;
        Ok((Token::Unsigned(value), value > shorter_max))
    }

    fn signed<const N: usize>(&mut self, shorter_min: i64) -> Result<(Token<'a>, bool), Malformed> {
        let unused_bits = 64 - 8 * N as u32;
        let value = (self.uint::<N>()? << unused_bits).cast_signed() >> unused_bits;
        Ok(match u64::try_from(value) {
            Ok(value) => (Token::Unsigned(value), false),
            Err(_) => (Token::Negative(value), value < shorter_min),
        })
    }

    fn bytes<const N: usize>(
        &mut self,
        shorter_max: usize,
    ) -> Result<(Token<'a>, bool), Malformed> {
        let size = self.size::<N>()?;
        Ok((Token::Bytes(self.take(size)?), size > shorter_max))
    }

    fn list<const N: usize>(&mut self, shorter_max: usize) -> Result<(Token<'a>, bool), Malformed> {
        let count = self.size::<N>()?;
        Ok((Token::List(count), count > shorter_max))
    }

    fn map<const N: usize>(&mut self, shorter_max: usize) -> Result<(Token<'a>, bool), Malformed> {
        let pairs = self.size::<N>()?;
        Ok((Token::Map(pairs), pairs > shorter_max))
    }

    fn ext<const N: usize>(&mut self) -> Result<(Token<'a>, bool), Malformed> {
        let size = self.size::<N>()?;
        let is_canonical = match N {
            1 => !matches!(size, 1 | 2 | 4 | 8 | 16),
            2 => size > 0xff,
            _ => size > 0xffff,
        };
        Ok((self.ext_of_size(size)?, is_canonical))
    }

    fn ext_of_size(&mut self, size: usize) -> Result<Token<'a>, Malformed> {
        let [kind] = self.array()?;
        Ok(Token::Ext(Ext { kind, data: self.take(size)? }))
    }
}

impl Head<'_> {
    /// The flags of an extension value that [`Reader::order_ext`] returned.
    pub fn order_flags(&self) -> Flags {
        match self.token {
            Token::Ext(ext) => Flags(ext.kind),
            _ => Flags::NONE,
        }
    }
}
