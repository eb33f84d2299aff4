//! JSON, as strict as the original takes it, read in place.
//!
//! [`Json::parse`] checks a text whole and keeps nothing but a slice; what is needed of it is then
//! found by walking. That costs no memory, whatever a client sends, and gives numbers correctly
//! rounded: a last digit can decide on which side of a cell's edge a point lies.
//!
//! The original refuses more than the standard does: a text that is no object or array, integers
//! beyond 64 bits, numbers that overflow a double, `\u0000` in strings, more than 2,048 levels.

use std::borrow::Cow;

/// Levels of values within each other that a text may have.
const NESTING_MAX: usize = 2048;

/// The text is not JSON, or not JSON that is accepted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidJson;

/// A value in a valid text: a slice from its first byte to its last.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// Checks a whole text.
    ///
    /// # Errors
    /// [`InvalidJson`] when it breaks a rule of this module.
    pub fn parse(text: &'a [u8]) -> Result<Self, InvalidJson> {
        let text = std::str::from_utf8(text).map_err(|_| InvalidJson)?;
        let mut scanner = Scanner { rest: text };
        let value = scanner.value()?;
        scanner.skip_space();
        let is_container = value.0.starts_with(['{', '[']);
        if is_container && scanner.rest.is_empty() { Ok(value) } else { Err(InvalidJson) }
    }

    /// The value of an object's member; of several with the name, the last. `None` when there is
    /// none, or this is no object.
    pub fn member(self, name: &str) -> Option<Json<'a>> {
        let mut scanner = Scanner { rest: self.0.strip_prefix('{')? };
        let mut found = None;
        loop {
            scanner.skip_space();
            if !scanner.rest.starts_with('"') {
                return found;
            }
            let key = scanner.value().ok()?;
            scanner.skip_space();
            scanner.eat(':').ok()?;
            let value = scanner.value().ok()?;
            if key.as_text().as_deref() == Some(name) {
                found = Some(value);
            }
            scanner.skip_space();
            if scanner.eat(',').is_err() {
                return found;
            }
        }
    }

    /// The elements of an array; `None` when this is none.
    pub fn elements(self) -> Option<impl Iterator<Item = Json<'a>>> {
        let mut scanner = Scanner { rest: self.0.strip_prefix('[')? };
        Some(std::iter::from_fn(move || {
            scanner.skip_space();
            if scanner.rest.starts_with(']') {
                return None;
            }
            let element = scanner.value().ok()?;
            scanner.skip_space();
            if scanner.eat(',').is_err() {
                scanner.rest = "]";
            }
            Some(element)
        }))
    }

    /// The value of a number; `None` when this is none.
    pub fn as_number(self) -> Option<f64> {
        if self.0.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            self.0.parse().ok()
        } else {
            None
        }
    }

    /// The characters of a string; `None` when this is none.
    pub fn as_text(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if !inner.contains('\\') {
            return Some(Cow::Borrowed(inner));
        }
        let mut text = String::with_capacity(inner.len());
        let mut rest = inner;
        while let Some((plain, escaped)) = rest.split_once('\\') {
            text.push_str(plain);
            let mut scanner = Scanner { rest: escaped };
            text.push(scanner.escape().ok()?);
            rest = scanner.rest;
        }
        text.push_str(rest);
        Some(Cow::Owned(text))
    }
}

