//! What a secondary index holds: its definition, and the numbers ("bvals") under which it has a record.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use record::Body;
use record::body::StoredBin;
use storage::BvalOrder;
use value::geo::{self, CoverOptions, EARTH_RADIUS_METERS, Geometry};
use value::indexed::{self, Part, Scalar};
use wire::ParticleType;

use super::hash::wyhash;

/// Longest string or blob, as a bin's value, that is indexed.
const BYTES_MAX: usize = 2048;

/// Of what type the values are that an index holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyType {
    /// Integers.
    Numeric,
    /// Strings.
    String,
    /// Blobs.
    Blob,
    /// GeoJSON.
    Geo2DSphere,
}

impl KeyType {
    /// Name in info commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::String => "string",
            Self::Blob => "blob",
            Self::Geo2DSphere => "geo2dsphere",
        }
    }

    /// The one with this name, in any case.
    pub fn of_name(name: &[u8]) -> Option<Self> {
        let all = [Self::Numeric, Self::String, Self::Blob, Self::Geo2DSphere];
        all.into_iter().find(|kind| kind.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The one that holds values of this type.
    pub fn of_particle(particle_type: ParticleType) -> Option<Self> {
        match particle_type {
            ParticleType::INTEGER => Some(Self::Numeric),
            ParticleType::STRING => Some(Self::String),
            ParticleType::BLOB => Some(Self::Blob),
            ParticleType::GEOJSON => Some(Self::Geo2DSphere),
            _ => None,
        }
    }

    /// How the numbers of such values compare.
    pub fn order(self) -> BvalOrder {
        match self {
            Self::Geo2DSphere => BvalOrder::Unsigned,
            Self::Numeric | Self::String | Self::Blob => BvalOrder::Signed,
        }
    }

    fn letter(self) -> u8 {
        match self {
            Self::Numeric => b'I',
            Self::String => b'S',
            Self::Blob => b'B',
            Self::Geo2DSphere => b'G',
        }
    }

    fn of_letter(letter: &[u8]) -> Option<Self> {
        let all = [Self::Numeric, Self::String, Self::Blob, Self::Geo2DSphere];
        all.into_iter().find(|kind| [kind.letter()] == letter)
    }
}

/// Which values of a bin an index holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IndexType {
    /// The value itself.
    Default,
    /// The elements of a list.
    List,
    /// The keys of a map.
    MapKeys,
    /// The values of a map.
    MapValues,
}

impl IndexType {
    const ALL: [Self; 4] = [Self::Default, Self::List, Self::MapKeys, Self::MapValues];

    /// Name in info commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::List => "list",
            Self::MapKeys => "mapkeys",
            Self::MapValues => "mapvalues",
        }
    }

    /// The one with this name, in any case.
    pub fn of_name(name: &[u8]) -> Option<Self> {
        let named = |kind: &Self| kind.name().as_bytes().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(named)
    }

    /// The one with this number in requests.
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    pub(super) fn part(self) -> Part {
        match self {
            Self::Default => Part::Whole,
            Self::List => Part::Elements,
            Self::MapKeys => Part::Keys,
            Self::MapValues => Part::Values,
        }
    }

    fn letter(self) -> u8 {
        match self {
            Self::Default => b'.',
            Self::List => b'L',
            Self::MapKeys => b'K',
            Self::MapValues => b'V',
        }
    }

    fn of_letter(letter: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| [kind.letter()] == letter)
    }
}

/// What a secondary index holds. It is what tells one from another: its name can change.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Definition {
    /// The set whose records it holds; all of the namespace without.
    pub set: Option<Box<[u8]>>,
    /// The bin.
    pub bin: Box<[u8]>,
    /// Of what type the values are.
    pub key_type: KeyType,
    /// Which values of the bin.
    pub index_type: IndexType,
    /// The way to the value inside the bin, in canonical msgpack; empty if it is the bin itself.
    pub context: Box<[u8]>,
}

impl Definition {
    /// The key of its metadata: namespace, set, bin, perhaps the context in base64, the index type, the
    /// key type. Its value is the index's name.
    pub fn key(&self, namespace: &str) -> Vec<u8> {
        let set = self.set.as_deref().unwrap_or_default();
        let mut parts = vec![namespace.as_bytes(), set, &self.bin];
        let context = format!("c{}", BASE64.encode(&self.context));
        if !self.context.is_empty() {
            parts.push(context.as_bytes());
        }
        let (index_type, key_type) = ([self.index_type.letter()], [self.key_type.letter()]);
        parts.extend([&index_type[..], &key_type]);
        parts.join(&b'|')
    }

