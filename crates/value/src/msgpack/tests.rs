//! Tables for the encodings, and that no bytes can hurt a reader.

use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8]) -> Result<(Token<'_>, bool), Malformed> {
    let mut reader = Reader::new(bytes);
    let head = reader.head()?;
    assert_eq!(head.raw.len() + reader.rest().len(), bytes.len());
    Ok((head.token, head.is_canonical))
}

fn written(token: Token<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write::token(&mut out, token);
    out
}

#[test]
fn integers_take_the_smallest_form() {
    let rows: &[(Token<'_>, &[u8])] = &[
        (Token::Unsigned(0), &[0x00]),
        (Token::Unsigned(0x7f), &[0x7f]),
        (Token::Unsigned(0x80), &[0xcc, 0x80]),
        (Token::Unsigned(0xff), &[0xcc, 0xff]),
        (Token::Unsigned(0x100), &[0xcd, 0x01, 0x00]),
        (Token::Unsigned(0xffff), &[0xcd, 0xff, 0xff]),
        (Token::Unsigned(0x1_0000), &[0xce, 0, 1, 0, 0]),
        (Token::Unsigned(0xffff_ffff), &[0xce, 0xff, 0xff, 0xff, 0xff]),
        (Token::Unsigned(0x1_0000_0000), &[0xcf, 0, 0, 0, 1, 0, 0, 0, 0]),
        (Token::Unsigned(u64::MAX), &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        (Token::Negative(-1), &[0xff]),
        (Token::Negative(-32), &[0xe0]),
        (Token::Negative(-33), &[0xd0, 0xdf]),
        (Token::Negative(-128), &[0xd0, 0x80]),
        (Token::Negative(-129), &[0xd1, 0xff, 0x7f]),
        (Token::Negative(-32_768), &[0xd1, 0x80, 0x00]),
        (Token::Negative(-32_769), &[0xd2, 0xff, 0xff, 0x7f, 0xff]),
        (Token::Negative(i32::MIN.into()), &[0xd2, 0x80, 0, 0, 0]),
        (Token::Negative(-0x8000_0001), &[0xd3, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]),
        (Token::Negative(i64::MIN), &[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
    ];
    for (token, bytes) in rows {
        assert_eq!(written(*token), *bytes, "{token:?}");
        assert_eq!(read(bytes), Ok((*token, true)), "{bytes:x?}");
    }
}

#[test]
fn longer_forms_are_read_and_known_as_such() {
    let rows: &[(&[u8], Token<'_>)] = &[
        (&[0xcc, 0x7f], Token::Unsigned(0x7f)),
        (&[0xcd, 0x00, 0xff], Token::Unsigned(0xff)),
        (&[0xce, 0, 0, 0xff, 0xff], Token::Unsigned(0xffff)),
        (&[0xcf, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], Token::Unsigned(0xffff_ffff)),
        (&[0xd0, 0x05], Token::Unsigned(5)),
        (&[0xd1, 0x7f, 0xff], Token::Unsigned(0x7fff)),
        (&[0xd3, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Token::Unsigned(i64::MAX as u64)),
        (&[0xd0, 0xff], Token::Negative(-1)),
        (&[0xd1, 0xff, 0xff], Token::Negative(-1)),
        (&[0xd2, 0xff, 0xff, 0xff, 0x80], Token::Negative(-128)),
        (&[0xd3, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0], Token::Negative(i32::MIN.into())),
        (&[0xd9, 0x01, 0x03], Token::Bytes(&[3])),
        (&[0xda, 0x00, 0x01, 0x03], Token::Bytes(&[3])),
        (&[0xdb, 0, 0, 0, 1, 3], Token::Bytes(&[3])),
        (&[0xc4, 0x01, 0x04], Token::Bytes(&[4])),
        (&[0xc5, 0x00, 0x01, 0x04], Token::Bytes(&[4])),
        (&[0xc6, 0, 0, 0, 1, 4], Token::Bytes(&[4])),
        (&[0xdc, 0x00, 0x0f], Token::List(15)),
        (&[0xdd, 0, 0, 0xff, 0xff], Token::List(0xffff)),
        (&[0xde, 0x00, 0x01], Token::Map(1)),
        (&[0xdf, 0, 0, 0, 2], Token::Map(2)),
        (&[0xc7, 1, 0xff, 0], Token::Ext(Ext::WILDCARD)),
        (&[0xc8, 0, 0, 5], Token::Ext(Ext { kind: 5, data: &[] })),
        (&[0xc9, 0, 0, 0, 1, 5, 6], Token::Ext(Ext { kind: 5, data: &[6] })),
    ];
    for (bytes, token) in rows {
        assert_eq!(read(bytes), Ok((*token, false)), "{bytes:x?}");
        let rewritten = written(*token);
        assert_eq!(read(&rewritten), Ok((*token, true)), "{rewritten:x?}");
    }
}

#[test]
fn sizes_choose_their_header() {
    for size in [0, 1, 0x1f, 0x20, 0xff, 0x100, 0xffff, 0x1_0000] {
        let payload = vec![4; size];
        for token in [Token::Bytes(&payload), Token::Ext(Ext { kind: 9, data: &payload })] {
            assert_eq!(read(&written(token)), Ok((token, true)), "{size} bytes");
        }
    }
    for count in [0, 1, 0x0f, 0x10, 0xffff, 0x1_0000, 0xffff_ffff] {
        for token in [Token::List(count), Token::Map(count)] {
            assert_eq!(read(&written(token)), Ok((token, true)), "{count} items");
        }
    }
    // The original keeps these; see `Head::is_canonical`.
    let long_bin = [vec![0xc4, 0x20], vec![4; 0x20]].concat();
    assert_eq!(read(&long_bin), Ok((Token::Bytes(&[4; 0x20]), true)));
}

#[test]
fn floats_are_widened() {
    assert_eq!(read(&[0xca, 0x3f, 0xc0, 0, 0]), Ok((Token::Double(1.5), true)));
    assert_eq!(read(&written(Token::Double(-0.1))), Ok((Token::Double(-0.1), true)));
}

#[test]
fn an_order_extension_is_told_from_elements() {
    let flags = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes);
        let ext = reader.order_ext().expect("the item is well-formed");
        (ext.map(|head| head.order_flags()), reader.rest().len())
    };
    assert_eq!(flags(&[0xc7, 0, 1, 5]), (Some(Flags::LIST_ORDERED), 1));
    assert_eq!(flags(&[0xd5, 0x11, 1, 2, 5]), (Some(Flags(0x11)), 1));
    assert_eq!(flags(&[0xd4, 0xff, 0, 5]), (None, 4));
    assert_eq!(flags(&[0xc7, 1, 0xff, 1, 5]), (None, 5));
    assert_eq!(flags(&[0xd4, 0x01, 0, 5]), (None, 4));
    assert_eq!(flags(&[0x91]), (None, 1));
    assert_eq!(flags(&[]), (None, 0));
    assert_eq!(Reader::new(&[0xc7, 2, 1]).order_ext(), Err(Malformed));
}

#[test]
fn elements_are_exactly_one_value() {
    for bytes in [&b"\x05"[..], b"\x92\x01\x02", b"\x81\xa1\x03\x91\xc0", b"\xdc\x00\x01\x80"] {
        let element = Element::new(bytes).expect("the value is complete");
        assert_eq!(element.bytes(), bytes);
    }
    for bytes in [
        &b""[..],
        b"\xc1",
        b"\x05\x05",
        b"\x92\x01",
        b"\x81\x01",
        b"\x81\x01\x02\x03",
        b"\xa2\x03",
        b"\xcd\x01",
        b"\xc7\x05\x01",
        // Four billion declared items cost nothing.
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff\x01",
        b"\xdb\xff\xff\xff\xff\x03",
        b"\xc9\xff\xff\xff\xff\x03",
    ] {
        assert_eq!(Element::new(bytes).err(), Some(Malformed), "{bytes:x?}");
    }
}

#[test]
fn depth_costs_no_stack() {
    let mut nested = vec![0x91; 1_000_000];
    assert!(Element::new(&nested).is_err());
    nested.push(0xc0);
    assert!(Element::new(&nested).is_ok());
}

#[test]
fn random_bytes_are_read_or_refused() {
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..200_000 {
        let bytes: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
        let mut reader = Reader::new(&bytes);
        while let Ok(head) = reader.head() {
            // What was read can be written, and is then read again as the same.
            let rewritten = written(head.token);
            let reread = Reader::new(&rewritten).head().map(|head| format!("{:?}", head.token));
            let is_f32 = head.raw.first() == Some(&0xca);
            assert_eq!(reread, Ok(format!("{:?}", head.token)), "{bytes:x?}");
            let is_bin = matches!(head.raw.first(), Some(0xc4..=0xc6));
            assert_eq!(rewritten == head.raw, head.is_canonical && !is_f32 && !is_bin);
        }
        let _ = Element::new(&bytes);
        let _ = Reader::new(&bytes).order_ext();
    }
}

proptest! {
    #[test]
    fn integers_survive(value: i64) {
        let mut out = Vec::new();
        write::integer(&mut out, value);
        let expected = match u64::try_from(value) {
            Ok(value) => Token::Unsigned(value),
            Err(_) => Token::Negative(value),
        };
        prop_assert_eq!(read(&out), Ok((expected, true)));
    }

    #[test]
    fn doubles_survive(value: f64) {
        let bytes = written(Token::Double(value));
        match read(&bytes) {
            Ok((Token::Double(read), true)) => prop_assert_eq!(read.to_bits(), value.to_bits()),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
