//! The registry without its types: what the reference page and the registry's own tests read.

use crate::registry::{Context, Edition, Spec, Support, Takes};

/// One context, its rows and the contexts within it.
#[derive(Clone, Debug)]
pub struct Outline {
    /// The name that opens the context; empty for the file itself.
    pub name: &'static str,
    /// What follows the name.
    pub takes: Takes,
    /// What the context is for.
    pub doc: String,
    /// Whether this product has the feature behind the context.
    pub support: Support,
    /// Its settings, in the order of `get-config`.
    pub rows: Vec<Row>,
    /// Names that were valid once, or will be in a later release, with what to do instead.
    pub obsolete: Vec<(&'static str, &'static str)>,
    /// The words after its name that no block follows.
    pub blockless: Vec<&'static str>,
    /// The contexts within it.
    pub children: Vec<Outline>,
}

impl Outline {
    /// Whether a block follows when `word` stands after the context's name.
    pub(crate) fn opens_block(&self, word: &str) -> bool {
        !self.blockless.contains(&word)
    }

    /// The context, within this one, that knows `name`: its path in the words of a file.
    pub(crate) fn home_of(&self, name: &str) -> Option<String> {
        self.children.iter().find_map(|child| {
            let own = child.rows.iter().any(|row| row.name == name && !row.spec.command_only);
            if own || child.children.iter().any(|context| context.name == name) {
                return Some(child.name.to_owned());
            }
            child.home_of(name).map(|within| format!("{}.{within}", child.name))
        })
    }
}

/// One setting.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name in files.
    pub name: &'static str,
    /// Its type, bounds and rules.
    pub spec: Spec,
    /// Its default as `get-config` shows it; empty if nothing is shown.
    pub default: String,
    /// The name that `set-config` knows, if any.
    pub command_name: Option<String>,
    /// What it means.
    pub doc: String,
}

impl Row {
    /// Whether the original has it only in its Enterprise edition.
    pub fn is_enterprise(&self) -> bool {
        self.spec.edition == Edition::Enterprise
    }
}

/// Describes context `C` as it stands under `name`.
pub(crate) fn outline<C: Context>(
    name: &'static str,
    takes: Takes,
    command_prefix: Option<&str>,
    support: Support,
) -> Outline {
    let table = C::table();
    let default = C::default();
    let rows = table.settings.iter().map(|setting| Row {
        name: setting.name,
        spec: setting.spec,
        default: setting.own_text(&default),
        command_name: setting.command_name(command_prefix.unwrap_or_default()),
        doc: sentence(setting.doc),
    });
    Outline {
        name,
        takes,
        doc: sentence(table.doc),
        support,
        rows: rows.collect(),
        obsolete: table.obsolete.iter().map(|old| (old.name, old.hint)).collect(),
        blockless: Vec::new(),
        children: table.children.iter().map(|child| child.outline()).collect(),
    }
}

/// Joins the lines of a documentation comment.
fn sentence(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}
