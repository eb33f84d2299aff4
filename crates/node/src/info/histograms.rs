//! Histograms over records: sizes and times to live.

use std::fmt;

use config::SET_NAME_MAX;
use engine::size_histograms::{LinearHistogram, RecordHistograms};

use super::call::{Call, Refusal, put, put_joined};

/// Most bytes of a histogram's name.
const TYPE_BYTES_MAX: usize = 63;

/// A histogram of a namespace or a set: empty before the first pass of the supervisor.
pub(super) fn histogram(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let namespace = call.namespace()?;
    let put_histogram = match call.required("type", TYPE_BYTES_MAX)? {
        b"ttl" => |of: &RecordHistograms, out: &mut Vec<u8>| put_linear(out, "seconds", &of.ttl),
        b"object-size-linear" => |of: &RecordHistograms, out: &mut Vec<u8>| {
            put_linear(out, "bytes", &of.size_linear);
        },
        b"object-size" => |of: &RecordHistograms, out: &mut Vec<u8>| put_log(out, &of.size_log),
        _ => return Err(Refusal::parameter("unknown hist name")),
    };
    let histograms = namespace.size_histograms();
    match call.optional("set", SET_NAME_MAX)? {
        None => {
            if let Some(of_namespace) = &histograms.namespace {
                put_histogram(of_namespace, out);
            }
        }
        Some(set) => {
            let set = namespace.sets.by_name(set);
            let set = set.ok_or_else(|| Refusal::parameter("unknown set name"))?;
            match histograms.sets.get(&set.id) {
                Some(of_set) => put_histogram(of_set, out),
                None => put(out, "hist-unavailable"),
            }
        }
    }
    Ok(())
}

fn put_linear(out: &mut Vec<u8>, units: &str, histogram: &LinearHistogram) {
    let LinearHistogram { width, bucket_width, buckets } = histogram;
    put(out, format_args!("units={units}:hist-width={width}:bucket-width={bucket_width}:buckets="));
    put_joined(out, b',', buckets.iter(), put);
}

/// Only buckets that hold something, each with its bounds.
fn put_log(out: &mut Vec<u8>, buckets: &[u64]) {
    put(out, "units=bytes");
    for (bucket, count) in buckets.iter().enumerate().filter(|(_, count)| **count != 0) {
        put(out, format_args!(":[{}-{})={count}", Bound(bucket), Bound(bucket + 1)));
    }
}

/// Low edge of a bucket of powers of two, in units of 1,024.
struct Bound(usize);

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
        let Some(exponent) = self.0.checked_sub(1) else { return f.write_str("0") };
        match UNITS.get(exponent / 10) {
            Some(unit) if exponent < u64::BITS as usize => {
                write!(f, "{}{unit}", 1u64 << (exponent % 10))
            }
            _ => f.write_str("inf"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_powers_of_two() {
        let shown = |bucket| Bound(bucket).to_string();
        let all: Vec<_> = [0, 1, 2, 8, 10, 11, 18, 21, 64, 65].map(shown).into();
        assert_eq!(all, ["0", "1", "2", "128", "512", "1K", "128K", "1M", "8E", "inf"]);
    }
}
