//! Map operations against a plain model: a sorted map of bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Keys and values small enough to be one byte each, and to meet often.
type Model = BTreeMap<u8, u8>;

const ALL_FLAGS: [Flags; 3] = [UNORDERED, KEY_ORDERED, KEY_VALUE_ORDERED];

// Return types that the model can answer.
const RETURN_INDEX: i64 = 1;
const RETURN_KEY: i64 = 6;
const RETURN_ORDERED_MAP: i64 = 17;
const INVERTED: i64 = 0x1_0000;

fn pairs(model: &Model) -> Vec<(u8, u8)> {
    model.iter().map(|(key, value)| (*key, *value)).collect()
}

/// The positions that an index and a count select, as section 6 of the reference says it.
fn positions(index: i64, count: u64, total: usize) -> std::ops::Range<usize> {
    let total = total as i64;
    let (start, count) = match index {
        0.. => (index, count as i64),
        _ if index + total >= 0 => (index + total, count as i64),
        _ => (0, (count as i64 + index + total).max(0)),
    };
    start.min(total) as usize..(start + count).min(total) as usize
}

/// How an operation of the model test selects.
#[derive(Clone, Debug)]
enum Selection {
    IndexRange(i64, u64),
    RankRange(i64, u64),
    KeyInterval(u8, u8),
    ValueInterval(u8, u8),
    Keys(Vec<u8>),
    Values(Vec<u8>),
    AllByValue(u8),
    RelativeIndexes(u8, i64, u64),
    RelativeRanks(u8, i64, u64),
}

impl Selection {
    /// Operation codes that read and that remove, and the parameters after the return type.
    fn call(&self) -> ([u8; 2], Vec<Vec<u8>>) {
        let one = |value: &u8| vec![*value];
        match self {
            Self::IndexRange(at, count) => ([104, 85], vec![int(*at), int(*count as i64)]),
            Self::RankRange(at, count) => ([106, 87], vec![int(*at), int(*count as i64)]),
            Self::KeyInterval(begin, end) => ([103, 84], vec![one(begin), one(end)]),
            Self::ValueInterval(begin, end) => ([105, 86], vec![one(begin), one(end)]),
            Self::Keys(keys) => ([107, 81], vec![list(keys)]),
            Self::Values(values) => ([108, 83], vec![list(values)]),
            Self::AllByValue(value) => ([102, 82], vec![one(value)]),
            Self::RelativeIndexes(key, at, count) => {
                ([109, 88], vec![one(key), int(*at), int(*count as i64)])
            }
            Self::RelativeRanks(value, at, count) => {
                ([110, 89], vec![one(value), int(*at), int(*count as i64)])
            }
        }
    }

    /// The keys that are selected.
    fn keys(&self, model: &Model) -> Vec<u8> {
        let by_key: Vec<(u8, u8)> = pairs(model);
        let mut by_value = by_key.clone();
        by_value.sort_by_key(|(key, value)| (*value, *key));
        let within = |sorted: &[(u8, u8)], index: i64, count: u64| {
            let selected = &sorted[positions(index, count, sorted.len())];
            selected.iter().map(|(key, _)| *key).collect()
        };
        let relative = |base: usize, at: i64, count: u64| match base as i64 + at {
            at @ 0.. => (at, count),
            at => (0, count.saturating_sub(at.unsigned_abs())),
        };
        let wanted = |is_wanted: &dyn Fn(u8, u8) -> bool| {
            by_key.iter().filter(|(key, value)| is_wanted(*key, *value)).map(|(k, _)| *k).collect()
        };
        match self {
            Self::IndexRange(at, count) => within(&by_key, *at, *count),
            Self::RankRange(at, count) => within(&by_value, *at, *count),
            Self::KeyInterval(begin, end) => wanted(&|key, _| (*begin..*end).contains(&key)),
            Self::ValueInterval(begin, end) => wanted(&|_, value| (*begin..*end).contains(&value)),
            Self::Keys(keys) => wanted(&|key, _| keys.contains(&key)),
            Self::Values(values) => wanted(&|_, value| values.contains(&value)),
            Self::AllByValue(wanted_value) => wanted(&|_, value| value == *wanted_value),
            Self::RelativeIndexes(key, at, count) => {
                let (at, count) = relative(model.range(..key).count(), *at, *count);
                within(&by_key, at, count)
            }
            Self::RelativeRanks(value, at, count) => {
                let below = model.values().filter(|own| *own < value).count();
                let (at, count) = relative(below, *at, *count);
                within(&by_value, at, count)
            }
        }
    }
}

