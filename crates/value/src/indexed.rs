//! What a secondary index finds in a bin: the value itself, the elements of a list, the keys or
//! values of a map, at the bin's top or at the end of a context (`reference`:
//! storage-and-index.md, section 10).

use wire::ParticleType;

use crate::cdt::Stored;
use crate::cdt::container::Raw;
use crate::cdt::path::Path;
use crate::collection::Kind;
use crate::msgpack::{Element, Reader, Token};

/// Which values of a bin are meant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Part {
    /// The value itself.
    Whole,
    /// The elements of a list.
    Elements,
    /// The keys of a map.
    Keys,
    /// The values of a map.
    Values,
}

/// A value that can be indexed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scalar<'a> {
    /// An integer.
    Integer(i64),
    /// A string.
    String(&'a [u8]),
    /// A blob.
    Blob(&'a [u8]),
    /// GeoJSON in its stored form, with cells.
    Geo(&'a [u8]),
    /// GeoJSON text inside a list or map, which nobody has checked.
    GeoText(&'a [u8]),
}

impl<'a> Scalar<'a> {
    fn of_bin(bin: Stored<'a>) -> Option<Self> {
        match bin.particle_type {
            ParticleType::INTEGER => {
                bin.value.try_into().ok().map(|v| Self::Integer(i64::from_be_bytes(v)))
            }
            ParticleType::STRING => Some(Self::String(bin.value)),
            ParticleType::BLOB => Some(Self::Blob(bin.value)),
            ParticleType::GEOJSON => Some(Self::Geo(bin.value)),
            _ => None,
        }
    }

    fn of_element(element: Element<'a>) -> Option<Self> {
        match element.reader().head().ok()?.token {
            // Beyond the signed numbers they go on from the lowest, as in the original.
            Token::Unsigned(value) => Some(Self::Integer(value.cast_signed())),
            Token::Negative(value) => Some(Self::Integer(value)),
            Token::Bytes(payload) => {
                let (kind, bytes) = payload.split_first()?;
                match ParticleType(*kind) {
                    ParticleType::STRING => Some(Self::String(bytes)),
                    ParticleType::BLOB => Some(Self::Blob(bytes)),
                    ParticleType::GEOJSON => Some(Self::GeoText(bytes)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Visits what an index of this kind finds in a bin; `context` is empty or was checked by
/// [`crate::context::check`]. What is of another shape than the index expects holds nothing.
pub fn visit<'a>(
    bin: Stored<'a>,
    context: &'a [u8],
    part: Part,
    mut visit: impl FnMut(Scalar<'a>),
) {
    let mut take = |element| {
        if let Some(scalar) = Scalar::of_element(element) {
            visit(scalar);
        }
    };
    let element = if context.is_empty() {
        match (part, bin.particle_type) {
            (Part::Whole, _) => {
                if let Some(scalar) = Scalar::of_bin(bin) {
                    visit(scalar);
                }
                return;
            }
            (Part::Elements, ParticleType::LIST)
            | (Part::Keys | Part::Values, ParticleType::MAP) => Element::stored(bin.value),
            _ => return,
        }
    } else {
        let path = Path::follow(Some(bin), &mut Reader::new(context), false);
        let Ok(Path { end: Some(end), .. }) = path else { return };
        end
    };
    if part == Part::Whole {
        return take(element);
    }
    visit_parts(element, part, take);
}

/// Visits the elements, keys or values of a list or map.
fn visit_parts<'a>(container: Element<'a>, part: Part, mut take: impl FnMut(Element<'a>)) {
    let Ok(Some(raw)) = Raw::parse(container.bytes()) else { return };
    let mut reader = Reader::new(raw.body);
    match (raw.kind, part) {
        (Kind::List, Part::Elements) => {
            (0..raw.count).map_while(|_| reader.element().ok()).for_each(take);
        }
        (Kind::Map, Part::Keys | Part::Values) => {
            for _ in 0..raw.count {
                let (Ok(key), Ok(value)) = (reader.element(), reader.element()) else { return };
                take(if part == Part::Keys { key } else { value });
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: ParticleType, value: &[u8], context: &[u8], part: Part) -> Vec<String> {
        let mut found = Vec::new();
        visit(Stored::from((kind, value)), context, part, |scalar| {
            found.push(format!("{scalar:?}"))
        });
        found
    }

    #[test]
    fn scalars_are_found_whole() {
        let seven = 7_i64.to_be_bytes();
        assert_eq!(found(ParticleType::INTEGER, &seven, &[], Part::Whole), ["Integer(7)"]);
        assert_eq!(found(ParticleType::STRING, b"a", &[], Part::Whole), ["String([97])"]);
        assert!(found(ParticleType::FLOAT, &seven, &[], Part::Whole).is_empty());
        assert!(found(ParticleType::STRING, b"a", &[], Part::Elements).is_empty());
        assert!(found(ParticleType::INTEGER, &seven, &[0x92, 0x10, 0], Part::Whole).is_empty());
    }

    #[test]
    fn parts_of_lists_and_maps_are_found() {
        let list = &[0x94, 1, 0xff, 0xa2, 3, b'x', 0xca, 0, 0, 0, 0];
        let all = ["Integer(1)", "Integer(-1)", "String([120])"];
        assert_eq!(found(ParticleType::LIST, list, &[], Part::Elements), all);
        assert!(found(ParticleType::LIST, list, &[], Part::Keys).is_empty());
        assert!(found(ParticleType::LIST, list, &[], Part::Whole).is_empty());
        let map = &[0x82, 5, 0xa2, 4, 9, 0xa2, 3, b'k', 0x91, 8];
        assert_eq!(found(ParticleType::MAP, map, &[], Part::Keys), ["Integer(5)", "String([107])"]);
        assert_eq!(found(ParticleType::MAP, map, &[], Part::Values), ["Blob([9])"]);
        let into_list = &[0x92, 0x22, 0xa2, 3, b'k'];
        assert_eq!(found(ParticleType::MAP, map, into_list, Part::Elements), ["Integer(8)"]);
        let to_element = &[0x94, 0x22, 0xa2, 3, b'k', 0x10, 0xff];
        assert_eq!(found(ParticleType::MAP, map, to_element, Part::Whole), ["Integer(8)"]);
    }
}
