//! UDF modules. None can be stored yet; requests are checked as they will be.
//!
//! These commands refuse in a form of their own: `error=<word>`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use wire::ResultCode;
use wire::info::ParamError;

use super::call::{Call, Refusal, c_number, put};

/// Most bytes of a module's name.
const FILENAME_BYTES_MAX: usize = 127;
/// Most bytes of a module.
const CONTENT_BYTES_MAX: usize = 1 << 20;
/// Most bytes of a number.
const NUMBER_BYTES_MAX: usize = 31;

pub(super) fn list(_: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    Ok(())
}

pub(super) fn get(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(
        out,
        match filename(call) {
            Ok(_) => "error=not_found",
            Err(word) => word,
        },
    );
    Ok(())
}

pub(super) fn remove(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(
        out,
        match filename(call) {
            Ok(_) => "ok",
            Err(word) => word,
        },
    );
    Ok(())
}

pub(super) fn clear_cache(_: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, "ok");
    Ok(())
}

pub(super) fn put_module(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    match check(call) {
        Ok(_) => Err(Refusal::new(
            ResultCode::UNSUPPORTED_FEATURE,
            "UDF modules come in a later release",
        )),
        Err(word) => {
            put(out, word);
            Ok(())
        }
    }
}

fn filename<'a>(call: &Call<'a>) -> Result<&'a [u8], &'static str> {
    call.params().get("filename", FILENAME_BYTES_MAX).map_err(|_| "error=invalid_filename")
}

/// The module that a request brings.
fn check(call: &Call<'_>) -> Result<Vec<u8>, &'static str> {
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
    let module = BASE64.decode(content).unwrap_or_default();
    match module.len() {
        0 => Err("error=invalid_base64_content"),
        size if size > CONTENT_BYTES_MAX => Err("error=invalid_udf_content_len,>1M"),
        _ => Ok(module),
    }
}