/// A position in a text.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// Reads the space before a value and the value.
    fn value(&mut self) -> Result<Json<'a>, InvalidJson> {
        self.skip_space();
        let start = self.rest;
        // For each container that is open, the character that closes it.
        let mut open: Vec<char> = Vec::new();
        loop {
            if open.len() >= NESTING_MAX {
                return Err(InvalidJson);
            }
            if let Some(closer) = self.scalar_or_opening()? {
                open.push(closer);
                continue;
            }
            // A value has ended, and with it perhaps the containers around it.
            loop {
                let Some(&closer) = open.last() else {
                    return Ok(Json(&start[..start.len() - self.rest.len()]));
                };
                self.skip_space();
                if self.eat(',').is_ok() {
                    if closer == '}' {
                        self.key()?;
                    }
                    break;
                }
                self.eat(closer)?;
                open.pop();
            }
        }
    }

    /// Reads a scalar, an empty container, or a container's beginning up to its first value; of
    /// the last, returns the character that will close it.
    fn scalar_or_opening(&mut self) -> Result<Option<char>, InvalidJson> {
        self.skip_space();
        match self.rest.chars().next() {
            Some('{') => {
                self.advance(1);
                self.skip_space();
                if self.eat('}').is_ok() {
                    return Ok(None);
                }
                self.key()?;
                Ok(Some('}'))
            }
            Some('[') => {
                self.advance(1);
                self.skip_space();
                Ok(if self.eat(']').is_ok() { None } else { Some(']') })
            }
            Some('"') => self.string().map(|()| None),
            Some('-' | '0'..='9') => self.number().map(|()| None),
            _ => self.literal().map(|()| None),
        }
    }

    fn key(&mut self) -> Result<(), InvalidJson> {
        self.skip_space();
        self.string()?;
        self.skip_space();
        self.eat(':')
    }

    fn literal(&mut self) -> Result<(), InvalidJson> {
        let literals = ["true", "false", "null"];
        let word = literals.iter().find(|word| self.rest.starts_with(**word)).ok_or(InvalidJson)?;
        self.advance(word.len());
        // `nullx` is one wrong word, not a literal before something else.
        if self.rest.starts_with(|next: char| next.is_ascii_alphabetic()) {
            return Err(InvalidJson);
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), InvalidJson> {
        self.eat('"')?;
        loop {
            let special = self.rest.find(|c: char| c == '"' || c == '\\' || c < ' ');
            self.advance(special.ok_or(InvalidJson)?);
            if self.eat('"').is_ok() {
                return Ok(());
            }
            self.eat('\\')?;
            self.escape()?;
        }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char, InvalidJson> {
        let letter = self.rest.chars().next().ok_or(InvalidJson)?;
        self.advance(letter.len_utf8());
        Ok(match letter {
            '"' | '\\' | '/' => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.code_point(),
            _ => return Err(InvalidJson),
        })
    }

    fn code_point(&mut self) -> Result<char, InvalidJson> {
        let first = self.code_unit()?;
        let code_point = match first {
            0 => return Err(InvalidJson),
            0xd800..=0xdbff => {
                self.eat('\\')?;
                self.eat('u')?;
                let second = self.code_unit()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(InvalidJson);
                }
                0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            _ => first,
        };
        char::from_u32(code_point).ok_or(InvalidJson)
    }

    fn code_unit(&mut self) -> Result<u32, InvalidJson> {
        let digits = self.rest.get(..4).ok_or(InvalidJson)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(InvalidJson);
        }
        self.advance(4);
        u32::from_str_radix(digits, 16).map_err(|_| InvalidJson)
    }

    fn number(&mut self) -> Result<(), InvalidJson> {
        let start = self.rest;
        let _ = self.eat('-');
        if self.eat('0').is_err() {
            self.digits()?;
        }
        let mut is_integer = true;
        if self.eat('.').is_ok() {
            is_integer = false;
            self.digits()?;
        }
        if self.eat('e').is_ok() || self.eat('E').is_ok() {
            is_integer = false;
            if self.eat('-').is_err() {
                let _ = self.eat('+');
            }
            self.digits()?;
        }
        let text = &start[..start.len() - self.rest.len()];
        let is_in_range = if is_integer {
            text.parse::<i64>().is_ok()
        } else {
            text.parse::<f64>().is_ok_and(f64::is_finite)
        };
        if is_in_range { Ok(()) } else { Err(InvalidJson) }
    }

    /// Reads at least one digit.
    fn digits(&mut self) -> Result<(), InvalidJson> {
        let count = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        self.advance(count);
        if count > 0 { Ok(()) } else { Err(InvalidJson) }
    }

    fn eat(&mut self, expected: char) -> Result<(), InvalidJson> {
        self.rest = self.rest.strip_prefix(expected).ok_or(InvalidJson)?;
        Ok(())
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Goes on by bytes that were seen to be there and to end a character.
    fn advance(&mut self, size_bytes: usize) {
        self.rest = &self.rest[size_bytes..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_valid(text: &str) -> bool {
        Json::parse(text.as_bytes()).is_ok()
    }

    #[test]
    fn accepts_json() {
        for text in [
            "{}",
            " [ ] ",
            r#"{"a":1,"b":[true,false,null,-0,0.5,1e5,1E-5,1.5e+5]}"#,
            r#"["\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 é"]"#,
            "[9223372036854775807,-9223372036854775808]",
            "[[],{},[[]],{\"\":{}}]",
        ] {
            assert!(is_valid(text), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not() {
        for text in [
            "",
            " ",
            "1",
            "\"text\"",
            "null",
            "{",
            "[",
            "]",
            "[1",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "[1] 2",
            "[1]]",
            "[nul]",
            "[nullx]",
            "[01]",
            "[1.]",
            "[.5]",
            "[1e]",
            "[+1]",
            "[-]",
            "[0x1]",
            "[NaN]",
            "[1 2]",
            "[\"a]",
            "[\"\t\"]",
            r#"["\x"]"#,
            r#"["\u12"]"#,
            r#"["\u+123"]"#,
            r#"["\u0000"]"#,
            r#"["\ud83d"]"#,
            r#"["\ud83d\u0041"]"#,
            r#"["\ude00"]"#,
            "[9223372036854775808]",
            "[1e400]",
            "[\"\\",
            "[1}",
            "{\"a\":1]",
        ] {
            assert!(!is_valid(text), "{text}");
        }
        assert!(Json::parse(b"[\"\xff\"]").is_err());
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(is_valid(&nested(NESTING_MAX)));
        assert!(!is_valid(&nested(NESTING_MAX + 1)));
        assert!(!is_valid(&"[".repeat(1_000_000)));
    }

    #[test]
    fn finds_members_and_elements() {
        let text = br#" { "a" : 1 , "b":[ 1.5 , "x" , [2] ] , "t\u0079pe":"P\n", "a":-3 } "#;
        let json = Json::parse(text).expect("the text is JSON");
        assert_eq!(json.member("a").and_then(Json::as_number), Some(-3.0));
        let kind = json.member("type").and_then(Json::as_text);
        assert_eq!(kind.as_deref(), Some("P\n"));
        let elements: Vec<_> =
            json.member("b").and_then(Json::elements).into_iter().flatten().collect();
        assert_eq!(elements.len(), 3);
        assert_eq!(elements[0].as_number(), Some(1.5));
        assert_eq!(elements[1].as_text().as_deref(), Some("x"));
        assert!(elements[1].as_number().is_none());
        assert_eq!(elements[2].elements().into_iter().flatten().count(), 1);
        assert!(json.member("c").is_none());
        assert!(json.elements().is_none());
        assert!(elements[2].member("a").is_none());
    }
}
