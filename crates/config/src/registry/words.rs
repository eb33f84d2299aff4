//! Enumerated settings: a type, its words, and the way between them, from one list.

/// Declares an enumeration whose variants are words of the configuration. The first variant is the
/// default.
macro_rules! words {
    (
        $(#[doc = $doc:literal])+
        pub enum $type:ident {
            $(#[doc = $first_doc:literal])+
            $first:ident = $first_word:literal,
            $( $(#[doc = $variant_doc:literal])+ $variant:ident = $word:literal, )*
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $type {
            $(#[doc = $first_doc])+
            #[default]
            $first,
            $( $(#[doc = $variant_doc])+ $variant, )*
        }

        impl $type {
            /// Every word, in the order of the variants.
            pub const WORDS: &'static [&'static str] = &[$first_word, $($word),*];

            /// The word that stands for this value in files and answers.
            pub const fn word(self) -> &'static str {
                match self {
                    Self::$first => $first_word,
                    $( Self::$variant => $word, )*
                }
            }

            /// The value that a word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $first_word => Some(Self::$first),
                    $( $word => Some(Self::$variant), )*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl $crate::registry::Element for $type {
            const ABSENT: &'static str = "null";

            fn parse(input: &$crate::registry::Input<'_>) -> Result<Self, $crate::registry::Fault> {
                let word = input.word()?;
                Self::from_word(word).ok_or_else(|| $crate::registry::Fault::UnknownWord {
                    expected: Self::WORDS,
                    nearest: $crate::text::nearest(word, Self::WORDS.iter().copied()),
                })
            }

            fn text(&self, _spec: &$crate::registry::Spec) -> String {
                self.word().into()
            }
        }
    };
}

pub(crate) use words;
