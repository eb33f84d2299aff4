//! Values from and to particles and msgpack (`reference`: udf-lua.md, section 6), and their text.

use std::sync::Arc;

use value::collection::MAX_NESTING;
use value::geo;
use value::msgpack::{Element, Flags, Malformed, Reader, Token, write};
use value::order;
use wire::{ParticleType, ResultCode};

use crate::value::{Budget, BytesRef, Key, ListRef, MapRef, Trouble, Value};

/// A value as a bin or a reply has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Particle {
    /// Its type.
    pub kind: ParticleType,
    /// Its bytes: as stored for a bin's new value, as sent for a returned value.
    pub bytes: Vec<u8>,
}

impl Particle {
    /// No value.
    pub const NULL: Self = Self { kind: ParticleType::NULL, bytes: Vec::new() };

    /// A string.
    pub fn string(text: impl Into<Vec<u8>>) -> Self {
        Self { kind: ParticleType::STRING, bytes: text.into() }
    }
}

/// Reading failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Malformed,
    Trouble(Trouble),
}

impl From<Malformed> for Unreadable {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<Trouble> for Unreadable {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// The value of a stored particle. One that is of a type without a value for scripts, or damaged,
/// is nil.
///
/// # Errors
/// Only for want of memory.
pub(crate) fn from_particle(
    kind: ParticleType,
    bytes: &[u8],
    budget: &Arc<Budget>,
) -> Result<Value, Trouble> {
    let word = || <[u8; 8]>::try_from(bytes).ok();
    Ok(match kind {
        ParticleType::INTEGER => word().map_or(Value::Nil, |w| Value::Int(i64::from_be_bytes(w))),
        ParticleType::FLOAT => word().map_or(Value::Nil, |w| Value::Float(f64::from_be_bytes(w))),
        ParticleType::BOOL => Value::Bool(bytes.first().is_some_and(|&byte| byte != 0)),
        ParticleType::STRING => Value::Str(Arc::from(bytes)),
        ParticleType::GEOJSON => {
            geo::text(bytes).map_or(Value::Nil, |text| Value::Geo(text.into()))
        }
        ParticleType::LIST | ParticleType::MAP => match from_msgpack(bytes, budget) {
            Ok(value) => value,
            Err(Unreadable::Malformed) => Value::Nil,
            Err(Unreadable::Trouble(trouble)) => return Err(trouble),
        },
        _ if is_bytes_type(kind) => Value::Bytes(BytesRef::new(budget, bytes.to_vec(), kind.0)?),
        _ => Value::Nil,
    })
}

fn is_bytes_type(kind: ParticleType) -> bool {
    kind != ParticleType::STRING
        && (value::particle::is_bytes_type(kind) || kind == ParticleType::HLL)
}

/// One msgpack value; what follows it does not matter.
pub(crate) fn from_msgpack(bytes: &[u8], budget: &Arc<Budget>) -> Result<Value, Unreadable> {
    read(&mut Reader::new(bytes), budget, 0)
}

/// The arguments of a call: those of a msgpack list, and none if it is anything else.
pub(crate) fn arguments(bytes: &[u8], budget: &Arc<Budget>) -> Result<Vec<Value>, Trouble> {
    match from_msgpack(bytes, budget) {
        Ok(Value::List(list)) => Ok(list.items()),
        Ok(_) | Err(Unreadable::Malformed) => Ok(Vec::new()),
        Err(Unreadable::Trouble(trouble)) => Err(trouble),
    }
}

fn read(reader: &mut Reader<'_>, budget: &Arc<Budget>, depth: usize) -> Result<Value, Unreadable> {
    if depth > MAX_NESTING {
        return Err(Unreadable::Malformed);
    }
    let head = reader.head()?;
    Ok(match head.token {
        Token::Nil => Value::Nil,
        Token::Bool(value) => Value::Bool(value),
        Token::Unsigned(value) => Value::Int(value.cast_signed()),
        Token::Negative(value) => Value::Int(value),
        Token::Double(value) => Value::Float(value),
        Token::Bytes(payload) => read_bytes(payload, budget)?,
        Token::List(count) => Value::List(read_list(reader, count, budget, depth)?),
        Token::Map(pairs) => Value::Map(read_map(reader, pairs, budget, depth)?),
        Token::Ext(_) => Value::Ext(head.raw.into()),
    })
}

fn read_bytes(payload: &[u8], budget: &Arc<Budget>) -> Result<Value, Trouble> {
    let Some((&kind, data)) = payload.split_first() else {
        return Ok(Value::Str(Arc::from([])));
    };
    Ok(match ParticleType(kind) {
        ParticleType::STRING => Value::Str(data.into()),
        ParticleType::GEOJSON => Value::Geo(data.into()),
        _ => Value::Bytes(BytesRef::new(budget, data.to_vec(), kind)?),
    })
}

fn read_list(
    reader: &mut Reader<'_>,
    mut count: usize,
    budget: &Arc<Budget>,
    depth: usize,
) -> Result<ListRef, Unreadable> {
    let order = if count > 0 { reader.order_ext()? } else { None };
    count -= usize::from(order.is_some());
    let flags = order.map_or(Flags::NONE, |head| head.order_flags().of_stored_list());
    let list = ListRef::new(budget, flags)?;
    for _ in 0..count {
        list.push(read(reader, budget, depth + 1)?)?;
    }
    Ok(list)
}

fn read_map(
    reader: &mut Reader<'_>,
    mut pairs: usize,
    budget: &Arc<Budget>,
    depth: usize,
) -> Result<MapRef, Unreadable> {
    let order = if pairs > 0 { reader.order_ext()? } else { None };
    if order.is_some() {
        reader.element()?;
        pairs -= 1;
    }
    let flags = order.map_or(Flags::NONE, |head| head.order_flags().of_stored_map());
    let map = MapRef::new(budget, flags)?;
    for _ in 0..pairs {
        let key = read(reader, budget, depth + 1)?;
        let value = read(reader, budget, depth + 1)?;
        if let Some(key) = Key::of(&key) {
            map.set(key, value)?;
        }
    }
    Ok(map)
}

/// The particle that a returned value becomes: of GeoJSON without cells.
///
/// # Errors
/// When the value cannot be written within the limits.
pub(crate) fn to_reply(value: &Value, budget: &Budget) -> Result<Particle, Trouble> {
    let (kind, bytes) = match value {
        Value::Nil | Value::Ext(_) => return Ok(Particle::NULL),
        Value::Bool(value) => (ParticleType::BOOL, vec![u8::from(*value)]),
        Value::Int(value) => (ParticleType::INTEGER, value.to_be_bytes().to_vec()),
        Value::Float(value) => (ParticleType::FLOAT, value.to_be_bytes().to_vec()),
        Value::Str(text) => (ParticleType::STRING, text.to_vec()),
        Value::Geo(text) => (ParticleType::GEOJSON, [&[0; 3], &**text].concat()),
        Value::Bytes(bytes) => bytes.read(|data, kind| (bytes_type(kind), data.to_vec())),
        Value::List(_) => (ParticleType::LIST, to_msgpack(value, budget)?),
        Value::Map(_) => (ParticleType::MAP, to_msgpack(value, budget)?),
    };
    Ok(Particle { kind, bytes })
}

/// The type under which bytes with this type leave a script.
fn bytes_type(kind: u8) -> ParticleType {
    let kind = ParticleType(kind);
    if is_bytes_type(kind) { kind } else { ParticleType::BLOB }
}

/// The particle that a bin is to hold; `None` for nil, which deletes the bin.
///
/// # Errors
/// `INCOMPATIBLE_TYPE` for what has no particle, and whatever a write of the same value would get.
pub(crate) fn to_bin(value: &Value, budget: &Budget) -> Result<Option<Particle>, ResultCode> {
    if let Value::Nil = value {
        return Ok(None);
    }
    let sent = to_reply(value, budget).map_err(|_| ResultCode::INCOMPATIBLE_TYPE)?;
    if sent.kind == ParticleType::NULL {
        return Err(ResultCode::INCOMPATIBLE_TYPE);
    }
    let stored = value::from_wire(sent.kind, &sent.bytes)?.to_vec();
    Ok(Some(Particle { kind: sent.kind, bytes: stored }))
}

/// The msgpack of a value, lists and maps ordered as their flags say.
pub(crate) fn to_msgpack(value: &Value, budget: &Budget) -> Result<Vec<u8>, Trouble> {
    let mut out = Vec::new();
    append(&mut out, value, &mut Room::new(budget), 0)?;
    Ok(out)
}

/// How much may still be written. Shared lists make a value that is small in memory and endless when
/// written.
struct Room {
    bytes: usize,
}

impl Room {
    fn new(budget: &Budget) -> Self {
        Self { bytes: budget.limit_bytes() }
    }