fn selection() -> impl Strategy<Value = Selection> {
    let byte = || 0_u8..12;
    let position = || -15_i64..15;
    let count = || 0_u64..15;
    prop_oneof![
        (position(), count()).prop_map(|(at, count)| Selection::IndexRange(at, count)),
        (position(), count()).prop_map(|(at, count)| Selection::RankRange(at, count)),
        (byte(), byte()).prop_map(|(begin, end)| Selection::KeyInterval(begin, end)),
        (byte(), byte()).prop_map(|(begin, end)| Selection::ValueInterval(begin, end)),
        prop::collection::vec(byte(), 0..6).prop_map(Selection::Keys),
        prop::collection::vec(byte(), 0..6).prop_map(Selection::Values),
        byte().prop_map(Selection::AllByValue),
        (byte(), position(), count())
            .prop_map(|(key, at, count)| Selection::RelativeIndexes(key, at, count)),
        (byte(), position(), count())
            .prop_map(|(value, at, count)| Selection::RelativeRanks(value, at, count)),
    ]
}

fn model() -> impl Strategy<Value = Model> {
    prop::collection::btree_map(0_u8..12, 0_u8..12, 0..12)
}

/// A change of the model test.
#[derive(Clone, Debug)]
enum Step {
    Put(u8, u8),
    PutItems(Model),
    Increment(u8, u8),
    Remove(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let byte = || 0_u8..12;
    prop_oneof![
        (byte(), byte()).prop_map(|(key, value)| Step::Put(key, value)),
        model().prop_map(Step::PutItems),
        (byte(), 0_u8..3).prop_map(|(key, delta)| Step::Increment(key, delta)),
        byte().prop_map(Step::Remove),
    ]
}

proptest! {
    #[test]
    fn selections_are_those_of_a_model(
        model in model(),
        flags in prop::sample::select(&ALL_FLAGS[..]),
        is_hinted: bool,
        selection in selection(),
        inverted: bool,
    ) {
        let map = encoded(&pairs(&model), flags);
        let guide = Guide::new(if is_hinted { &[1] } else { &[] });
        let stored = Stored { particle_type: ParticleType::MAP, value: &map, guide };
        let read_map = |operation: Vec<u8>| cdt::read(stored, &operation);
        let selected = selection.keys(&model);
        let is_selected = |key: &u8| selected.contains(key) != inverted;
        let (mut chosen, mut rest) = (model.clone(), model.clone());
        chosen.retain(|key, _| is_selected(key));
        rest.retain(|key, _| !is_selected(key));
        let ([get, remove], parameters) = selection.call();
        let call = |code: u8, returns: i64| {
            let returns = int(returns + if inverted { INVERTED } else { 0 });
            let all: Vec<&[u8]> =
                [&returns[..]].into_iter().chain(parameters.iter().map(|p| &p[..])).collect();
            operation(code, &all)
        };
        let as_map = Some((ParticleType::MAP, encoded(&pairs(&chosen), KEY_ORDERED)));
        prop_assert_eq!(read_map(call(get, RETURN_ORDERED_MAP)), Ok(as_map.clone()));
        let count = integer(chosen.len() as i64);
        prop_assert_eq!(read_map(call(get, RETURN_COUNT)), Ok(count));
        // Keys and indexes come in one order or another, but are the same ones.
        let sorted = |answer: Result<Answer, ResultCode>| {
            let (_, bytes) = answer.expect("keys can be asked for").expect("there is a list");
            let mut numbers = bytes[1..].to_vec();
            numbers.sort_unstable();
            numbers
        };
        let keys: Vec<u8> = chosen.keys().copied().collect();
        prop_assert_eq!(sorted(read_map(call(get, RETURN_KEY))), keys);
        if !matches!(&selection, Selection::Keys(keys) if repeats(keys))
            && !matches!(&selection, Selection::Values(values) if repeats(values))
        {
            let is_chosen = |(_, key): &(usize, &u8)| chosen.contains_key(key);
            let indexes: Vec<u8> =
                model.keys().enumerate().filter(is_chosen).map(|(index, _)| index as u8).collect();
            prop_assert_eq!(sorted(read_map(call(get, RETURN_INDEX))), indexes);
        }
        // Removing the same leaves the rest, and answers the same.
        let removed = cdt::modify(Some(stored), &call(remove, RETURN_ORDERED_MAP)).expect("it applies");
        prop_assert_eq!(&removed.answer, &as_map);
        let keeps_hint = removed.bin.is_none() || Guide::new(&removed.guide).is_hinted() == is_hinted;
        prop_assert!(keeps_hint);
        prop_assert_eq!(left(&map, removed), encoded(&pairs(&rest), flags));
    }

    #[test]
    fn a_kept_value_order_is_the_order_of_answers(
        model in model(),
        begin in 0_u8..12,
        end in 0_u8..12,
        is_hinted: bool,
    ) {
        let map = encoded(&pairs(&model), KEY_VALUE_ORDERED);
        let guide = Guide::new(if is_hinted { &[1] } else { &[] });
        let stored = Stored { particle_type: ParticleType::MAP, value: &map, guide };
        let get = operation(105, &[&int(RETURN_KEY), &[begin], &[end]]);
        let mut expected = pairs(&model);
        if is_hinted {
            expected.sort_by_key(|(key, value)| (*value, *key));
        }
        expected.retain(|(_, value)| (begin..end).contains(value));
        let keys: Vec<u8> = expected.into_iter().map(|(key, _)| key).collect();
        prop_assert_eq!(cdt::read(stored, &get), Ok(Some((ParticleType::LIST, list(&keys)))));
    }

    #[test]
    fn single_pairs_are_those_of_a_model(
        model in model(),
        flags in prop::sample::select(&ALL_FLAGS[..]),
        at in -15_i64..15,
        wanted in 0_u8..12,
    ) {
        let map = encoded(&pairs(&model), flags);
        let get = |code: u8, returns: i64, what: &[u8]| {
            read_map(&map, &operation(code, &[&int(returns), what]))
        };
        let number = |number: Option<u8>| number.map_or(Ok(None), |n| Ok(integer(n.into())));
        prop_assert_eq!(get(97, RETURN_VALUE, &[wanted]), number(model.get(&wanted).copied()));
        let index = model.keys().position(|key| *key == wanted).map_or(-1, |index| index as i64);
        prop_assert_eq!(get(97, RETURN_INDEX, &[wanted]), Ok(integer(index)));
        let mut by_value = pairs(&model);
        by_value.sort_by_key(|(key, value)| (*value, *key));
        let rank = by_value.iter().position(|(key, _)| *key == wanted).map_or(-1, |r| r as i64);
        prop_assert_eq!(get(97, RETURN_RANK, &[wanted]), Ok(integer(rank)));
        let first = by_value.iter().find(|(_, value)| *value == wanted).map(|(key, _)| *key);
        prop_assert_eq!(get(99, RETURN_KEY, &[wanted]), number(first));
        for (code, sorted) in [(98, pairs(&model)), (100, by_value)] {
            let from_front = if at < 0 { at + sorted.len() as i64 } else { at };
            let found = usize::try_from(from_front).ok().and_then(|at| sorted.get(at));
            let expected = found.map_or(Err(ResultCode::OP_NOT_APPLICABLE), |(key, _)| {
                Ok(integer((*key).into()))
            });
            prop_assert_eq!(get(code, RETURN_KEY, &int(at)), expected);
        }
    }

    #[test]
    fn changes_are_those_of_a_model(
        flags in prop::sample::select(&ALL_FLAGS[..]),
        steps in prop::collection::vec(step(), 0..20),
    ) {
        let mut model = Model::new();
        let mut map = encoded(&[], flags);
        for step in steps {
            let count_before = model.len() as i64;
            let (call, answer) = match step {
                Step::Put(key, value) => {
                    model.insert(key, value);
                    (operation(67, &[&[key], &[value]]), integer(model.len() as i64))
                }
                Step::PutItems(items) => {
                    model.extend(&items);
                    let call = operation(68, &[&encoded(&pairs(&items), UNORDERED)]);
                    (call, integer(model.len() as i64))
                }
                Step::Increment(key, delta) => {
                    let value = model.entry(key).or_default();
                    *value = (*value + delta) % 128;
                    (operation(73, &[&[key], &[delta]]), integer((*value).into()))
                }
                Step::Remove(key) => {
                    model.remove(&key);
                    let removed = count_before - model.len() as i64;
                    (operation(76, &[&int(RETURN_COUNT), &[key]]), integer(removed))
                }
            };
            let modified = modify_map(&map, &call).expect("the operation applies");
            prop_assert_eq!(&modified.answer, &answer);
            map = left(&map, modified);
            prop_assert_eq!(&map, &encoded(&pairs(&model), flags));
            let size = read_map(&map, &operation(96, &[]));
            prop_assert_eq!(size, Ok(integer(model.len() as i64)));
        }
    }
}

/// Whether a value stands in a list more than once.
fn repeats(values: &[u8]) -> bool {
    (1..values.len()).any(|end| values[..end].contains(&values[end]))
}
