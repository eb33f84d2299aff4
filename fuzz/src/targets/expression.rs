//! Expressions: built, and evaluated on a record.

use expr::{Filter, IndexExpression, Medium, Metadata, Operation, Program, RecordView};
use wire::{Digest, ParticleType, ResultCode};

use super::operations::hexadecimal;
use super::{Entry, Outcome, Target};

/// Recorded records and expressions; the file explains its form.
const RECORDED: &str = include_str!("../../../crates/expr/testdata/recorded.txt");
/// Of the recorded expressions, one in so many is taken.
const LINES_APART: usize = 5;

/// What the first byte of an input says about the rest.
const FILTER: u8 = 0;
const READ: u8 = 1;
const INDEX: u8 = 2;

pub const ENTRY: Entry = Entry {
    name: "expression",
    what: "filters and expression operations, on a record",
    seeds: |_| {
        let lines = RECORDED.lines().step_by(LINES_APART);
        let seeds = lines.flat_map(|line| {
            let mut words = line.split(' ');
            let kinds: &[u8] = match words.next() {
                Some("filter") => &[FILTER, INDEX],
                Some("read") => &[READ],
                _ => &[],
            };
            let source = words.next().and_then(hexadecimal).unwrap_or_default();
            kinds.iter().map(move |kind| [&[*kind][..], &source].concat())
        });
        seeds.filter(|seed| seed.len() < 2000).collect()
    },
    make: |_| Box::new(Evaluated(Record::recorded())),
};

struct Evaluated(Record);

impl Target for Evaluated {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        let Some((kind, source)) = input.split_first() else { return Outcome::of("empty") };
        match kind % 4 {
            FILTER => self.filter(source),
            INDEX => self.index(source),
            READ => {
                let Ok(operation) = Operation::to_read(source) else {
                    return Outcome::of("no operation");
                };
                Outcome::of(operation.read(&self.0).map(|_| "read").map_err(known))
            }
            _ => {
                let Ok(operation) = Operation::to_modify(source) else {
                    return Outcome::of("no operation");
                };
                Outcome::of(operation.modify(&self.0, b"i").map(|_| "modified").map_err(known))
            }
        }
    }
}

impl Evaluated {
    fn index(&self, source: &[u8]) -> Outcome {
        let Ok(expression) = IndexExpression::build(source) else {
            return Outcome::of(("not for an index", Program::build(source).is_ok()));
        };
        let value = expression.value_of(&self.0);
        let expected = expression.result_type().particle_type();
        assert!(value.as_ref().is_none_or(|(kind, _)| *kind == expected), "{value:?}");
        Outcome::of((value.is_some(), expected.0))
    }

    fn filter(&self, source: &[u8]) -> Outcome {
        let Ok(filter) = Filter::build(source) else {
            return Outcome::of(("no filter", Program::build(source).is_ok()));
        };
        let decided = filter.decide(self.0.metadata());
        let matches = filter.matches(&self.0);
        if !filter.needs_record() || decided.is_some() {
            assert_eq!(decided.unwrap_or(false), matches, "the record says otherwise");
        }
        // A filter that outlives its request is the same one.
        let owned = filter.into_owned();
        assert_eq!(owned.matches(&self.0), matches);
        Outcome::of((decided, matches, source.get(1)))
    }
}

fn known(code: ResultCode) -> u8 {
    assert!(ResultCode::ALL.iter().any(|(known, ..)| *known == code), "{code:?}");
    code.0
}

/// A record of the recorded ones.
struct Record {
    digest: Digest,
    bins: Vec<(Vec<u8>, ParticleType, Vec<u8>)>,
}

impl Record {
    /// The first of the file, which has bins of every type.
    fn recorded() -> Self {
        let lines = RECORDED.lines().filter_map(|line| line.strip_prefix("has "));
        let bins = lines.take(17).filter_map(|line| {
            let [name, kind, value] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
            Some((hexadecimal(name)?, ParticleType(kind.parse().ok()?), hexadecimal(value)?))
        });
        Self { digest: Digest([7; Digest::SIZE]), bins: bins.collect() }
    }
}

impl Metadata for Record {
    fn digest(&self) -> &Digest {
        &self.digest
    }

    fn set_name(&self) -> &[u8] {
        b"demo"
    }

    fn now_ms(&self) -> u64 {
        500_000_000_000
    }

    fn last_update_time_ms(&self) -> u64 {
        499_999_000_000
    }

    fn void_time_seconds(&self) -> u32 {
        500_000_100
    }

    fn has_key(&self) -> Option<bool> {
        Some(true)
    }

    fn is_tombstone(&self) -> bool {
        false
    }

    fn size_bytes(&self) -> usize {
        200
    }

    fn medium(&self) -> Medium {
        Medium::Memory
    }
}

impl RecordView for Record {
    fn metadata(&self) -> &dyn Metadata {
        self
    }

    fn key(&self) -> Option<&[u8]> {
        Some(b"\x03key")
    }

    fn bin(&self, name: &[u8]) -> Option<(ParticleType, &[u8])> {
        let (_, kind, value) = self.bins.iter().find(|(known, ..)| known == name)?;
        Some((*kind, value))
    }
}
