//! The reference page: every setting, rendered from the registry.

use std::fmt::Write as _;

use crate::outline::{Outline, Row};
use crate::registry::{Kind, Support, Takes};
use crate::tree;

const HEAD: &str = "\
# Configuration

<!-- Rendered from the settings registry (crates/config). A test keeps the two equal:
     BOLIDE_BLESS=1 cargo test -p bolide-config reference_page -->

`bolide --config-file FILE` reads the original's `aerospike.conf`, or the same tree as YAML if the
name ends in `.yaml` or `.yml`. In YAML, contexts are maps, contexts with a name are maps by name,
and settings that are repeated are lists:

```
namespace test {                     namespace:
    replication-factor 2               test:
    storage-engine memory {              replication-factor: 2
        data-size 1G                     storage-engine:
    }                                      memory:
}                                            data-size: 1G
```

Numbers may end in K, M, G, T or P (powers of 1024), durations in s, m, h or d. *Dynamic* settings
can be changed while the server runs, by `set-config` under the name given there: on one node, until it
stops; those of a set on all nodes of the cluster, and for good. Settings marked
*EE* exist only in the original's Enterprise edition; here they are like any other. Settings
marked *later* are accepted with a warning but have no effect yet (commands that would change one
of the *EE* settings among them are refused); *inert* ones never will.
";

/// The page as Markdown.
pub fn reference_page() -> String {
    let mut page = HEAD.to_owned();
    for context in &tree::outline().children {
        render(context, "", &mut page);
    }
    page
}

fn render(outline: &Outline, parents: &str, page: &mut String) {
    let title = match outline.takes {
        Takes::Nothing => outline.name.to_owned(),
        Takes::Name => format!("{} <name>", outline.name),
        Takes::Path => format!("{} <path>", outline.name),
        Takes::Kind(kinds) => format!("{} {}", outline.name, kinds.join("|")),
    };
    let path = match parents {
        "" => title,
        parents => format!("{parents} › {title}"),
    };
    let _ = write!(page, "\n## `{path}`\n\n{}\n", outline.doc);
    if outline.support == Support::Later {
        page.push_str("\n*Later: accepted with a warning, without effect yet.*\n");
    }
    if !outline.rows.is_empty() {
        page.push_str("\n| setting | values | default | dynamic | notes | meaning |\n");
        page.push_str("|---|---|---|---|---|---|\n");
    }
    let mut rows: Vec<_> = outline.rows.iter().collect();
    rows.sort_by_key(|row| row.name);
    for row in rows {
        render_row(row, page);
    }
    for (index, (name, hint)) in outline.obsolete.iter().enumerate() {
        let start = if index == 0 { "\nRefused: " } else { "; " };
        let _ = write!(page, "{start}`{name}` ({hint})");
    }
    if !outline.obsolete.is_empty() {
        page.push_str(".\n");
    }
    for child in &outline.children {
        render(child, &path, page);
    }
}

fn render_row(row: &Row, page: &mut String) {
    let default = match row.default.as_str() {
        "" | "null" => String::new(),
        // Where zero is out of bounds it stands for "not set".
        "0" if row.spec.min > 0 || row.spec.kind == Kind::Hex => String::new(),
        default => format!("`{default}`"),
    };
    let dynamic = match &row.command_name {
        None => String::new(),
        Some(name) if name == row.name => "yes".into(),
        Some(name) => format!("`{name}`"),
    };
    let cells = [
        format!("`{}`", row.name),
        row.spec.describe(),
        default,
        dynamic,
        notes(row).join("; "),
        row.doc.clone(),
    ];
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

fn notes(row: &Row) -> Vec<String> {
    let spec = &row.spec;
    let mut notes = Vec::new();
    if row.is_enterprise() {
        notes.push("EE".into());
    }
    match spec.support {
        Support::Works => {}
        Support::Later => notes.push("later".into()),
        Support::Inert(why) => notes.push(format!("inert: {why}")),
    }
    if spec.command_only {
        notes.push("only by command".into());
    }
    if !spec.offered_in.is_empty() {
        notes.push(format!("only for {}", spec.offered_in.join(", ")));
    }
    if !spec.dynamic_in.is_empty() {
        notes.push(format!("dynamic only for {}", spec.dynamic_in.join(", ")));
    }
    notes
}
