//! Values while an expression is evaluated.

use std::ops::Deref;
use std::rc::Rc;

use value::StoredBytes;
use value::geo::{self, Geometry};
use value::msgpack::write;
use wire::ParticleType;

use crate::types::Type;

/// An expression has no value for this record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

/// A bin's value: its type and its stored bytes; `None` is nil.
pub type Particle<'v> = Option<(ParticleType, StoredBytes<'v>)>;

/// Bytes of a value: cheap to copy, because variables are used more than once.
#[derive(Clone, Debug)]
pub(crate) enum Bytes<'v> {
    /// Part of the record or of the expression.
    Borrowed(&'v [u8]),
    /// Made by a call.
    Made(Rc<Vec<u8>>),
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Made(bytes) => bytes,
        }
    }
}

impl<'v> From<&'v [u8]> for Bytes<'v> {
    fn from(bytes: &'v [u8]) -> Self {
        Self::Borrowed(bytes)
    }
}

impl From<Vec<u8>> for Bytes<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Made(Rc::new(bytes))
    }
}

impl<'v> From<Bytes<'v>> for StoredBytes<'v> {
    fn from(bytes: Bytes<'v>) -> Self {
        match bytes {
            Bytes::Borrowed(bytes) => Self::Borrowed(bytes),
            Bytes::Made(bytes) => Self::Owned(Rc::unwrap_or_clone(bytes)),
        }
    }
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value<'v> {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Bytes<'v>),
    Blob(Bytes<'v>),
    Hll(Bytes<'v>),
    GeoJson(Geo<'v>),
    List(Bytes<'v>),
    Map(Bytes<'v>),
    /// A packed extension value.
    Opaque(&'v [u8]),
}

/// A geo value.
#[derive(Clone, Debug)]
pub(crate) enum Geo<'v> {
    /// As it stands in the expression, read when that was built.
    Literal { text: &'v [u8], packed: &'v [u8], geometry: &'v Geometry },
    /// As bins hold it.
    Stored(Bytes<'v>),
}

impl<'v> Value<'v> {
    /// A bin's value, or a call's, that is known to be of this type.
    pub fn from_particle(value_type: Type, bytes: Bytes<'v>) -> Result<Self, Unknown> {
        Ok(match value_type {
            Type::Nil => Self::Nil,
            Type::Bool => Self::Bool(*bytes.first().ok_or(Unknown)? != 0),
            Type::Int | Type::Float => {
                return Self::from_word(value_type, (&*bytes).try_into().map_err(|_| Unknown)?);
            }
            Type::Str => Self::Str(bytes),
            Type::Blob => Self::Blob(bytes),
            Type::Hll => Self::Hll(bytes),
            Type::GeoJson => Self::GeoJson(Geo::Stored(bytes)),
            Type::List => Self::List(bytes),
            Type::Map => Self::Map(bytes),
        })
    }

    /// A number in the form in which bins hold it.
    pub fn from_word(value_type: Type, word: [u8; 8]) -> Result<Self, Unknown> {
        match value_type {
            Type::Int => Ok(Self::Int(i64::from_be_bytes(word))),
            Type::Float => Ok(Self::Float(f64::from_be_bytes(word))),
            _ => Err(Unknown),
        }
    }

    /// The value as a bin holds it.
    ///
    /// # Errors
    /// [`Unknown`] for what no bin can hold.
    pub fn into_particle(self) -> Result<Particle<'v>, Unknown> {
        let (particle_type, bytes) = match self {
            Self::Nil => return Ok(None),
            Self::Bool(value) => {
                let byte: &[u8] = if value { &[1] } else { &[0] };
                (ParticleType::BOOL, StoredBytes::Borrowed(byte))
            }
            Self::Int(value) => (ParticleType::INTEGER, StoredBytes::Word(value.to_be_bytes())),
            Self::Float(value) => (ParticleType::FLOAT, StoredBytes::Word(value.to_be_bytes())),
            Self::Str(bytes) => (ParticleType::STRING, bytes.into()),
            Self::Blob(bytes) => (ParticleType::BLOB, bytes.into()),
            Self::Hll(bytes) => (ParticleType::HLL, bytes.into()),
            Self::GeoJson(geo) => (ParticleType::GEOJSON, geo.into_stored()?),
            Self::List(bytes) => (ParticleType::LIST, bytes.into()),
            Self::Map(bytes) => (ParticleType::MAP, bytes.into()),
            Self::Opaque(_) => return Err(Unknown),
        };
        Ok(Some((particle_type, bytes)))
    }

    /// The value as something that an operation can be called on; `None` is no value yet.
    ///
    /// # Errors
    /// [`Unknown`] for what no operation works on.
    pub fn as_target(&self) -> Result<Option<(ParticleType, &[u8])>, Unknown> {
        match self {
            Self::Nil => Ok(None),
            Self::Blob(bytes) => Ok(Some((ParticleType::BLOB, bytes))),
            Self::Hll(bytes) => Ok(Some((ParticleType::HLL, bytes))),
            Self::List(bytes) => Ok(Some((ParticleType::LIST, bytes))),
            Self::Map(bytes) => Ok(Some((ParticleType::MAP, bytes))),
            _ => Err(Unknown),
        }
    }

    /// Appends the value as a parameter of a call.
    pub fn write_packed(&self, out: &mut Vec<u8>) -> Result<(), Unknown> {
        match self {
            Self::Nil => write::nil(out),
            Self::Bool(value) => write::boolean(out, *value),
            Self::Int(value) => write::integer(out, *value),
            Self::Float(value) => write::double(out, *value),
            Self::Str(bytes) => write_bytes(out, ParticleType::STRING, bytes),
            Self::Blob(bytes) => write_bytes(out, ParticleType::BLOB, bytes),
            Self::Hll(bytes) => write_bytes(out, ParticleType::HLL, bytes),
            Self::GeoJson(Geo::Literal { packed, .. }) => out.extend_from_slice(packed),
            Self::GeoJson(Geo::Stored(stored)) => {
                write_bytes(out, ParticleType::GEOJSON, geo::text(stored).ok_or(Unknown)?);
            }
            Self::List(bytes) | Self::Map(bytes) => out.extend_from_slice(bytes),
            Self::Opaque(bytes) => out.extend_from_slice(bytes),
        }
        Ok(())
    }
}

impl<'v> Geo<'v> {
    fn into_stored(self) -> Result<StoredBytes<'v>, Unknown> {
        match self {
            Self::Stored(bytes) => Ok(bytes.into()),
            Self::Literal { text, .. } => Ok(StoredBytes::Owned(stored_geo(text)?)),
        }
    }

    /// Whether one of the two is a point and lies within the other, a region.
    pub fn is_within(&self, other: &Self) -> Result<bool, Unknown> {
        Ok(match (&*self.geometry()?, &*other.geometry()?) {
            (Geometry::Point(cell), Geometry::Region(region))
            | (Geometry::Region(region), Geometry::Point(cell)) => region.contains(*cell),
            _ => false,
        })
    }

    fn geometry(&self) -> Result<Described<'_>, Unknown> {
        match self {
            Self::Literal { geometry, .. } => Ok(Described::Before(geometry)),
            Self::Stored(stored) => match geo::cells(stored).next() {
                // The one cell of a stored point is all there is to know of it.
                Some(cell) if !geo::is_region(stored) => Ok(Described::Now(Geometry::Point(cell))),
                _ => {
                    let text = geo::text(stored).ok_or(Unknown)?;
                    let geometry = geo::parse(text, geo::EARTH_RADIUS_METERS);
                    geometry.map(Described::Now).map_err(|_| Unknown)
                }
            },
        }
    }
}

/// A geometry that was read when the expression was built, or is only now.
enum Described<'g> {
    Before(&'g Geometry),
    Now(Geometry),
}

impl Deref for Described<'_> {
    type Target = Geometry;

    fn deref(&self) -> &Geometry {
        match self {
            Self::Before(geometry) => geometry,
            Self::Now(geometry) => geometry,
        }
    }
}

/// The stored form of a geo value with this text.
pub(crate) fn stored_geo(text: &[u8]) -> Result<Vec<u8>, Unknown> {
    /// No flags, no cells.
    const HEADER: [u8; 3] = [0; 3];
    geo::from_wire(&[&HEADER, text].concat()).map_err(|_| Unknown)
}

fn write_bytes(out: &mut Vec<u8>, particle_type: ParticleType, bytes: &[u8]) {
    write::bytes_header(out, bytes.len() + 1);
    out.push(particle_type.0);
    out.extend_from_slice(bytes);
}
