//! How the field types of the tree are read from words and shown again.

use super::{Fault, Kind, Source, Spec, number, parse_duration, parse_number, spec::Many};

/// The words that follow a setting's name, and the rules to read them by.
pub(crate) struct Input<'a> {
    pub spec: &'a Spec,
    pub words: &'a [&'a str],
    pub source: Source,
}

impl<'a> Input<'a> {
    /// The first word.
    pub fn word(&self) -> Result<&'a str, Fault> {
        self.words.first().copied().ok_or(Fault::Missing)
    }

    /// The bounds that hold for this source.
    fn range(&self) -> (u64, u64) {
        match (self.source, self.spec.command_range) {
            (Source::Command, Some(range)) => range,
            _ => (self.spec.min, self.spec.max),
        }
    }

    /// Reads a number by the spec's kind and checks its bounds. `type_max` is the largest number
    /// that the field's type holds.
    fn number(&self, type_max: u64) -> Result<u64, Fault> {
        let word = self.word()?;
        let (min, max) = self.range();
        let max = max.min(type_max);
        let out_of_range = Fault::OutOfRange { min, max };
        let value = match self.spec.kind {
            Kind::Duration => u64::from(parse_duration(word, self.source)?),
            Kind::SaturatingNumber if number::overflows(word) => {
                if self.source == Source::File {
                    return Err(out_of_range);
                }
                i64::MAX as u64
            }
            // Only 64-bit numbers wrap; narrower ones notice that the number is too large.
            _ if type_max < u64::MAX && number::overflows(word) => return Err(out_of_range),
            _ => parse_number(word, self.source)?,
        };
        if value < min || value > max {
            return Err(out_of_range);
        }
        if self.spec.power_of_two && !value.is_power_of_two() {
            return Err(Fault::NotPowerOfTwo);
        }
        if self.spec.multiple_of > 1 && !value.is_multiple_of(self.spec.multiple_of) {
            return Err(Fault::NotMultiple(self.spec.multiple_of));
        }
        Ok(value)
    }
}

/// Names and values in the order in which an answer shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    prefix: String,
    pairs: Vec<(String, String)>,
}

impl Pairs {
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.pairs.push((format!("{}{name}", self.prefix), value.into()));
    }

    /// Runs `fill` with `prefix` before every name.
    pub fn within(&mut self, prefix: &str, fill: impl FnOnce(&mut Self)) {
        let length = self.prefix.len();
        self.prefix.push_str(prefix);
        fill(self);
        self.prefix.truncate(length);
    }

    pub fn into_vec(self) -> Vec<(String, String)> {
        self.pairs
    }

    /// `name=value` joined by `;`.
    pub fn render(&self) -> String {
        let pairs: Vec<_> = self.pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
        pairs.join(";")
    }

    /// The values alone, for comparing and logging.
    pub fn values(&self) -> String {
        let values: Vec<_> = self.pairs.iter().map(|(_, v)| v.as_str()).collect();
        values.join(",")
    }
}

/// A field that a setting can fill: one element, perhaps one, or a list.
pub(crate) trait Value {
    /// Takes one line's words.
    fn read(&mut self, input: &Input<'_>) -> Result<(), Fault>;
    /// Appends what `get-config` shows: nothing, one pair or several.
    fn show(&self, spec: &Spec, name: &str, out: &mut Pairs);
}

/// One value.
pub(crate) trait Element: Sized + PartialEq {
    /// What is shown where there is none.
    const ABSENT: &'static str;
    fn parse(input: &Input<'_>) -> Result<Self, Fault>;
    fn text(&self, spec: &Spec) -> String;
    /// Appends whatever else is shown of this element of an indexed list.
    fn show_parts(&self, _key: &str, _out: &mut Pairs) {}
}

impl<T: Element> Value for T {
    fn read(&mut self, input: &Input<'_>) -> Result<(), Fault> {
        *self = T::parse(input)?;
        Ok(())
    }