    /// Takes what a value needs at `depth`. Lists and maps count as they do in memory: there may be
    /// many in few bytes.
    fn take(&mut self, value: &Value, depth: usize) -> Result<(), Trouble> {
        const CONTAINER_BYTES: usize = 64;
        const SCALAR_BYTES: usize = 8;
        if depth > MAX_NESTING {
            return Err(Trouble::Depth);
        }
        let bytes = match value {
            Value::List(_) | Value::Map(_) => CONTAINER_BYTES,
            Value::Str(text) | Value::Geo(text) | Value::Ext(text) => SCALAR_BYTES + text.len(),
            // Of text, bytes become three times as many.
            Value::Bytes(bytes) => SCALAR_BYTES + 3 * bytes.len(),
            _ => SCALAR_BYTES,
        };
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Trouble::Memory)?;
        Ok(())
    }
}

fn append(out: &mut Vec<u8>, value: &Value, room: &mut Room, depth: usize) -> Result<(), Trouble> {
    room.take(value, depth)?;
    match value {
        Value::Nil => write::nil(out),
        Value::Bool(value) => write::boolean(out, *value),
        Value::Int(value) => write::integer(out, *value),
        Value::Float(value) => write::double(out, *value),
        Value::Str(text) => append_bytes(out, ParticleType::STRING.0, text),
        Value::Geo(text) => append_bytes(out, ParticleType::GEOJSON.0, text),
        Value::Bytes(bytes) => bytes.read(|data, kind| append_bytes(out, kind, data)),
        Value::Ext(raw) => out.extend_from_slice(raw),
        Value::List(list) => append_list(out, list, room, depth)?,
        Value::Map(map) => {
            let pairs = map.pairs();
            write::map_start(out, pairs.len(), map.flags());
            for (key, value) in pairs {
                append_key(out, &key);
                append(out, &value, room, depth + 1)?;
            }
        }
    }
    Ok(())
}

fn append_list(
    out: &mut Vec<u8>,
    list: &ListRef,
    room: &mut Room,
    depth: usize,
) -> Result<(), Trouble> {
    let (items, flags) = (list.items(), list.flags());
    write::list_start(out, items.len(), flags);
    let start = out.len();
    let mut ends = Vec::new();
    for item in &items {
        append(out, item, room, depth + 1)?;
        ends.push(out.len() - start);
    }
    if !flags.is_ordered() {
        return Ok(());
    }
    // Scripts append and set without a thought of order.
    let packed = out.split_off(start);
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let parts = starts.zip(&ends).map(|(from, &to)| Element::new(&packed[from..to]));
    let mut elements = parts.collect::<Result<Vec<_>, _>>().map_err(|_| Trouble::Unsupported)?;
    order::sort_by(&mut elements, |a, b| order::compare(*a, *b));
    out.extend(elements.iter().flat_map(|element| element.bytes()));
    Ok(())
}

fn append_key(out: &mut Vec<u8>, key: &Key) {
    match key {
        Key::Int(number) => write::integer(out, *number),
        Key::Str(text) => append_bytes(out, ParticleType::STRING.0, text),
        Key::Bytes(data, kind) => append_bytes(out, *kind, data),
    }
}

fn append_bytes(out: &mut Vec<u8>, kind: u8, data: &[u8]) {
    write::bytes_header(out, data.len() + 1);
    out.push(kind);
    out.extend_from_slice(data);
}

/// What `tostring` says of a list, map, bytes or GeoJSON.
pub(crate) fn text(value: &Value, budget: &Budget) -> Result<Vec<u8>, Trouble> {
    let mut out = Vec::new();
    append_text(&mut out, value, &mut Room::new(budget), 0)?;
    Ok(out)
}

fn append_text(
    out: &mut Vec<u8>,
    value: &Value,
    room: &mut Room,
    depth: usize,
) -> Result<(), Trouble> {
    room.take(value, depth)?;
    match value {
        Value::Nil | Value::Ext(_) => out.extend(b"NIL"),
        Value::Bool(value) => out.extend(value.to_string().bytes()),
        Value::Int(value) => out.extend(value.to_string().bytes()),
        Value::Float(value) => out.extend(float_text(*value).bytes()),
        Value::Str(text) | Value::Geo(text) => append_quoted(out, text),
        Value::Bytes(bytes) => bytes.read(|data, _| append_hex(out, data)),
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in list.items().iter().enumerate() {
                append_separator(out, index);
                append_text(out, item, room, depth + 1)?;
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.push(b'{');
            for (index, (key, value)) in map.pairs().iter().enumerate() {
                append_separator(out, index);
                append_key_text(out, key);
                out.push(b':');
                append_text(out, value, room, depth + 1)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn append_key_text(out: &mut Vec<u8>, key: &Key) {
    match key {
        Key::Int(number) => out.extend(number.to_string().bytes()),
        Key::Str(text) => append_quoted(out, text),
        Key::Bytes(data, _) => append_hex(out, data),
    }
}

fn append_separator(out: &mut Vec<u8>, index: usize) {
    if index > 0 {
        out.extend(b", ");
    }
}

fn append_quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

fn append_hex(out: &mut Vec<u8>, data: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for (index, byte) in data.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0x0f)]]);
    }
}

