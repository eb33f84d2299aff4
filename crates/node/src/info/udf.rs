//! UDF modules: stored, listed, shown and removed.
//!
//! These commands refuse in a form of their own: `error=<word>`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use wire::info::ParamError;

use super::call::{Call, Refusal, c_number, put};
use crate::metadata::{Module, SetError};
use crate::udf::{Stored, hash};

/// Most bytes of a module's name.
const FILENAME_BYTES_MAX: usize = 127;
/// Most bytes of a module.
const CONTENT_BYTES_MAX: usize = 1 << 20;
/// Most bytes of a number.
const NUMBER_BYTES_MAX: usize = 31;

/// The modules, in the order in which their names came.
pub(super) fn list(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    for item in call.node.metadata.items(Module::Udf) {
        let Some(value) = item.value else { continue };
        let language = Stored::of_value(&value).map_or_else(String::new, |stored| stored.language);
        put(out, "filename=");
        out.extend_from_slice(&item.key);
        put(out, format_args!(",hash={},type={language};", hash(&value)));
    }
    Ok(())
}

pub(super) fn get(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let found = filename(call).and_then(|name| {
        let item = call.node.metadata.get(Module::Udf, name);
        let value = item.and_then(|item| item.value).ok_or("error=not_found")?;
        Stored::of_value(&value).ok_or("error=unknown_error")
    });
    match found {
        Err(word) => put(out, word),
        Ok(Stored { content64, .. }) if content64.is_empty() => put(out, "error=empty"),
        Ok(Stored { content64, language, .. }) => {
            put(out, format_args!("type={language};content={content64};"));
        }
    }
    Ok(())
}

/// Removing what is not there succeeds.
pub(super) fn remove(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    match filename(call) {
        Ok(name) => set(call, name, None, out),
        Err(word) => put(out, word),
    }
    Ok(())
}

pub(super) fn clear_cache(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    call.node.udf.clear_cache();
    put(out, "ok");
    Ok(())
}

pub(super) fn put_module(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let Sent { name, content64, source } = match check(call) {
        Ok(sent) => sent,
        Err(word) => {
            put(out, word);
            return Ok(());
        }
    };
    match call.node.udf.check(name, &source) {
        Ok(()) => {
            let value = Stored::lua(name, content64).value();
            set(call, name.as_bytes(), Some(value.as_bytes()), out);
        }
        Err(udf::CompileError { file, line, message }) => {
            let message = BASE64.encode(message);
            let text = format!("error=compile_error;file={file};line={line};message={message}");
            put(out, text);
        }
    }
    Ok(())
}

/// Stores or removes a module, and answers.
fn set(call: &Call<'_>, name: &[u8], value: Option<&[u8]>, out: &mut Vec<u8>) {
    let word = match call.node.metadata.set(Module::Udf, name, value) {
        Ok(_) => "ok",
        Err(error) => {
            let name = String::from_utf8_lossy(name);
            call.node.host.log().message(&format!("UDF module {name}: {error}"));
            match error {
                SetError::NotInForce(_) | SetError::Invalid(_) => "error=unknown_error",
                // So the original says that a change was not accepted.
                SetError::NotKept { .. } | SetError::Full => "error=timeout",
            }
        }
    };
    put(out, word);
}

fn filename<'a>(call: &Call<'a>) -> Result<&'a [u8], &'static str> {
    call.params().get("filename", FILENAME_BYTES_MAX).map_err(|_| "error=invalid_filename")
}

/// A module as a request brings it.
struct Sent<'a> {
    name: &'a str,
    content64: &'a str,
    source: Vec<u8>,
}

fn check<'a>(call: &Call<'a>) -> Result<Sent<'a>, &'static str> {
    let name = filename(call)?;
    let dot = name.iter().position(|byte| *byte == b'.');
    if dot.is_none_or(|dot| dot == 0) || name.ends_with(b".") {
        return Err("error=invalid_filename");
    }
    let params = call.params();
    let size = params.get("content-len", NUMBER_BYTES_MAX).ok().and_then(c_number);
    let size = size.ok_or("error=invalid_content_len")?;
    let content = match params.get("content", usize::MAX) {
        Ok(content) => content,
        Err(ParamError::Empty) => b"",
        Err(_) => return Err("error=invalid_content"),
    };
    let kind = params.get_optional("udf-type", NUMBER_BYTES_MAX);
    if !matches!(kind, Ok(None | Some(b"LUA"))) {
        return Err("error=invalid_udf_type");
    }
    if content.len() as u64 != size {
        return Err("error=invalid_content_len");
    }
    let source = BASE64.decode(content).unwrap_or_default();
    match source.len() {
        0 => return Err("error=invalid_base64_content"),
        size if size > CONTENT_BYTES_MAX => return Err("error=invalid_udf_content_len,>1M"),
        _ => {}
    }
    // What is not text has no place in JSON.
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| "error=json_error");
    Ok(Sent { name: text(name)?, content64: text(content)?, source })
}
