//! Secondary indexes: made, dropped, listed, described.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use config::SET_NAME_MAX;
use engine::Namespace;
use engine::sindex::{Definition, IndexType, KeyType, SINDEXES_MAX, Sindex, Source};
use expr::{IndexExpression, Type};
use value::context::ContextError;
use wire::ResultCode;

use super::call::{Call, Pairs, Refusal, put, put_joined};
use super::cluster::FLAG_BYTES_MAX;
use crate::metadata::{Item, Module, SetError};

/// Most bytes of an index's name.
const NAME_BYTES_MAX: usize = 63;
/// Most bytes of a context in base64.
const CONTEXT_BYTES_MAX: usize = 2047;
/// Most bytes of an expression in base64.
const EXPRESSION_BYTES_MAX: usize = (16 << 10) - 1;
/// Most bytes of a kind of index.
const KIND_BYTES_MAX: usize = 31;
/// Most bytes of a bin and its type.
const DATA_BYTES_MAX: usize = 31;
/// Most bytes of a bin's name.
const BIN_NAME_BYTES_MAX: usize = 15;

fn no_index() -> Refusal {
    Refusal::new(ResultCode::SINDEX_NOT_FOUND, "no index")
}

/// `sindex`, `sindex/<ns>`: all indexes; `sindex/<ns>/<index>`: statistics of one.
pub(super) fn by_path(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut parts = call.command.arguments.splitn(2, |byte| *byte == b'/');
    let namespace = match parts.next().filter(|name| !name.is_empty()) {
        None => None,
        Some(name) => match call.node.namespace(name) {
            Some(namespace) => Some(namespace),
            None => {
                put(out, "ns_type=unknown");
                return Ok(());
            }
        },
    };
    match (namespace, parts.next().filter(|index| !index.is_empty())) {
        (Some(namespace), Some(index)) => put_stats(namespace, index, out),
        (None, Some(_)) => Err(no_index()),
        (namespace, None) => {
            put_list(call, namespace, false, out);
            Ok(())
        }
    }
}

pub(super) fn list(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let namespace = call.optional_namespace()?;
    let in_base64 = call.flag("b64", FLAG_BYTES_MAX, "bad b64")?.unwrap_or(false);
    put_list(call, namespace, in_base64, out);
    Ok(())
}

/// Lists the indexes of a namespace, or of all.
fn put_list(
    call: &Call<'_>,
    namespace: Option<&Arc<Namespace>>,
    in_base64: bool,
    out: &mut Vec<u8>,
) {
    let all = call.node.namespaces.iter();
    let wanted = all.filter(|of| namespace.is_none_or(|namespace| namespace.name == of.name));
    let items = wanted.flat_map(|namespace| {
        let sindexes = Vec::clone(&namespace.sindexes.all());
        sindexes.into_iter().map(|sindex| (&namespace.name, sindex))
    });
    put_joined(out, b';', items, |out, (namespace, sindex)| {
        put_line(namespace, &sindex, in_base64, out);
    });
}

fn put_line(namespace: &str, sindex: &Sindex, in_base64: bool, out: &mut Vec<u8>) {
    let Definition { set, source, key_type, index_type } = &sindex.definition;
    put(out, format_args!("ns={namespace}:indexname="));
    out.extend_from_slice(&sindex.name());
    put(out, ":set=");
    out.extend_from_slice(set.as_deref().unwrap_or(b"NULL"));
    let (bin, context, expression) = match source {
        Source::Bin { name, context } => (&**name, &**context, None),
        Source::Expression(expression) => (&b"null"[..], &b""[..], Some(expression)),
    };
    put(out, ":bin=");
    out.extend_from_slice(bin);
    let (key_type, index_type) = (key_type.name(), index_type.name());
    put(out, format_args!(":type={key_type}:indextype={index_type}:context="));
    match (context.is_empty(), in_base64) {
        (true, _) => put(out, "null"),
        (false, true) => put(out, BASE64.encode(context)),
        (false, false) => put(out, value::context::text(context)),
    }
    if let Some(expression) = expression {
        // There is no text form; 8.0 has no such field, so other indexes go without.
        put(out, format_args!(":exp={}", BASE64.encode(expression.source())));
    }
    put(out, if sindex.is_readable() { ":state=RW" } else { ":state=WO" });
}

/// The index's name. If it is not given, notes that and goes on: so does the original.
fn name_given<'a>(call: &Call<'a>, out: &mut Vec<u8>) -> Option<&'a [u8]> {
    call.required("indexname", NAME_BYTES_MAX).map_err(|refusal| put(out, refusal)).ok()
}

pub(super) fn stat(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let name = name_given(call, out);
    let namespace = call.namespace()?;
    put_stats(namespace, name.ok_or_else(no_index)?, out)
}

