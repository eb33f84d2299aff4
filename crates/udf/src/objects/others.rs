//! `geojson`, `iterator`, `stream`, and the string functions that match patterns.

use std::sync::Arc;

use mlua::Value as LuaValue;
use mlua::{Function, Lua, MetaMethod, MultiValue, UserData, UserDataFields, UserDataMethods};
use parking_lot::Mutex;

use super::{Body, fill, meta, object};
use crate::pattern::{Capture, Failure, Match, Matcher};
use crate::shared::{Answer, Args, OVERDUE, Shared, boolean, nothing, one, text};
use crate::value::{Key, ListRef, MapRef, Value};

/// A GeoJSON text.
#[derive(Clone)]
pub(crate) struct Geo(pub Arc<[u8]>);

impl UserData for Geo {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "GeoJSON");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_function(MetaMethod::ToString, |l, v: MultiValue| {
            meta(l, v, |args| {
                let geo = args.object::<Geo>(1, "GeoJSON")?;
                text(args, &Value::Geo(geo.0))
            })
        });
    }
}

/// A walk over a list or map. A list is walked as it is by then, a map as it was.
#[derive(Clone)]
pub(crate) struct Iter(Arc<Mutex<Walk>>);

struct Walk {
    source: Source,
    show: fn(&Args<'_>, &Key, &Value) -> Answer,
}

enum Source {
    List(ListRef, usize),
    Map(std::vec::IntoIter<(Key, Value)>),
}

impl UserData for Iter {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "Iterator");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_function("has_next", |l, v: MultiValue| meta(l, v, has_next));
        methods.add_function("next", |l, v: MultiValue| meta(l, v, next_value));
    }
}

impl Iter {
    /// Answers with what a loop over a list needs.
    pub fn over_list(args: &Args<'_>, list: ListRef) -> Answer {
        Self::start(args, Source::List(list, 0), Self::value)
    }