    /// The namespace and the definition that a key of metadata names; `None` if it names none.
    pub fn of_key(key: &[u8]) -> Option<(&[u8], Self)> {
        let is_bar = |byte: &u8| *byte == b'|';
        let mut ends = key.rsplitn(3, is_bar);
        let key_type = KeyType::of_letter(ends.next()?)?;
        let index_type = IndexType::of_letter(ends.next()?)?;
        let mut parts = ends.next()?.splitn(3, is_bar);
        let (namespace, set, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let (bin, context) = split_context(rest);
        if namespace.is_empty() || bin.is_empty() {
            return None;
        }
        let set = Some(set).filter(|set| !set.is_empty()).map(Box::from);
        let definition = Self { set, bin: bin.into(), key_type, index_type, context };
        Some((namespace, definition))
    }

    /// Replaces `bvals` by the numbers under which a record with this body is in the index: ascending as
    /// signed numbers, each once.
    pub fn bvals_of(&self, body: &Body<'_>, bvals: &mut Vec<i64>) {
        bvals.clear();
        let Some(bin) = body.bin(&self.bin) else { return };
        if self.is_too_long(&bin) {
            return;
        }
        indexed::visit(bin.stored(), &self.context, self.index_type.part(), |scalar| {
            bvals_of_scalar(self.key_type, scalar, bvals);
        });
        bvals.sort_unstable();
        bvals.dedup();
    }

    /// Whether a bin is left out for its length. Long strings in lists and maps are not, as in the
    /// original.
    fn is_too_long(&self, bin: &StoredBin<'_>) -> bool {
        matches!(bin.particle_type, ParticleType::STRING | ParticleType::BLOB)
            && bin.value.len() > BYTES_MAX
    }
}

/// Takes the context, if there is one, from behind a bin's name, which may have bars in it.
fn split_context(rest: &[u8]) -> (&[u8], Box<[u8]>) {
    let last_bar = rest.iter().rposition(|byte| *byte == b'|');
    if let Some(at) = last_bar
        && let Some(encoded) = rest[at + 1..].strip_prefix(b"c")
        && let Ok(context) = BASE64.decode(encoded)
        && value::context::check(&context).is_ok()
    {
        return (&rest[..at], context.into());
    }
    (rest, Box::default())
}

/// Appends the numbers of a value, if it is of this type.
pub(super) fn bvals_of_scalar(key_type: KeyType, scalar: Scalar<'_>, bvals: &mut Vec<i64>) {
    match (key_type, scalar) {
        (KeyType::Numeric, Scalar::Integer(value)) => bvals.push(value),
        (KeyType::String, Scalar::String(bytes)) | (KeyType::Blob, Scalar::Blob(bytes)) => {
            bvals.push(bval_of_bytes(bytes));
        }
        (KeyType::Geo2DSphere, Scalar::Geo(stored)) => {
            bvals.extend(geo::cells(stored).map(|cell| cell.0.cast_signed()));
        }
        (KeyType::Geo2DSphere, Scalar::GeoText(text)) => {
            match geo::parse(text, EARTH_RADIUS_METERS) {
                Ok(Geometry::Point(cell)) => bvals.push(cell.0.cast_signed()),
                Ok(Geometry::Region(region)) => {
                    let cells = region.covering(CoverOptions::STORED).unwrap_or_default();
                    bvals.extend(cells.iter().map(|cell| cell.0.cast_signed()));
                }
                Err(_) => {}
            }
        }
        _ => {}
    }
}

/// The number of a string or blob.
pub(super) fn bval_of_bytes(bytes: &[u8]) -> i64 {
    wyhash(bytes).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_metadata_come_back() {
        for (key, set, bin, context) in [
            (&b"test|s|b|L|I"[..], Some(&b"s"[..]), &b"b"[..], &[][..]),
            (b"test||b|.|G", None, b"b", &[]),
            (b"test||b|ckhH/|K|S", None, b"b", &[0x92, 0x11, 0xff]),
            (b"test|s|b|c|V|B", Some(b"s"), b"b|c", &[]),
        ] {
            let (namespace, definition) = Definition::of_key(key).unwrap();
            assert_eq!(namespace, b"test");
            assert_eq!(definition.set.as_deref(), set);
            assert_eq!((&*definition.bin, &*definition.context), (bin, context));
            assert_eq!(definition.key("test"), key);
        }
        for key in [&b""[..], b"test", b"test|s|b", b"test|s|b|X|I", b"test|s|b|L|X", b"||b|L|I"] {
            assert_eq!(Definition::of_key(key), None);
        }
    }
}
