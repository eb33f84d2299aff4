//! Files of the system metadata, and what is made of two of them.

use node::metadata::file::{Contents, decode, encode};
use node::metadata::{Item, Module, merge};

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "metadata",
    what: "files of the system metadata, and their merging",
    seeds: |_| {
        let seed = |items: &str| format!("[\n[9, 2],\n{items}\n]").into_bytes();
        let item = |key: &str, value: &str| {
            format!(
                "{{\"key\": \"{key}\", \"value\": {value}, \"generation\": 3, \"timestamp\": 4}}"
            )
        };
        let module = r#""{\"content64\": \"YQ==\", \"type\": \"LUA\", \"name\": \"a.lua\"}""#;
        vec![
            seed(&item("test|s", "\"123\"")),
            seed(&format!("{},{}", item("a", "null"), item("b", "\"\\u00e9\""))),
            seed(&item("test|s|b|cEAE=|L|S", "\"name\"")),
            seed(&item("a.lua", module)),
            seed(r#"{"key64": "/w==", "value64": "/g==", "generation": 1, "timestamp": 1}"#),
        ]
    },
    make: |_| Box::new(feed),
};

fn feed(input: &[u8]) -> Outcome {
    let lines = input.split(|byte| *byte == b'\n').count();
    let kinds = Module::ALL.map(|module| match decode(module, input) {
        Ok(contents) => {
            promises(module, &contents);
            Outcome::of((0, contents.items.len().min(5)))
        }
        Err(corrupt) => {
            assert!((1..=lines).contains(&corrupt.line), "line {} of {lines}", corrupt.line);
            assert!(!corrupt.reason.is_empty(), "refused without a reason");
            Outcome::of(corrupt.reason.chars().filter(char::is_ascii_alphabetic).count())
        }
    });
    Outcome::of(kinds)
}

fn promises(module: Module, contents: &Contents) {
    assert_eq!(decode(module, &encode(contents)).as_ref(), Ok(contents), "another file");
    let items = &contents.items;
    let (ours, theirs) = items.split_at(items.len() / 2);
    // The same keys on both sides, with other values.
    let turned: Vec<Item> = items.iter().zip(items.iter().rev()).map(mixed).collect();
    for (a, b) in [(ours, theirs), (items, &turned)] {
        assert_eq!(sorted(merge::merge(module, a, b)), sorted(merge::merge(module, b, a)));
    }
    assert_eq!(merge::merge(module, items, items), *items);
}

/// The key of one with the rest of another.
fn mixed((item, other): (&Item, &Item)) -> Item {
    Item { key: item.key.clone(), ..other.clone() }
}

fn sorted(mut items: Vec<Item>) -> Vec<Item> {
    items.sort_by(|a, b| a.key.cmp(&b.key));
    items
}