    /// Answers with what a loop over a map needs.
    pub fn over_map(
        args: &Args<'_>,
        map: MapRef,
        show: fn(&Args<'_>, &Key, &Value) -> Answer,
    ) -> Answer {
        Self::start(args, Source::Map(map.pairs().into_iter()), show)
    }

    fn start(
        args: &Args<'_>,
        source: Source,
        show: fn(&Args<'_>, &Key, &Value) -> Answer,
    ) -> Answer {
        let iter = Self(Arc::new(Mutex::new(Walk { source, show })));
        let iter = LuaValue::UserData(args.lua.create_userdata(iter)?);
        let next = args.lua.app_data_ref::<Generator>().map(|generator| generator.0.clone());
        let next = next.map_or(LuaValue::Nil, LuaValue::Function);
        Ok(MultiValue::from_iter([next, iter]))
    }

    pub fn value(args: &Args<'_>, _: &Key, value: &Value) -> Answer {
        one(args.push(value)?)
    }

    pub fn key(args: &Args<'_>, key: &Key, _: &Value) -> Answer {
        let key = args.settle(|| key.value(&args.shared.budget))?;
        one(args.push(&key)?)
    }

    pub fn pair(args: &Args<'_>, key: &Key, value: &Value) -> Answer {
        let key = args.settle(|| key.value(&args.shared.budget))?;
        Ok(MultiValue::from_iter([args.push(&key)?, args.push(value)?]))
    }

    fn next(&self, args: &Args<'_>) -> Answer {
        let mut walk = self.0.lock();
        let item = match &mut walk.source {
            Source::List(list, index) => {
                *index += 1;
                list.get(*index - 1).map(|value| (Key::Int(0), value))
            }
            Source::Map(pairs) => pairs.next(),
        };
        let show = walk.show;
        drop(walk);
        match item {
            Some((key, value)) => show(args, &key, &value),
            None => nothing(),
        }
    }

    fn has_next(&self) -> bool {
        match &self.0.lock().source {
            Source::List(list, index) => *index < list.len(),
            Source::Map(pairs) => pairs.len() > 0,
        }
    }
}

/// The function that loops call.
struct Generator(Function);

fn generate(args: &Args<'_>) -> Answer {
    match args.get(1) {
        LuaValue::UserData(data) => match data.borrow_scoped(Iter::clone) {
            Ok(iter) => iter.next(args),
            Err(_) => nothing(),
        },
        _ => nothing(),
    }
}

fn has_next(args: &Args<'_>) -> Answer {
    boolean(args.object::<Iter>(1, "Iterator")?.has_next())
}

fn next_value(args: &Args<'_>) -> Answer {
    let found = args.object::<Iter>(1, "Iterator")?.next(args)?;
    one(found.into_iter().next().unwrap_or(LuaValue::Nil))
}

/// Scripts never hold a stream: what they are given is the table of operations.
fn no_stream(args: &Args<'_>) -> Answer {
    Err(args.expected(1, "Stream"))
}

fn geojson(args: &Args<'_>) -> Answer {
    if args.len() != 2 {
        return nothing();
    }
    match args.optional_c_string(2)? {
        Some(text) => args.answer(Some(Value::Geo(text.into()))),
        None => nothing(),
    }
}

pub(super) fn register(lua: &Lua, shared: &Arc<Shared>) -> mlua::Result<()> {
    const ITERATOR: &[(&str, Body)] = &[("has_next", has_next), ("next", next_value)];
    const STREAM: &[(&str, Body)] = &[
        ("read", no_stream),
        ("write", no_stream),
        ("readable", no_stream),
        ("writable", no_stream),
        ("tostring", no_stream),
    ];
    object(lua, shared, "geojson", &[], Some(geojson))?;
    object(lua, shared, "iterator", ITERATOR, Some(next_value))?;
    object(lua, shared, "stream", STREAM, None)?;
    lua.set_app_data(Generator(super::function(lua, shared, generate)?));
    let strings: mlua::Table = lua.globals().get("string")?;
    fill(lua, shared, &strings, &[("find", find), ("match", first_match), ("scan", scan)])
}

fn find(args: &Args<'_>) -> Answer {
    search(args, true)
}

fn first_match(args: &Args<'_>) -> Answer {
    search(args, false)
}

fn search(args: &Args<'_>, is_find: bool) -> Answer {
    let (subject, pattern) = (args.string(1)?, args.string(2)?);
    let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
    let Some(from) = start(args.integer(3, 1)?, subject.len()) else {
        return one(LuaValue::Nil);
    };
    let is_plain = is_find
        && (!matches!(args.get(4), LuaValue::Nil | LuaValue::Boolean(false))
            || !pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte)));
    if is_plain {
        let found = find_plain(&subject[from..], &pattern, &|| args.shared.is_overdue());
        return match settled(args, found)? {
            Some(at) => Ok(range(from + at, from + at + pattern.len())),
            None => one(LuaValue::Nil),
        };
    }
    let (pattern, is_anchored) = unanchored(&pattern);
    let is_overdue = || args.shared.is_overdue();
    let found = Matcher::new(&subject, pattern, &is_overdue).find(from, is_anchored, None);
    let Some(found) = settled(args, found)? else { return one(LuaValue::Nil) };
    let mut answer = if is_find { range(found.start, found.end) } else { MultiValue::new() };
    // `find` says where, and only adds captures that the pattern has.
    let is_whole = found.captures == [Capture::Range(found.start, found.end)];
    if !(is_find && is_whole && !pattern.contains(&b'(')) {
        push_captures(args, &subject, &found, &mut answer)?;
    }
    Ok(answer)
}

/// For `gsub` and `gmatch`, which are written in Lua: subject, pattern, whether it is anchored, the
/// position to start from, the end that does not count. Answers with the positions of the first
/// byte and after the last, and the captures.
fn scan(args: &Args<'_>) -> Answer {
    let (subject, pattern) = (args.string(1)?, args.string(2)?);
    let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
    let is_anchored = args.get(3).as_boolean().unwrap_or(false);
    let pattern = if is_anchored { &pattern[1..] } else { &pattern[..] };
    let at = |number| Ok::<_, mlua::Error>(usize::try_from(args.integer(number, 0)? - 1).ok());
    let (Some(from), last) = (at(4)?, at(5)?) else { return one(LuaValue::Nil) };
    if from > subject.len() {
        return one(LuaValue::Nil);
    }
    let is_overdue = || args.shared.is_overdue();
    let found = Matcher::new(&subject, pattern, &is_overdue).find(from, is_anchored, last);
    let Some(found) = settled(args, found)? else { return one(LuaValue::Nil) };
    let mut answer = range(found.start, found.end + 1);
    push_captures(args, &subject, &found, &mut answer)?;
    Ok(answer)
}

