//! The info protocol: lines of text, one command each, answered line by line.
//!
//! A command is a name, then nothing, or `/` and positional arguments, or `:` or `;` and `key=value`
//! pairs separated by `;`.

use crate::proto::{ProtoType, frame};

/// One command of an info request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Command<'a> {
    /// The line as sent, without its newline: it is echoed in the answer.
    pub line: &'a [u8],
    /// What stands before the first `/`, `:` or `;`.
    pub name: &'a [u8],
    /// What stands after it, without the delimiter.
    pub arguments: &'a [u8],
    /// Whether the arguments followed a `/`.
    pub positional: bool,
}

impl<'a> Command<'a> {
    /// Splits a line (without its newline).
    pub fn parse(line: &'a [u8]) -> Self {
        let end = line.iter().position(|byte| matches!(byte, b'/' | b':' | b';'));
        let (name, rest) = line.split_at(end.unwrap_or(line.len()));
        let arguments = rest.get(1..).unwrap_or_default();
        Self { line, name, arguments, positional: rest.first() == Some(&b'/') }
    }

    /// The arguments as `key=value` pairs.
    pub fn params(&self) -> Params<'a> {
        Params(self.arguments)
    }
}

/// The commands of an info request, in order. Text after the last newline is no command.
pub fn commands(body: &[u8]) -> impl Iterator<Item = Command<'_>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        let line = &rest[..end];
        rest = &rest[end + 1..];
        Some(Command::parse(line))
    })
}

/// `key=value` pairs separated by `;`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Params<'a>(pub &'a [u8]);

/// Why a parameter has no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParamError {
    /// The key is not there.
    Missing,
    /// The key is there, with nothing after its `=`.
    Empty,
    /// The value has more bytes than allowed.
    TooLong,
}

impl<'a> Params<'a> {
    /// The pairs in order; a part without `=` is a key with an empty value.
    pub fn pairs(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.0.split(|&byte| byte == b';').filter(|part| !part.is_empty()).map(|part| {
            let equals = part.iter().position(|&byte| byte == b'=');
            let (key, rest) = part.split_at(equals.unwrap_or(part.len()));
            (key, rest.get(1..).unwrap_or_default())
        })
    }

    /// Value of the first pair with this key.
    ///
    /// # Errors
    /// A [`ParamError`] if there is none, it is empty, or it has more than `bytes_max` bytes.
    pub fn get(self, key: &str, bytes_max: usize) -> Result<&'a [u8], ParamError> {
        let (_, value) =
            self.pairs().find(|(name, _)| *name == key.as_bytes()).ok_or(ParamError::Missing)?;
        match value.len() {
            0 => Err(ParamError::Empty),
            size if size > bytes_max => Err(ParamError::TooLong),
            _ => Ok(value),
        }
    }

    /// Like [`Self::get`], with `None` when the key is not there.
    ///
    /// # Errors
    /// A [`ParamError`] if the value is empty or has more than `bytes_max` bytes.
    pub fn get_optional(self, key: &str, bytes_max: usize) -> Result<Option<&'a [u8]>, ParamError> {
        match self.get(key, bytes_max) {
            Ok(value) => Ok(Some(value)),
            Err(ParamError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Appends one line of an answer: the command as sent, a tab, the value, a newline.
pub fn append_answer(out: &mut Vec<u8>, line: &[u8], value: &[u8]) {
    out.extend_from_slice(line);
    out.push(b'\t');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// A request for these commands, as a frame.
pub fn request_frame(commands: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    frame(&mut out, ProtoType::Info, |out| {
        for command in commands {
            out.extend_from_slice(command.as_bytes());
            out.push(b'\n');
        }
    });
    out
}

/// The answers in the body of an info reply: command and value of each line.
pub fn answers(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(|line| {
        let tab = line.iter().position(|&byte| byte == b'\t').unwrap_or(line.len());
        (&line[..tab], line.get(tab + 1..).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_ends_at_the_first_delimiter() {
        for (line, name, arguments, positional) in [
            ("status", "status", "", false),
            ("sets/test/demo", "sets", "test/demo", true),
            ("set-config:context=service;a=b", "set-config", "context=service;a=b", false),
            ("latencies;", "latencies", "", false),
            ("", "", "", false),
        ] {
            let command = Command::parse(line.as_bytes());
            assert_eq!(command.name, name.as_bytes());
            assert_eq!(command.arguments, arguments.as_bytes());
            assert_eq!(command.positional, positional);
        }
    }

    #[test]
    fn text_without_newline_is_no_command() {
        let names: Vec<_> = commands(b"node\n\nbuild\nrest").map(|c| c.name).collect();
        assert_eq!(names, [&b"node"[..], b"", b"build"]);
    }

    #[test]
    fn values_run_to_the_next_semicolon() {
        let params = Params(b"a=1;b=x=y:z;c=;d");
        assert_eq!(params.get("a", 9), Ok(&b"1"[..]));
        assert_eq!(params.get("b", 9), Ok(&b"x=y:z"[..]));
        assert_eq!(params.get("c", 9), Err(ParamError::Empty));
        assert_eq!(params.get("d", 9), Err(ParamError::Empty));
        assert_eq!(params.get("e", 9), Err(ParamError::Missing));
        assert_eq!(params.get("b", 4), Err(ParamError::TooLong));
        assert_eq!(params.get_optional("e", 4), Ok(None));
    }
}
