//! What a secondary index holds: its definition, and the numbers ("bvals") under which it has a record.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use expr::{IndexExpression, Type};
use record::Body;
use storage::BvalOrder;
use value::geo::{self, CoverOptions, EARTH_RADIUS_METERS, Geometry};
use value::indexed::{Part, Scalar};
use wire::{Digest, ParticleType};

use super::hash::wyhash;
use super::source::Source;

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

    /// Of which type an expression has to be to give such values.
    pub(super) fn expression_type(self) -> Type {
        match self {
            Self::Numeric => Type::Int,
            Self::String => Type::Str,
            Self::Blob => Type::Blob,
            Self::Geo2DSphere => Type::GeoJson,
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

/// Which values an index holds of a bin or of an expression.
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
    /// Whose values.
    pub source: Source,
    /// Of what type the values are.
    pub key_type: KeyType,
    /// Which values of the bin or expression.
    pub index_type: IndexType,
}

impl Definition {
    /// Of which type an expression has to be that is indexed so.
    pub fn expression_type(&self) -> Type {
        match self.index_type {
            IndexType::Default => self.key_type.expression_type(),
            IndexType::List => Type::List,
            IndexType::MapKeys | IndexType::MapValues => Type::Map,
        }
    }

    /// The key of its metadata: namespace, set, bin, perhaps a context or an expression in base64, the
    /// index type, the key type. Its value is the index's name.
    pub fn key(&self, namespace: &str) -> Vec<u8> {
        let set = self.set.as_deref().unwrap_or_default();
        let (bin, inner) = match &self.source {
            Source::Bin { name, context } if context.is_empty() => (&**name, None),
            Source::Bin { name, context } => (&**name, Some(('c', &**context))),
            Source::Expression(expression) => (&b""[..], Some(('e', expression.source()))),
        };
        let inner = inner.map(|(letter, bytes)| format!("{letter}{}", BASE64.encode(bytes)));
        let mut parts = vec![namespace.as_bytes(), set, bin];
        parts.extend(inner.as_ref().map(String::as_bytes));
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
        let source = source_of_key(rest)?;
        if namespace.is_empty() {
            return None;
        }
        let set = Some(set).filter(|set| !set.is_empty()).map(Box::from);
        Some((namespace, Self { set, source, key_type, index_type }))
    }

    /// Replaces `bvals` by the numbers under which a record with this body is in the index: ascending as
    /// signed numbers, each once.
    pub fn bvals_of(&self, digest: &Digest, body: &Body<'_>, bvals: &mut Vec<i64>) {
        bvals.clear();
        self.source.visit(self.index_type.part(), digest, body, |scalar| {
            bvals_of_scalar(self.key_type, scalar, bvals);
        });
        bvals.sort_unstable();
        bvals.dedup();
    }
}

/// Reads a bin's name, which may have bars in it, and perhaps a context behind it, or an expression
/// behind none.
fn source_of_key(rest: &[u8]) -> Option<Source> {
    if let Some(encoded) = rest.strip_prefix(b"|e") {
        let expression = IndexExpression::build(&BASE64.decode(encoded).ok()?).ok()?;
        return Some(Source::Expression(Arc::new(expression)));
    }
    let last_bar = rest.iter().rposition(|byte| *byte == b'|');
    let source = if let Some(at) = last_bar
        && let Some(encoded) = rest[at + 1..].strip_prefix(b"c")
        && let Ok(context) = BASE64.decode(encoded)
        && value::context::check(&context).is_ok()
    {
        Source::Bin { name: rest[..at].into(), context: context.into() }
    } else {
        Source::bin(rest)
    };
    let has_name = !matches!(&source, Source::Bin { name, .. } if name.is_empty());
    has_name.then_some(source)
}

/// Appends the numbers of a value, if it is of this type.
fn bvals_of_scalar(key_type: KeyType, scalar: Scalar<'_>, bvals: &mut Vec<i64>) {
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
            let expected = Source::Bin { name: bin.into(), context: context.into() };
            assert_eq!(definition.source, expected);
            assert_eq!(definition.key("test"), key);
        }
        // An integer bin named "n".
        let key = b"test|||ek1ECoW4=|.|I";
        let (_, definition) = Definition::of_key(key).unwrap();
        let Source::Expression(expression) = &definition.source else { panic!("an expression") };
        assert_eq!(expression.source(), [0x93, 81, 2, 0xa1, b'n']);
        assert_eq!(
            (definition.key("test"), definition.expression_type()),
            (key.to_vec(), Type::Int)
        );
        for key in [
            &b""[..],
            b"test",
            b"test|s|b",
            b"test|s|b|X|I",
            b"test|s|b|L|X",
            b"||b|L|I",
            b"test|||.|I",
            b"test|||e|.|I",
            b"test|||e/w==|.|I",
        ] {
            assert_eq!(Definition::of_key(key), None);
        }
    }
}
