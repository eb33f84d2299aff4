//! A context: a struct of the tree together with the table of its settings.

use super::{Child, Dynamic, Fault, Input, Pairs, Source, Spec};
use crate::info::{Changed, Params};

/// One row: a setting of context `T`.
pub(crate) struct Setting<T: 'static> {
    /// The name in files and answers.
    pub name: &'static str,
    /// Type, bounds and rules.
    pub spec: Spec,
    /// What it means: the lines of the field's documentation.
    pub doc: &'static [&'static str],
    /// Fills the field from the words of a line.
    pub read: fn(&mut T, &Input<'_>) -> Result<(), Fault>,
    /// Shows the field under a name.
    pub show: fn(&T, &Spec, &str, &mut Pairs),
}

/// A name that was once valid, or that only a later release of the original knows.
pub(crate) struct Obsolete {
    pub name: &'static str,
    /// What to write instead, as the end of a sentence.
    pub hint: &'static str,
}

/// Everything that may stand in context `T`, in the order in which `get-config` shows it.
pub(crate) struct Table<T: 'static> {
    pub doc: &'static [&'static str],
    pub settings: &'static [Setting<T>],
    pub obsolete: &'static [Obsolete],
    pub children: &'static [&'static dyn Child<T>],
}

/// A struct of the tree that a table describes. [`context!`] declares both.
pub(crate) trait Context: Default + 'static {
    fn table() -> &'static Table<Self>;

    /// Whether the context is in a mode that a row names (an engine, a heartbeat mode, …).
    fn is(&self, _mode: &str) -> bool {
        true
    }

    /// The value to show of a setting whose effective value follows from others.
    fn shown_value(&self, _name: &str) -> Option<String> {
        None
    }

    /// Shows what belongs before the settings and is none.
    fn show_first(&self, _out: &mut Pairs) {}
}

fn holds_in<T: Context>(target: &T, modes: &[&str]) -> bool {
    modes.is_empty() || modes.iter().any(|mode| target.is(mode))
}

impl<T: Context> Setting<T> {
    /// Whether the setting exists in the target's present mode.
    pub fn is_offered(&self, target: &T) -> bool {
        holds_in(target, self.spec.offered_in)
    }

    /// Appends the pairs by which `get-config` shows the setting.
    pub fn show_in(&self, target: &T, out: &mut Pairs) {
        let visible = !self.spec.hidden && holds_in(target, self.spec.shown_in);
        if !visible || !self.is_offered(target) {
            return;
        }
        self.show_value(target, out);
    }

    fn show_value(&self, target: &T, out: &mut Pairs) {
        let name = self.spec.shown_as.unwrap_or(self.name);
        match target.shown_value(self.name) {
            Some(value) => out.push(name, value),
            None => (self.show)(target, &self.spec, name, out),
        }
    }

    /// The value as text, whatever the mode.
    pub fn text(&self, target: &T) -> String {
        let mut pairs = Pairs::default();
        self.show_value(target, &mut pairs);
        pairs.values()
    }

    /// The field as text, without regard to what other settings make of it.
    pub fn own_text(&self, target: &T) -> String {
        let mut pairs = Pairs::default();
        (self.show)(target, &self.spec, self.name, &mut pairs);
        pairs.values()
    }

    /// The name that `set-config` knows, given the prefix of the context.
    pub fn command_name(&self, prefix: &str) -> Option<String> {
        match self.spec.dynamic {
            Dynamic::No => None,
            Dynamic::Yes => Some(format!("{prefix}{}", self.name)),
        }
    }

    fn command(&self, target: &mut T, name: String, value: &str) -> Result<Changed, Fault> {
        if !self.is_offered(target) || !holds_in(target, self.spec.dynamic_in) {
            return Err(Fault::Other("cannot be changed here".into()));
        }
        if self.spec.waits_for_feature() {
            return Err(Fault::Other("would have no effect in this release".into()));
        }
        let old = self.text(target);
        let input = Input { spec: &self.spec, words: &[value], source: Source::Command };
        (self.read)(target, &input)?;
        Ok(Changed { name, old, new: self.text(target) })
    }
}

/// Appends everything that `get-config` shows of a context.
pub(crate) fn show<T: Context>(target: &T, out: &mut Pairs) {
    target.show_first(out);
    show_settings(target, out);
    for child in T::table().children {
        child.show(target, out);
    }
}

/// Appends the settings of a context without those of its children.
pub(crate) fn show_settings<T: Context>(target: &T, out: &mut Pairs) {
    for setting in T::table().settings {
        setting.show_in(target, out);
    }
}

/// Applies the first parameter that names a dynamic setting of the context or of its children.
/// `None` if none does.
pub(crate) fn command<T: Context>(
    target: &mut T,
    prefix: &str,
    params: &Params<'_>,
) -> Option<Result<Changed, Fault>> {
    let table = T::table();
    let named = table.settings.iter().find_map(|setting| {
        let name = setting.command_name(prefix)?;
        let value = params.get(&name)?;
        Some((setting, name, value))
    });
    if let Some((setting, name, value)) = named {
        return Some(setting.command(target, name, value));
    }
    table.children.iter().find_map(|child| child.command(target, params))
}

/// Declares a context: the struct with its documentation and defaults, and the table of its rows.
///
/// A row reads `"name-in-files" field: Type = default, rules;` and carries the documentation of
/// both. Rows stand in the order in which `get-config` shows them.
macro_rules! context {
    (
        $(#[doc = $doc:literal])+
        pub struct $type:ident {
            $(
                $(#[doc = $plain_doc:literal])+
                pub $plain:ident: $plain_type:ty = $plain_default:expr;
            )*
        }
        settings {
            $(
                $(#[doc = $row_doc:literal])+
                $name:literal $field:ident: $field_type:ty = $default:expr, $spec:expr;
            )*
        }
        obsolete { $( $old:literal => $hint:literal; )* }
        children [ $($child:expr),* $(,)? ]
        hooks { $($hooks:tt)* }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $type {
            $( $(#[doc = $plain_doc])+ pub $plain: $plain_type, )*
            $( $(#[doc = $row_doc])+ pub $field: $field_type, )*
        }

        impl Default for $type {
            fn default() -> Self {
                #[allow(unused_imports)]
                use $crate::registry::spec::*;
                Self { $($plain: $plain_default,)* $($field: $default,)* }
            }
        }

        impl $crate::registry::Context for $type {
            fn table() -> &'static $crate::registry::Table<Self> {
                #[allow(unused_imports)]
                use $crate::registry::spec::*;
                static TABLE: $crate::registry::Table<$type> = $crate::registry::Table {
                    doc: &[$($doc),+],
                    settings: &[$(
                        $crate::registry::Setting {
                            name: $name,
                            spec: $spec,
                            doc: &[$($row_doc),+],
                            read: |target, input| {
                                $crate::registry::Value::read(&mut target.$field, input)
                            },
                            show: |target, spec, name, out| {
                                $crate::registry::Value::show(&target.$field, spec, name, out);
                            },
                        },
                    )*],
                    obsolete: &[$( $crate::registry::Obsolete { name: $old, hint: $hint }, )*],
                    children: &[$($child),*],
                };
                &TABLE
            }

            $($hooks)*
        }
    };
}

pub(crate) use context;
