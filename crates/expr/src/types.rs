//! The types that expressions have before they are evaluated.

use wire::ParticleType;

/// Type of an expression's result; the discriminants are wire numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// No value.
    Nil = 0,
    /// True or false.
    Bool = 1,
    /// Signed 64-bit integer.
    Int = 2,
    /// String.
    Str = 3,
    /// List.
    List = 4,
    /// Map.
    Map = 5,
    /// Bytes.
    Blob = 6,
    /// 64-bit floating-point number.
    Float = 7,
    /// GeoJSON.
    GeoJson = 8,
    /// HyperLogLog sketch.
    Hll = 9,
}

impl Type {
    /// The type with this wire number. The original looks at 32 bits of it.
    pub(crate) fn of(number: i64) -> Option<Self> {
        Some(match number as u32 {
            0 => Self::Nil,
            1 => Self::Bool,
            2 => Self::Int,
            3 => Self::Str,
            4 => Self::List,
            5 => Self::Map,
            6 => Self::Blob,
            7 => Self::Float,
            8 => Self::GeoJson,
            9 => Self::Hll,
            _ => return None,
        })
    }

    /// The particle type of bins that hold such values.
    pub fn particle_type(self) -> ParticleType {
        match self {
            Self::Nil => ParticleType::NULL,
            Self::Bool => ParticleType::BOOL,
            Self::Int => ParticleType::INTEGER,
            Self::Str => ParticleType::STRING,
            Self::List => ParticleType::LIST,
            Self::Map => ParticleType::MAP,
            Self::Blob => ParticleType::BLOB,
            Self::Float => ParticleType::FLOAT,
            Self::GeoJson => ParticleType::GEOJSON,
            Self::Hll => ParticleType::HLL,
        }
    }
}