fn put_stats(namespace: &Namespace, name: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let stats = namespace.sindexes.by_name(name).ok_or_else(no_index)?.stats();
    let mut pairs = Pairs::new(out, b';');
    pairs.put("entries", stats.entries);
    pairs.put("used_bytes", stats.used_bytes);
    pairs.put("entries_per_bval", stats.entries_per_bval);
    pairs.put("entries_per_rec", stats.entries_per_record);
    pairs.put("load_pct", stats.load_pct);
    pairs.put("load_time", stats.load_seconds);
    // An entry goes with its record: there is nothing to collect later.
    pairs.put("stat_gc_recs", 0);
    Ok(())
}

pub(super) fn exists(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let name = name_given(call, out);
    let namespace = call.node.namespace(call.namespace_name()?);
    let found = name.zip(namespace).and_then(|(name, of)| of.sindexes.by_name(name));
    put(out, found.is_some());
    Ok(())
}

/// Deleting what is not there succeeds.
pub(super) fn delete(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let name = name_given(call, out);
    let namespace = call.namespace_name()?;
    if let Some(name) = name {
        let named = call.node.metadata.set_with(Module::Sindex, |items| {
            let of_namespace = indexes_of(items, namespace);
            let mut keys = of_namespace.filter(|(_, value)| *value == name).map(|(key, _)| key);
            let key = keys.next().ok_or(Unmade::IsThere)?;
            let is_unique = keys.next().is_none();
            let key = is_unique.then(|| key.to_vec()).ok_or(Unmade::NotUnique)?;
            Ok((key, None))
        });
        finish(call, named)?;
    }
    put(out, "ok");
    Ok(())
}

/// Why an index is neither made nor dropped.
enum Unmade {
    /// There is nothing to do.
    IsThere,
    NotUnique,
    NameTaken,
    TooMany,
    NotKept(SetError),
}

impl From<SetError> for Unmade {
    fn from(error: SetError) -> Self {
        Self::NotKept(error)
    }
}

/// Keys and names of a namespace's indexes.
fn indexes_of<'i>(
    items: &'i [Item],
    namespace: &'i [u8],
) -> impl Iterator<Item = (&'i [u8], &'i [u8])> {
    let live = items.iter().filter_map(|item| Some((&*item.key, item.value.as_deref()?)));
    live.filter(move |(key, _)| {
        key.strip_prefix(namespace).is_some_and(|rest| rest.starts_with(b"|"))
    })
}

fn finish(call: &Call<'_>, outcome: Result<bool, Unmade>) -> Result<(), Refusal> {
    let text = match outcome {
        Ok(_) | Err(Unmade::IsThere) => return Ok(()),
        Err(Unmade::NotUnique) => "'indexname' is not unique",
        Err(Unmade::NameTaken) => "'indexname' already exists with different definition",
        Err(Unmade::TooMany) => {
            let text = "already at sindex definition limit";
            return Err(Refusal::new(ResultCode::SINDEX_MAX_COUNT, text));
        }
        Err(Unmade::NotKept(error)) => {
            call.node.host.log().message(&format!("secondary index: {error}"));
            return Err(Refusal::new(ResultCode::TIMEOUT, "timeout"));
        }
    };
    Err(Refusal::new(ResultCode::SINDEX_FOUND, text))
}

pub(super) fn create(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let name = call.required("indexname", NAME_BYTES_MAX)?;
    let namespace = call.namespace_name()?;
    let key = definition(call)?.key(&String::from_utf8_lossy(namespace));
    let made = call.node.metadata.set_with(Module::Sindex, |items| {
        let mut count = 0;
        for (other, value) in indexes_of(items, namespace) {
            if *other == *key {
                // The same again, or another name for it.
                return Ok((key, Some(name.to_vec())));
            }
            if value == name {
                return Err(Unmade::NameTaken);
            }
            count += 1;
        }
        if count >= SINDEXES_MAX {
            return Err(Unmade::TooMany);
        }
        Ok((key, Some(name.to_vec())))
    });
    finish(call, made)?;
    put(out, "ok");
    Ok(())
}