/// A float as C prints it with `%.16g`.
fn float_text(value: f64) -> String {
    const DIGITS: i32 = 16;
    if value.is_nan() {
        return if value.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if value.is_infinite() {
        return if value < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let scientific = format!("{value:.15e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits.to_owned(),
    };
    if !(-4..DIGITS).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trim(mantissa), exponent.unsigned_abs());
    }
    let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
    trim(&format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Arc<Budget> {
        Budget::new(1 << 20)
    }

    fn again(packed: &[u8]) -> Vec<u8> {
        let budget = budget();
        to_msgpack(&from_msgpack(packed, &budget).unwrap(), &budget).unwrap()
    }

    #[test]
    fn msgpack_comes_back_as_it_was() {
        let rows: &[&[u8]] = &[
            &[0xc0],
            &[0x93, 0x01, 0xc3, 0xa2, 0x03, b'a'],
            &[0x82, 0x01, 0xa2, 0x04, 0xff, 0xa2, 0x03, b'k', 0x90],
            // An ordered list and a key-ordered map keep their flags.
            &[0x93, 0xc7, 0, 1, 0x01, 0x02],
            &[0x82, 0xc7, 0, 1, 0xc0, 0x01, 0x02],
            &[0x91, 0xd4, 0xff, 0x00],
        ];
        for row in rows {
            assert_eq!(again(row), *row, "{row:02x?}");
        }
    }

    #[test]
    fn what_is_appended_to_an_ordered_list_goes_to_its_place() {
        let budget = budget();
        let value = from_msgpack(&[0x93, 0xc7, 0, 1, 0x02, 0x05], &budget).unwrap();
        let Value::List(list) = &value else { panic!("{value:?}") };
        list.push(Value::Int(3)).unwrap();
        let packed = to_msgpack(&value, &budget).unwrap();
        assert_eq!(packed, [0x94, 0xc7, 0, 1, 0x02, 0x03, 0x05]);
    }

    #[test]
    fn maps_are_written_in_the_order_of_their_keys() {
        assert_eq!(
            again(&[0x82, 0xa2, 0x03, b'b', 0x01, 0x02, 0x02]),
            [0x82, 0x02, 0x02, 0xa2, 0x03, b'b', 0x01]
        );
    }

    #[test]
    fn floats_print_as_in_c() {
        let rows = [
            (10_000_000_000.0, "10000000000"),
            (3.0, "3"),
            (-0.0, "-0"),
            (0.5, "0.5"),
            (1e300, "1e+300"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (0.000_01, "1e-05"),
            (123_456.789, "123456.789"),
        ];
        for (value, text) in rows {
            assert_eq!(float_text(value), text);
        }
    }

    #[test]
    fn a_list_cannot_contain_itself() {
        let budget = budget();
        let outer = ListRef::new(&budget, Flags::NONE).unwrap();
        let inner = ListRef::new(&budget, Flags::NONE).unwrap();
        outer.push(Value::List(inner.clone())).unwrap();
        assert_eq!(outer.push(Value::List(outer.clone())), Err(Trouble::Cycle));
        assert_eq!(inner.push(Value::List(outer.clone())), Err(Trouble::Cycle));
    }

    #[test]
    fn a_value_that_is_endless_when_written_is_refused() {
        let budget = budget();
        let mut list = ListRef::new(&budget, Flags::NONE).unwrap();
        for _ in 0..60 {
            let next = ListRef::new(&budget, Flags::NONE).unwrap();
            next.push(Value::List(list.clone())).unwrap();
            next.push(Value::List(list)).unwrap();
            list = next;
        }
        let value = Value::List(list);
        assert_eq!(to_msgpack(&value, &budget), Err(Trouble::Memory));
        assert_eq!(text(&value, &budget), Err(Trouble::Memory));
    }

    #[test]
    fn deep_nesting_is_freed_and_refused() {
        let budget = budget();
        let top = ListRef::new(&budget, Flags::NONE).unwrap();
        let mut last = top.clone();
        for _ in 0..5_000 {
            let next = ListRef::new(&budget, Flags::NONE).unwrap();
            last.push(Value::List(next.clone())).unwrap();
            last = next;
        }
        assert_eq!(to_msgpack(&Value::List(top.clone()), &budget), Err(Trouble::Depth));
        drop((top, last));
        assert_eq!(budget.used_bytes(), 0);
    }
}
