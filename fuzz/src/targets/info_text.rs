//! Info requests as text: lines, names, parameters.

use wire::info::{ParamError, Params, answers, append_answer, commands};

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "info_text",
    what: "bodies of info requests",
    seeds: |corpus| corpus.info.clone(),
    make: |_| Box::new(feed),
};

fn feed(input: &[u8]) -> Outcome {
    let mut kinds = Vec::new();
    let mut bytes = 0;
    for command in commands(input) {
        bytes += command.line.len() + 1;
        let delimiter = command.line.get(command.name.len()).copied();
        assert_eq!(command.positional, delimiter == Some(b'/'));
        assert!(
            command.line.starts_with(command.name) && command.line.ends_with(command.arguments)
        );
        let delimiters = usize::from(delimiter.is_some());
        let parts = command.name.len() + delimiters + command.arguments.len();
        assert_eq!(command.line.len(), parts);
        let pairs = check_params(command.params());
        let mut answer = Vec::new();
        append_answer(&mut answer, command.line, b"value");
        let (echo, value) = answers(&answer).next().expect("an answer was just made");
        // A tab in the command cannot be told from the one that ends it.
        assert!(command.line.contains(&b'\t') || (echo == command.line && value == b"value"));
        kinds.push((delimiter, pairs.min(5)));
    }
    let rest = input.len() - bytes;
    assert!(!input[bytes..].contains(&b'\n'), "a line that is no command");
    kinds.truncate(2);
    Outcome::of((kinds, rest == 0))
}

fn check_params(params: Params<'_>) -> usize {
    for (key, value) in params.pairs() {
        assert!(!key.contains(&b';') && !key.contains(&b'=') && !value.contains(&b';'));
        let Ok(key) = std::str::from_utf8(key) else { continue };
        match params.get(key, 10) {
            Ok(found) => assert!((1..=10).contains(&found.len())),
            Err(ParamError::Missing) => panic!("{key:?} is there"),
            Err(ParamError::Empty | ParamError::TooLong) => {}
        }
    }
    params.pairs().count()
}
