//! Values as JSON, so that each says its type and nothing is lost.
//!
//! Integers, floats, booleans, text and plain lists are JSON's own. Everything else is an object with
//! one member that names the type: `{"blob": "<base64>"}`, `{"hll": "<base64>"}`, `{"geojson":
//! "<text>"}`, `{"map": ...}`, `{"float": "NaN"}`. A map is an object if all its keys are text, and a
//! list of pairs if not. `{"malformed": ...}` holds bytes that are not what their type says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Number, Value, json};
use value::collection::MAX_NESTING;
use value::msgpack::{Flags, Malformed, Reader, Token};
use wire::ParticleType;

/// A bin's value, or a user key.
pub fn particle(particle_type: ParticleType, value: &[u8]) -> Value {
    known(particle_type, value).unwrap_or_else(|| {
        json!({ "malformed": { "type": type_name(particle_type), "bytes": STANDARD.encode(value) } })
    })
}

/// A user key as it is stored: particle type, then the value.
pub fn key(stored: &[u8]) -> Value {
    match stored.split_first() {
        Some((particle_type, value)) => particle(ParticleType(*particle_type), value),
        None => Value::Null,
    }
}

/// Text, or the base64 of bytes that are none.
pub fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({ "string": STANDARD.encode(bytes) }),
    }
}

fn known(particle_type: ParticleType, value: &[u8]) -> Option<Value> {
    Some(match particle_type {
        ParticleType::INTEGER => i64::from_be_bytes(value.try_into().ok()?).into(),
        ParticleType::FLOAT => float(f64::from_be_bytes(value.try_into().ok()?)),
        ParticleType::BOOL => match value {
            [0] => false.into(),
            [1] => true.into(),
            _ => return None,
        },
        ParticleType::STRING => text(value),
        ParticleType::GEOJSON => json!({ "geojson": text(value::geo::text(value)?) }),
        ParticleType::LIST | ParticleType::MAP => {
            let mut reader = Reader::new(value);
            let json = element(&mut reader, 0).ok()?;
            reader.is_empty().then_some(json)?
        }
        _ => json!({ particle_type.name()?: STANDARD.encode(value) }),
    })
}

fn type_name(particle_type: ParticleType) -> Value {
    particle_type.name().map_or_else(|| particle_type.0.into(), Value::from)
}

fn float(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None => json!({ "float": value.to_string() }),
    }
}

fn element(reader: &mut Reader<'_>, depth: usize) -> Result<Value, Malformed> {
    if depth > MAX_NESTING {
        return Err(Malformed);
    }
    Ok(match reader.head()?.token {
        Token::Nil => Value::Null,
        Token::Bool(value) => value.into(),
        Token::Unsigned(value) => value.into(),
        Token::Negative(value) => value.into(),
        Token::Double(value) => float(value),
        Token::Bytes(payload) => bytes(payload),
        Token::List(count) => list(reader, count, depth)?,
        Token::Map(pairs) => map(reader, pairs, depth)?,
        Token::Ext(ext) => {
            json!({ "extension": { "type": ext.kind, "bytes": STANDARD.encode(ext.data) } })
        }
    })
}

/// A string or blob inside a list or map: a particle type in front of the payload.
fn bytes(payload: &[u8]) -> Value {
    let Some((particle_type, value)) = payload.split_first() else {
        return json!({ "malformed": { "bytes": "" } });
    };
    match ParticleType(*particle_type) {
        ParticleType::STRING => text(value),
        ParticleType::GEOJSON => json!({ "geojson": text(value) }),
        other => match other.name() {
            Some(name) => json!({ name: STANDARD.encode(value) }),
            None => json!({ "malformed": { "bytes": STANDARD.encode(payload) } }),
        },
    }
}

fn list(reader: &mut Reader<'_>, count: usize, depth: usize) -> Result<Value, Malformed> {
    let (flags, count) = order(reader, count)?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(element(reader, depth + 1)?);
    }
    Ok(if flags.is_ordered() { json!({ "ordered-list": items }) } else { items.into() })
}