    fn show(&self, spec: &Spec, name: &str, out: &mut Pairs) {
        out.push(name, self.text(spec));
    }
}

impl<T: Element> Value for Option<T> {
    fn read(&mut self, input: &Input<'_>) -> Result<(), Fault> {
        *self = Some(T::parse(input)?);
        Ok(())
    }

    fn show(&self, spec: &Spec, name: &str, out: &mut Pairs) {
        let text = self.as_ref().map_or_else(|| T::ABSENT.into(), |value| value.text(spec));
        out.push(name, text);
    }
}

impl<T: Element> Value for Vec<T> {
    fn read(&mut self, input: &Input<'_>) -> Result<(), Fault> {
        let element = T::parse(input)?;
        if self.contains(&element) {
            return Ok(());
        }
        if self.len() >= input.spec.count_max {
            return Err(Fault::TooMany(input.spec.count_max));
        }
        self.push(element);
        Ok(())
    }

    fn show(&self, spec: &Spec, name: &str, out: &mut Pairs) {
        if spec.many == Many::Joined {
            let texts: Vec<_> = self.iter().map(|element| element.text(spec)).collect();
            out.push(name, texts.join(","));
            return;
        }
        for (index, element) in self.iter().enumerate() {
            let key = match spec.many {
                Many::Indexed => format!("{name}[{index}]"),
                _ => name.to_owned(),
            };
            out.push(&key, element.text(spec));
            element.show_parts(&key, out);
        }
    }
}

impl Element for bool {
    const ABSENT: &'static str = "false";

    fn parse(input: &Input<'_>) -> Result<Self, Fault> {
        let word = match (input.words.first(), input.spec.kind) {
            (None, Kind::Flag { bare: true }) => return Ok(true),
            (word, _) => word.ok_or(Fault::Missing)?,
        };
        let lenient = input.source == Source::File;
        match *word {
            "true" => Ok(true),
            "false" => Ok(false),
            word if lenient && word.eq_ignore_ascii_case("true") => Ok(true),
            word if lenient && word.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(Fault::NotFlag),
        }
    }

    fn text(&self, _spec: &Spec) -> String {
        self.to_string()
    }
}

macro_rules! number_elements {
    ($($type:ty),*) => {$(
        impl Element for $type {
            const ABSENT: &'static str = "0";

            fn parse(input: &Input<'_>) -> Result<Self, Fault> {
                let number = input.number(u64::from(<$type>::MAX))?;
                Ok(<$type>::try_from(number).expect("Input::number keeps to the type's maximum"))
            }

            fn text(&self, _spec: &Spec) -> String {
                self.to_string()
            }
        }
    )*};
}

number_elements!(u16, u32);

impl Element for u64 {
    const ABSENT: &'static str = "0";

    fn parse(input: &Input<'_>) -> Result<Self, Fault> {
        if input.spec.kind == Kind::Hex {
            return parse_hex(input.word()?);
        }
        input.number(u64::MAX)
    }

    fn text(&self, spec: &Spec) -> String {
        match spec.kind {
            Kind::Hex => format!("{self:X}"),
            _ => self.to_string(),
        }
    }
}

/// Reads a node id: 1 to 16 hexadecimal digits, with or without `0x`, not zero.
fn parse_hex(word: &str) -> Result<u64, Fault> {
    let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
    let plain = !digits.is_empty() && digits.len() <= 16;
    if !plain || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(Fault::NotHex);
    }
    match u64::from_str_radix(digits, 16) {
        Ok(0) | Err(_) => Err(Fault::NotHex),
        Ok(number) => Ok(number),
    }
}

impl Element for String {
    const ABSENT: &'static str = "null";

    fn parse(input: &Input<'_>) -> Result<Self, Fault> {
        let word = input.word()?;
        if word.is_empty() {
            return Err(Fault::Missing);
        }
        if word.len() as u64 > input.spec.max {
            return Err(Fault::TooLong(input.spec.max));
        }
        Ok(word.to_owned())
    }

    fn text(&self, _spec: &Spec) -> String {
        self.clone()
    }
}
