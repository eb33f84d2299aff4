//! Each rule of a plain list or map write as a row, and that no bytes can hurt.

use super::*;

fn stored(kind: Kind, input: &[u8]) -> Result<Vec<u8>, Malformed> {
    to_stored(input, kind).map(Cow::into_owned)
}

/// What is stored as it came, without a copy.
#[test]
fn canonical_values_are_borrowed() {
    let rows: &[(Kind, &[u8])] = &[
        (Kind::List, b"\x90"),
        (Kind::List, b"\x93\x01\xa2\x03a\xc0"),
        (Kind::List, b"\x91\xc7\x00\x01"),
        (Kind::List, b"\x94\xc7\x00\x01\x01\x01\x02"),
        (Kind::List, b"\x92\x91\x05\x81\x05\x05"),
        (Kind::List, b"\x91\xca\x3f\x80\x00\x00"),
        (Kind::List, b"\x92\x01\xd5\x01\x00\x00"),
        (Kind::Map, b"\x80"),
        (Kind::Map, b"\x82\x01\x00\xa2\x03a\x00"),
        (Kind::Map, b"\x81\xc7\x00\x01\xc0"),
        (Kind::Map, b"\x82\xc7\x00\x03\xc0\x01\x02"),
    ];
    for (kind, input) in rows {
        match to_stored(input, *kind) {
            Ok(Cow::Borrowed(bytes)) => assert_eq!(bytes, *input),
            other => panic!("{input:x?}: {other:x?}"),
        }
    }
}

#[test]
fn other_values_are_rewritten() {
    let rows: &[(Kind, &[u8], &[u8])] = &[
        // Encodings.
        (Kind::List, b"\xdc\x00\x01\x05", b"\x91\x05"),
        (Kind::List, b"\x91\xd1\x00\x05", b"\x91\x05"),
        (Kind::List, b"\x91\xc4\x02\x04a", b"\x91\xa2\x04a"),
        (Kind::List, b"\x91\xd9\x02\x03a", b"\x91\xa2\x03a"),
        (Kind::List, b"\x92\x01\xc7\x02\x01ab", b"\x92\x01\xd5\x01ab"),
        (Kind::Map, b"\xde\x00\x01\xcc\x05\xd0\x06", b"\x81\x05\x06"),
        // Order extensions: bits without meaning go, and with the last bit the extension.
        (Kind::List, b"\x92\xc7\x00\x00\x05", b"\x91\x05"),
        (Kind::List, b"\x92\xc7\x00\x10\x05", b"\x91\x05"),
        (Kind::List, b"\x92\xc7\x00\x11\x05", b"\x92\xc7\x00\x01\x05"),
        (Kind::List, b"\x92\xc7\x00\x03\x05", b"\x92\xc7\x00\x01\x05"),
        (Kind::List, b"\x92\xd5\x01ab\x05", b"\x92\xc7\x00\x01\x05"),
        (Kind::List, b"\x91\xc7\x00\x08", b"\x90"),
        (Kind::Map, b"\x81\xc7\x00\x08\xc0", b"\x80"),
        (Kind::Map, b"\x82\xc7\x00\x13\xc0\x01\x02", b"\x82\xc7\x00\x03\xc0\x01\x02"),
        (Kind::Map, b"\x82\xc7\x00\x01\x07\x01\x02", b"\x82\xc7\x00\x01\xc0\x01\x02"),
        // A header that fits in one byte only without the extension.
        (
            Kind::List,
            b"\xdc\x00\x10\xc7\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f",
            b"\x9f\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f",
        ),
        // Maps are sorted by key, at every depth.
        (Kind::Map, b"\x82\x02\x00\x01\x01", b"\x82\x01\x01\x02\x00"),
        (
            Kind::Map,
            b"\x83\xa2\x03a\x00\xa2\x04a\x01\x05\x02",
            b"\x83\x05\x02\xa2\x03a\x00\xa2\x04a\x01",
        ),
        (Kind::List, b"\x91\x82\x02\x91\xcc\x05\x01\xc0", b"\x91\x82\x01\xc0\x02\x91\x05"),
        (Kind::Map, b"\x81\x01\x82\x02\xc0\x01\xc0", b"\x81\x01\x82\x01\xc0\x02\xc0"),
    ];
    for (kind, input, expected) in rows {
        assert_eq!(stored(*kind, input).as_deref(), Ok(*expected), "{input:x?}");
        assert!(matches!(to_stored(expected, *kind), Ok(Cow::Borrowed(_))), "{expected:x?}");
    }
}

#[test]
fn an_ordered_list_is_judged_as_it_came() {
    // Once its keys are sorted, the second map is below the first. The original stores just that.
    let input = b"\x93\xc7\x00\x01\x82\x01\x00\x03\x00\x82\x02\x00\x01\x00";
    let expected = b"\x93\xc7\x00\x01\x82\x01\x00\x03\x00\x82\x01\x00\x02\x00";
    assert_eq!(stored(Kind::List, input).as_deref(), Ok(&expected[..]));
    assert_eq!(stored(Kind::List, expected), Err(Malformed));
}