/// What the parameters define: in the form of 8.0 by `indexdata`, in that of 8.1 by `type` and either
/// `bin` or `exp`.
fn definition(call: &Call<'_>) -> Result<Definition, Refusal> {
    let set = call.optional("set", SET_NAME_MAX)?.map(Box::from);
    let context = call.optional("context", CONTEXT_BYTES_MAX)?;
    let context = context.map(parse_context).transpose()?.unwrap_or_default();
    let index_type = match call.optional("indextype", KIND_BYTES_MAX)? {
        None => IndexType::Default,
        Some(name) => IndexType::of_name(name).ok_or_else(|| {
            Refusal::parameter(
                "bad 'indextype' - must be one of 'default', 'list', 'mapkeys', 'mapvalues'",
            )
        })?,
    };
    let key_type = call.optional("type", KIND_BYTES_MAX)?;
    let expression = call.optional("exp", EXPRESSION_BYTES_MAX)?;
    let (source, key_type) = match (call.optional("indexdata", DATA_BYTES_MAX)?, key_type) {
        (None, Some(key_type)) => parse_source(call, context, expression, key_type)?,
        (Some(_), _) if expression.is_some() => {
            return Err(Refusal::parameter("both 'indexdata' and 'exp' are specified"));
        }
        _ => {
            let data = call.required("indexdata", DATA_BYTES_MAX)?;
            let (name, key_type) = parse_data(data)?;
            (Source::Bin { name: name.into(), context }, key_type)
        }
    };
    if (index_type, key_type) == (IndexType::MapKeys, KeyType::Geo2DSphere) {
        return Err(Refusal::parameter(
            "bad 'indexdata' bin type for 'indextype' 'mapkeys' - must be one of 'numeric', \
             'string', 'blob'",
        ));
    }
    let definition = Definition { set, source, key_type, index_type };
    check_expression(&definition)?;
    Ok(definition)
}

/// What the index is about and the type of its values, from `bin` or `exp`, and `type`.
fn parse_source(
    call: &Call<'_>,
    context: Box<[u8]>,
    expression: Option<&[u8]>,
    key_type: &[u8],
) -> Result<(Source, KeyType), Refusal> {
    let refuse = |text| Err(Refusal::parameter(text));
    let Some(key_type) = KeyType::of_name(key_type) else {
        return refuse("bad 'type' - must be one of 'numeric', 'string', 'blob', 'geo2dsphere'");
    };
    let source = match (call.optional("bin", BIN_NAME_BYTES_MAX)?, expression) {
        (Some(_), Some(_)) => return refuse("both 'bin' and 'exp' are specified"),
        (None, None) => return refuse("both 'bin' and 'exp' are missing"),
        (None, Some(_)) if !context.is_empty() => {
            return refuse("both 'context' and 'exp' are specified");
        }
        (Some(name), None) => Source::Bin { name: name.into(), context },
        (None, Some(encoded)) => {
            let built = BASE64.decode(encoded).map(|source| IndexExpression::build(&source));
            let Ok(Ok(expression)) = built else { return refuse("bad 'exp'") };
            Source::Expression(Arc::new(expression))
        }
    };
    Ok((source, key_type))
}

/// An expression has to have the type of what is indexed.
fn check_expression(definition: &Definition) -> Result<(), Refusal> {
    let Source::Expression(expression) = &definition.source else { return Ok(()) };
    let (given, expected) = (expression.result_type(), definition.expression_type());
    if given == expected {
        return Ok(());
    }
    let (given, expected) = (type_name(given), type_name(expected));
    Err(Refusal::parameter(format!(
        "bad 'exp' - expression type '{given}' does not match expected type '{expected}'"
    )))
}

fn type_name(of: Type) -> &'static str {
    match of {
        Type::Nil => "null",
        Type::Bool => "bool",
        Type::Int => "numeric",
        Type::Str => "string",
        Type::List => "list",
        Type::Map => "map",
        Type::Blob => "blob",
        Type::Float => "float",
        Type::GeoJson => "geojson",
        Type::Hll => "hll",
    }
}

/// Reads the way into a bin from base64.
fn parse_context(context: &[u8]) -> Result<Box<[u8]>, Refusal> {
    let refuse = |text| Err(Refusal::parameter(text));
    let Ok(context) = BASE64.decode(context) else { return refuse("'context' invalid base64") };
    match value::context::check(&context) {
        Ok(()) => Ok(context.into()),
        Err(ContextError::Invalid) => refuse("'context' invalid cdt context"),
        Err(ContextError::NotNormalized) => refuse("'context' not normalized msgpack"),
    }
}

/// Reads a bin's name and, after a comma, the type of its values.
fn parse_data(data: &[u8]) -> Result<(&[u8], KeyType), Refusal> {
    let refuse = |text| Err(Refusal::parameter(text));
    let mut parts = data.splitn(2, |byte| *byte == b',');
    let bin = parts.next().unwrap_or_default();
    if bin.is_empty() {
        return refuse("'indexdata' missing bin name");
    }
    let Some(values) = parts.next() else { return refuse("'indexdata' missing bin type") };
    if bin.len() > BIN_NAME_BYTES_MAX {
        return refuse("'indexdata' bin name too long");
    }
    match KeyType::of_name(values) {
        Some(key_type) => Ok((bin, key_type)),
        None => refuse(
            "bad 'indexdata' bin type - must be one of 'numeric', 'string', 'blob', 'geo2dsphere'",
        ),
    }
}