fn map(reader: &mut Reader<'_>, pairs: usize, depth: usize) -> Result<Value, Malformed> {
    let (flags, count) = order(reader, pairs)?;
    if count < pairs {
        // The value that goes with the extension; it says nothing.
        reader.element()?;
    }
    let mut pairs = Vec::new();
    for _ in 0..count {
        pairs.push((element(reader, depth + 1)?, element(reader, depth + 1)?));
    }
    let name = match Flags(flags.0 & Flags::MAP_KEY_VALUE_ORDERED.0) {
        Flags::NONE => "map",
        Flags::MAP_KEY_ORDERED => "key-ordered-map",
        _ => "key-value-ordered-map",
    };
    if pairs.iter().all(|(key, _)| key.is_string()) {
        let text = |key: Value| key.as_str().unwrap_or_default().to_owned();
        let object: serde_json::Map<_, _> =
            pairs.into_iter().map(|(key, value)| (text(key), value)).collect();
        return Ok(json!({ name: object }));
    }
    let pairs: Vec<Value> = pairs.into_iter().map(|(key, value)| json!([key, value])).collect();
    Ok(json!({ name: pairs }))
}

/// The order of a container, and the number of its elements or pairs without the extension value.
fn order(reader: &mut Reader<'_>, count: usize) -> Result<(Flags, usize), Malformed> {
    if count == 0 {
        return Ok((Flags::NONE, 0));
    }
    Ok(match reader.order_ext()? {
        Some(head) => (head.order_flags(), count - 1),
        None => (Flags::NONE, count),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use value::msgpack::write;

    fn shown(particle_type: ParticleType, value: &[u8]) -> String {
        particle(particle_type, value).to_string()
    }

    #[test]
    fn scalars_are_shown_with_their_types() {
        assert_eq!(shown(ParticleType::INTEGER, &(-7i64).to_be_bytes()), "-7");
        assert_eq!(shown(ParticleType::FLOAT, &2f64.to_be_bytes()), "2.0");
        assert_eq!(shown(ParticleType::FLOAT, &f64::NAN.to_be_bytes()), r#"{"float":"NaN"}"#);
        assert_eq!(shown(ParticleType::BOOL, &[1]), "true");
        assert_eq!(shown(ParticleType::STRING, "Gräser".as_bytes()), "\"Gräser\"");
        assert_eq!(shown(ParticleType::STRING, &[0xFF]), r#"{"string":"/w=="}"#);
        assert_eq!(shown(ParticleType::BLOB, &[1, 2, 3]), r#"{"blob":"AQID"}"#);
        assert_eq!(shown(ParticleType::JAVA_BLOB, &[1]), r#"{"java-blob":"AQ=="}"#);
        assert_eq!(shown(ParticleType::HLL, &[1]), r#"{"hll":"AQ=="}"#);
        let geo = [&[0, 0, 1][..], &[9; 8], b"{}"].concat();
        assert_eq!(shown(ParticleType::GEOJSON, &geo), r#"{"geojson":"{}"}"#);
    }

    #[test]
    fn wrong_values_are_shown_as_such() {
        assert_eq!(
            shown(ParticleType::INTEGER, &[1]),
            r#"{"malformed":{"bytes":"AQ==","type":"integer"}}"#
        );
        assert_eq!(shown(ParticleType(99), &[1]), r#"{"malformed":{"bytes":"AQ==","type":99}}"#);
        assert!(shown(ParticleType::LIST, &[0x92, 1]).contains("malformed"));
        assert!(shown(ParticleType::LIST, &[0x91; 600]).contains("malformed"));
    }

    #[test]
    fn collections_are_shown_with_their_order() {
        let mut list = vec![0x93, 0xC7, 0, 1];
        write::integer(&mut list, 5);
        list.extend_from_slice(&[0xA2, 3, b'x']);
        assert_eq!(shown(ParticleType::LIST, &list), r#"{"ordered-list":[5,"x"]}"#);
        assert_eq!(shown(ParticleType::LIST, &[0x92, 0xC0, 0xC3]), "[null,true]");
        let text_keys = [0x81, 0xA2, 3, b'k', 0x90];
        assert_eq!(shown(ParticleType::MAP, &text_keys), r#"{"map":{"k":[]}}"#);
        let other_keys = [0x82, 0xC7, 0, 1, 0xC0, 7, 0xA2, 4, 9];
        let expected = r#"{"key-ordered-map":[[7,{"blob":"CQ=="}]]}"#;
        assert_eq!(shown(ParticleType::MAP, &other_keys), expected);
        // The original keeps an index in the extension of some maps.
        let indexed = [0x82, 0xC7, 3, 0x11, 1, 2, 3, 0xC0, 7, 1];
        assert_eq!(shown(ParticleType::MAP, &indexed), r#"{"key-ordered-map":[[7,1]]}"#);
    }
}