fn settled<T>(args: &Args<'_>, found: Result<T, Failure>) -> mlua::Result<T> {
    found.map_err(|failure| match failure {
        Failure::Pattern(message) => args.error(message),
        Failure::Overdue => mlua::Error::runtime(OVERDUE),
    })
}

fn range(start: usize, end: usize) -> MultiValue {
    let numbers = [start + 1, end].map(|at| LuaValue::Integer(i64::try_from(at).unwrap_or(0)));
    MultiValue::from_iter(numbers)
}

fn push_captures(
    args: &Args<'_>,
    subject: &[u8],
    found: &Match,
    answer: &mut MultiValue,
) -> mlua::Result<()> {
    for capture in &found.captures {
        answer.push_back(match *capture {
            Capture::Range(from, to) => {
                LuaValue::String(args.lua.create_string(&subject[from..to])?)
            }
            Capture::Position(at) | Capture::Open(at) => {
                LuaValue::Integer(i64::try_from(at + 1).unwrap_or(0))
            }
        });
    }
    Ok(())
}

fn unanchored(pattern: &[u8]) -> (&[u8], bool) {
    match pattern.strip_prefix(b"^") {
        Some(rest) => (rest, true),
        None => (pattern, false),
    }
}

/// The place from 0 for a position that may count from the end; `None` beyond the end.
fn start(position: i64, len: usize) -> Option<usize> {
    let start = match usize::try_from(position) {
        Ok(position) => position.saturating_sub(1),
        Err(_) => len.saturating_sub(usize::try_from(position.unsigned_abs()).unwrap_or(len)),
    };
    (start <= len).then_some(start)
}

/// Finds a plain text. `Err` when the call has had its time: texts that are nearly repeated take long.
fn find_plain(
    subject: &[u8],
    wanted: &[u8],
    is_overdue: &dyn Fn() -> bool,
) -> Result<Option<usize>, Failure> {
    const WORK: usize = 1 << 20;
    let Some(&first) = wanted.first() else { return Ok(Some(0)) };
    let Some(last) = subject.len().checked_sub(wanted.len()) else { return Ok(None) };
    let (mut from, mut work) = (0, 0);
    while from <= last {
        let Some(skipped) = subject[from..=last].iter().position(|&byte| byte == first) else {
            return Ok(None);
        };
        from += skipped;
        if subject[from..].starts_with(wanted) {
            return Ok(Some(from));
        }
        from += 1;
        work += skipped + wanted.len();
        if work > WORK {
            if is_overdue() {
                return Err(Failure::Overdue);
            }
            work = 0;
        }
    }
    Ok(None)
}

/// For `gsub`: a replacement text, the whole match, the captures. Answers with what the text says.
pub(crate) fn expand(args: &Args<'_>) -> Answer {
    let by = args.string(1)?;
    let by = by.as_bytes();
    let mut out = Vec::with_capacity(by.len());
    let mut rest = by.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'%') => out.push(b'%'),
            Some(b'0') => out.extend_from_slice(&args.string(2)?.as_bytes()),
            Some(digit @ b'1'..=b'9') => {
                let number = usize::from(digit - b'0');
                if args.get(number + 2).is_nil() {
                    let message = format!("invalid capture index %{number} in replacement string");
                    return Err(mlua::Error::RuntimeError(message));
                }
                out.extend_from_slice(&args.string(number + 2)?.as_bytes());
            }
            _ => {
                let message = "invalid use of '%' in replacement string";
                return Err(mlua::Error::runtime(message));
            }
        }
    }
    one(LuaValue::String(args.lua.create_string(out)?))
}
