//! The context of a secondary index: the way to the list or map inside a bin that is indexed
//! (`reference`: cdt.md, contexts; info-commands.md, secondary indexes).

use wire::ParticleType;

use crate::msgpack::{Element, Ext, Malformed, Reader, Token};

/// What is wrong with a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextError {
    /// It is not a list of steps that reading can take, each a type and a value.
    Invalid,
    /// It is not encoded as shortly as it could be, so that equal contexts would differ.
    NotNormalized,
}

impl From<Malformed> for ContextError {
    fn from(_: Malformed) -> Self {
        Self::Invalid
    }
}

/// Checks a context in msgpack.
///
/// # Errors
/// A [`ContextError`].
pub fn check(bytes: &[u8]) -> Result<(), ContextError> {
    let mut reader = Reader::new(bytes);
    let head = reader.head()?;
    let Token::List(items) = head.token else { return Err(ContextError::Invalid) };
    if items == 0 || items % 2 != 0 {
        return Err(ContextError::Invalid);
    }
    let mut canonical = head.is_canonical;
    for _ in 0..items / 2 {
        let step = reader.head()?;
        canonical &= step.is_canonical;
        if !matches!(step.token, Token::Unsigned(kind) if is_read_step(kind)) {
            return Err(ContextError::Invalid);
        }
        let mut value = reader.element()?.reader();
        while !value.is_empty() {
            canonical &= value.head()?.is_canonical;
        }
    }
    if !reader.is_empty() {
        return Err(ContextError::Invalid);
    }
    if canonical { Ok(()) } else { Err(ContextError::NotNormalized) }
}

/// A context that [`check`] has passed, as info commands show it: `[list_index(0), map_key(<string#3>)]`.
pub fn text(context: &[u8]) -> String {
    let mut reader = Reader::new(context);
    let mut steps = Vec::new();
    let _ = reader.head();
    while let (Ok(step), Ok(value)) = (reader.head(), reader.element()) {
        let Token::Unsigned(kind) = step.token else { break };
        let container = if kind & 0x10 != 0 { "list" } else { "map" };
        let by = match kind & 0xF {
            0 => "index",
            1 => "rank",
            2 => "key",
            _ => "value",
        };
        steps.push(format!("{container}_{by}({})", outline(value)));
    }
    format!("[{}]", steps.join(", "))
}

/// A value, or of what kind and how large it is.
fn outline(value: Element<'_>) -> String {
    let Ok(head) = value.reader().head() else { return String::new() };
    match head.token {
        Token::Nil => "nil".into(),
        Token::Bool(value) => value.to_string(),
        Token::Unsigned(value) => value.cast_signed().to_string(),
        Token::Negative(value) => value.to_string(),
        Token::Double(value) => format!("{value:.6}"),
        Token::Bytes(payload) => match payload.split_first() {
            None => "<blob#_>".into(),
            Some((kind, bytes)) => {
                let name = match ParticleType(*kind) {
                    ParticleType::STRING => "string".into(),
                    ParticleType::GEOJSON => "geojson".into(),
                    ParticleType::BLOB => "blob".into(),
                    _ => format!("blob{kind}"),
                };
                format!("<{name}#{}>", bytes.len())
            }
        },
        Token::List(count) => format!("<list#{count}>"),
        Token::Map(count) => format!("<map#{count}>"),
        Token::Ext(ext) if ext == Ext::WILDCARD => "*".into(),
        Token::Ext(ext) if ext == Ext::INFINITY => "inf".into(),
        Token::Ext(ext) => format!("<ext#{}>", ext.data.len()),
    }
}

/// Whether a step of this type finds something: in a list by index, rank or value, in a map also by
/// key. Steps that create what is missing are for writing.
fn is_read_step(kind: u64) -> bool {
    matches!(kind, 0x10 | 0x11 | 0x13 | 0x20..=0x23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_checked() {
        use ContextError::*;
        for (bytes, expected) in [
            (&[0x92, 0x10, 0x00][..], Ok(())),
            (&[0x94, 0x22, 0xa2, 0x03, b'k', 0x11, 0xff], Ok(())),
            (&[0x90], Err(Invalid)),
            (&[0x91, 0x10], Err(Invalid)),
            (&[0x80], Err(Invalid)),
            (b"a", Err(Invalid)),
            (&[0x92, 0x12, 0x00], Err(Invalid)),
            (&[0x92, 0x50, 0x00], Err(Invalid)),
            (&[0x92, 0x10], Err(Invalid)),
            (&[0x92, 0x10, 0x00, 0x00], Err(Invalid)),
            (&[0x92, 0x10, 0xcc, 0x05], Err(NotNormalized)),
            (&[0xdc, 0x00, 0x02, 0x10, 0x05], Err(NotNormalized)),
            (&[0x92, 0xcc, 0x10, 0x05], Err(NotNormalized)),
        ] {
            assert_eq!(check(bytes), expected, "{bytes:x?}");
        }
    }

    #[test]
    fn contexts_are_shown_as_the_original_shows_them() {
        for (bytes, expected) in [
            (&[0x92, 0x20, 0x00][..], "[map_index(0)]"),
            (&[0x92, 0x13, 0x05], "[list_value(5)]"),
            (&[0x94, 0x22, 0xa2, 3, b'a', 0x11, 0xff], "[map_key(<string#1>), list_rank(-1)]"),
            (&[0x92, 0x23, 0xa2, 4, 1], "[map_value(<blob#1>)]"),
        ] {
            assert_eq!(text(bytes), expected);
        }
    }
}
