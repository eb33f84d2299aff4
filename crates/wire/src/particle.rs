//! Particle types: the numbers that say what a bin value is.

use std::fmt;

/// Type of a bin value, as a wire number. Unknown numbers are kept, so that whoever rejects them can
/// say which it was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct ParticleType(pub u8);

macro_rules! particle_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl ParticleType {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// The type's name in logs and answers, or `None` if no such type exists.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

particle_types! {
    /// No value: deletes a bin when written, stands for an absent one when read.
    NULL = 0, "null";
    /// Signed 64-bit integer.
    INTEGER = 1, "integer";
    /// IEEE 754 double.
    FLOAT = 2, "float";
    /// Text; that it is UTF-8 is the clients' agreement, not checked.
    STRING = 3, "string";
    /// Bytes.
    BLOB = 4, "blob";
    /// Serialized object of the Java client.
    JAVA_BLOB = 7, "java-blob";
    /// Serialized object of the C# client.
    CSHARP_BLOB = 8, "csharp-blob";
    /// Serialized object of the Python client.
    PYTHON_BLOB = 9, "python-blob";
    /// Serialized object of the Ruby client.
    RUBY_BLOB = 10, "ruby-blob";
    /// Serialized object of the PHP client.
    PHP_BLOB = 11, "php-blob";
    /// Serialized object of the Erlang client.
    ERLANG_BLOB = 12, "erlang-blob";
    /// Vector, opaque like a blob.
    VECTOR = 16, "vector";
    /// Boolean, one byte 0 or 1.
    BOOL = 17, "bool";
    /// HyperLogLog sketch.
    HLL = 18, "hll";
    /// Map in msgpack.
    MAP = 19, "map";
    /// List in msgpack.
    LIST = 20, "list";
    /// GeoJSON with its cells.
    GEOJSON = 23, "geojson";
}

impl fmt::Debug for ParticleType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "particle-type-{}", self.0),
        }
    }
}