#[test]
fn values_that_break_a_rule_are_refused() {
    let rows: &[(Kind, &[u8], &str)] = &[
        (Kind::List, b"", "nothing"),
        (Kind::List, b"\x80", "a map"),
        (Kind::List, b"\x05", "an integer"),
        (Kind::List, b"\xc7\x00\x01", "an extension"),
        (Kind::Map, b"\x90", "a list"),
        (Kind::List, b"\x90\x00", "bytes after the value"),
        (Kind::List, b"\x92\x00", "a missing element"),
        (Kind::List, b"\x91\xc1", "a reserved byte"),
        (Kind::List, b"\xdd\xff\xff\xff\xff", "four billion missing elements"),
        (Kind::List, b"\x91\xd4\xff\x00", "a wildcard"),
        (Kind::List, b"\x92\x01\xd4\xff\x01", "infinity"),
        (Kind::List, b"\x92\x01\xc7\x03\xffabc", "something else of the comparison kind"),
        (Kind::Map, b"\x81\x01\x91\xd4\xff\x00", "a wildcard inside"),
        (Kind::List, b"\x93\xc7\x00\x01\x02\x01", "an ordered list out of order"),
        (Kind::List, b"\x91\x93\xc7\x00\x01\x02\x01", "one inside"),
        (Kind::Map, b"\x83\xc7\x00\x01\xc0\x02\x00\x01\x00", "an ordered map out of order"),
        (Kind::Map, b"\x82\x01\x00\x01\x00", "equal keys, adjacent"),
        (Kind::Map, b"\x83\x02\x00\x01\x00\x02\x00", "equal keys, apart"),
        (Kind::Map, b"\x82\x05\x00\xcc\x05\x00", "equal keys, encoded differently"),
        (Kind::List, b"\x91\x82\x01\x00\x01\x00", "equal keys inside"),
        (Kind::Map, b"\x81\xc0\x00", "a nil key"),
        (Kind::Map, b"\x81\xc3\x00", "a boolean key"),
        (Kind::Map, b"\x81\xcb\x00\x00\x00\x00\x00\x00\x00\x00\x00", "a double key"),
        (Kind::Map, b"\x81\x90\x00", "a list key"),
        (Kind::Map, b"\x81\x80\x00", "a map key"),
        (Kind::Map, b"\x81\xa0\x00", "a key without a type"),
        (Kind::Map, b"\x81\xa2\x17{\x00", "a GeoJSON key"),
        (Kind::Map, b"\x81\xa2\x07a\x00", "a key of a language's blob type"),
        (Kind::List, b"\x93\xc7\x00\x00\xc7\x00\x01\x05", "two order extensions"),
        (Kind::Map, b"\x82\x01\x00\xc7\x00\x01\x00", "an order extension further on"),
    ];
    for (kind, input, why) in rows {
        assert_eq!(stored(*kind, input), Err(Malformed), "{why}: {input:x?}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| [vec![0x91; levels - 1], vec![0x90]].concat();
    assert!(stored(Kind::List, &nested(MAX_NESTING)).is_ok());
    assert!(stored(Kind::List, &nested(MAX_NESTING + 1)).is_err());
    assert!(stored(Kind::List, &nested(1_000_000)).is_err());
    // The same where the second pass has to go down.
    let rewritten = [vec![0x91; MAX_NESTING - 1], vec![0x91, 0xcc, 0x05]].concat();
    assert!(stored(Kind::List, &rewritten).is_ok());
}

#[test]
fn random_bytes_are_stored_canonical_or_refused() {
    // Bytes that make containers, keys, extensions and long forms likely.
    const LIKELY: &[u8] = &[
        0x00, 0x01, 0x02, 0x03, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x91, 0x92, 0x93, 0xa0, 0xa1,
        0xa2, 0xc0, 0xc4, 0xc7, 0xcc, 0xcd, 0xd0, 0xd1, 0xd4, 0xd5, 0xd9, 0xdc, 0xde, 0xff,
    ];
    let mut random = fastrand::Rng::with_seed(2);
    let mut accepted = 0;
    for _ in 0..1_000_000 {
        let bytes: Vec<u8> =
            (0..random.usize(1..16)).map(|_| LIKELY[random.usize(..LIKELY.len())]).collect();
        for kind in [Kind::List, Kind::Map] {
            let Ok(stored) = to_stored(&bytes, kind) else { continue };
            accepted += 1;
            match to_stored(&stored, kind) {
                Ok(Cow::Borrowed(again)) => assert_eq!(again, &*stored),
                other => panic!("{bytes:x?} is stored as {stored:x?} and that as {other:x?}"),
            }
        }
    }
    assert!(accepted > 1000, "only {accepted} were valid");
}
