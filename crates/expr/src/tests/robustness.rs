//! Any bytes give an error or a program, and any program a value or none.

use proptest::prelude::*;

use super::*;
use crate::{Operation, Program};

/// Evaluates in every way; the result does not matter.
fn exercise(bytes: &[u8]) {
    let record = Sample::default();
    let _ = evaluate(bytes, &record);
    if let Ok(filter) = Filter::build(bytes) {
        let decision = filter.decide(&record);
        if let Some(decision) = decision {
            assert_eq!(filter.matches(&record), decision, "metadata decide like the record");
        } else {
            let _ = filter.matches(&record);
        }
    }
    if let Ok(operation) = Operation::to_modify(bytes) {
        let _ = operation.modify(&record, b"i");
    }
}

#[test]
fn random_bytes_are_harmless() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..5_000 {
        let size = random.usize(0..40);
        let bytes: Vec<u8> = (0..size).map(|_| random.u8(..)).collect();
        exercise(&bytes);
    }
}

#[test]
fn damaged_expressions_are_harmless() {
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..5_000 {
        let mut bytes = any_expression(&mut random, 4);
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        exercise(&bytes);
        exercise(&bytes[..random.usize(..bytes.len())]);
    }
}

#[test]
fn declared_sizes_are_not_believed() {
    for bytes in [
        &[0xdd, 0xff, 0xff, 0xff, 0xff, 16][..],
        &[0xdf, 0xff, 0xff, 0xff, 0xff],
        &[0xdb, 0xff, 0xff, 0xff, 0xff, 3],
        &[0x92, 126, 0xdd, 0xff, 0xff, 0xff, 0xff],
        &[0x95, 127, 2, 0, 0xdd, 0xff, 0xff, 0xff, 0xff, 16],
        &[0xdd, 0xff, 0xff, 0xff, 0xff, 125, 0xa1, b'a', 1],
    ] {
        assert!(!is_valid(bytes), "{bytes:02x?}");
    }
}

#[test]
fn nesting_is_bounded_and_fits_a_small_stack() {
    let nested = |levels: usize, code: i64| {
        (0..levels).fold(boolean(true), |inner, level| match code {
            1 => op(1, &[boolean(false), inner]),
            123 => op(123, &[boolean(false), boolean(true), inner]),
            125 => op(125, &[raw(&format!("v{level}")), boolean(true), inner]),
            127 => {
                // Whether a list that the inner call picks has an element.
                let list = op(123, &[inner, quote(&[int(1)]), quote(&[int(2)])]);
                let by_index = super::list(&[int(19), int(13), int(0)]);
                op(127, &[int(1), int(0), by_index, list])
            }
            18 => op(18, &[inner]),
            _ => op(code, &[boolean(code == 16), inner]),
        })
    };
    let check = move || {
        for code in [1, 16, 17, 18, 19, 123, 125] {
            let deepest = nested(512, code);
            assert!(matches!(of_sample(&deepest), Got::Bool(_)), "{code}");
            assert!(!is_valid(&nested(513, code)), "{code}");
            assert!(!is_valid(&nested(5_000, code)), "{code}");
        }
        // Each level of these is two, and within the last there is a literal list.
        assert!(matches!(of_sample(&nested(255, 127)), Got::Bool(_)));
        assert!(!is_valid(&nested(256, 127)));
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(check);
    thread.expect("a thread starts").join().expect("the stack is large enough");
}

#[test]
fn compiled_size_is_bounded() {
    // A compiled integer takes 16 bytes, the operation 8; a megabyte is too much.
    let sum = |count: usize| op(20, &vec![int(1); count]);
    assert!(is_valid(&sum(65_535)));
    assert!(!is_valid(&sum(65_536)));
}

#[test]
fn patterns_share_a_budget() {
    let pattern = |count: &str| op(7, &[int(1), raw(&format!("a{{{count}}}")), text("a")]);
    assert!(is_valid(&pattern("30000")));
    assert!(!is_valid(&op(17, &[pattern("30000"), pattern("30000"), pattern("30000")])));
    assert!(!is_valid(&op(7, &[int(1), raw("((a{99}){99}){99}"), text("a")])));
}

#[test]
fn owned_programs_do_as_borrowed_ones() {
    let mut random = fastrand::Rng::with_seed(5);
    let record = Sample::default();
    for _ in 0..500 {
        let bytes = any_expression(&mut random, 4);
        let Ok(program) = Program::build(&bytes) else { continue };
        let owned = Program::build(&bytes).unwrap().into_owned();
        let run = |program: &Program<'_>| {
            let value = crate::eval::Evaluation::of_record(program, &record).run();
            value.is_ok()
        };
        assert_eq!(run(&program), run(&owned));
    }
}

proptest! {
    #[test]
    fn well_typed_programs_evaluate(seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let expression = typed_expression(&mut random, Type::Bool, 5);
        prop_assert!(is_valid(&expression), "{:02x?}", expression);
        exercise(&expression);
    }
}

/// An expression of this type, well formed and well typed.
fn typed_expression(random: &mut fastrand::Rng, wanted: Type, depth: usize) -> Vec<u8> {
    if depth == 0 || random.u8(0..5) == 0 {
        return leaf(random, wanted);
    }
    let mut of = |wanted| typed_expression(random, wanted, depth - 1);
    let (a, b) = (of(wanted), of(wanted));
    match (wanted, random.u8(0..6)) {
        (_, 0) => op(123, &[typed_expression(random, Type::Bool, depth - 1), a, b]),
        (Type::Bool, 1) => op(random.i64(16..18), &[a, b]),
        (Type::Bool, 2) => op(19, &[a, b]),
        (Type::Bool, 3) => op(18, &[a]),
        (Type::Bool, _) => {
            let compared = [Type::Int, Type::Float, Type::Str, Type::List, Type::Map, Type::Blob]
                [random.usize(0..6)];
            let left = typed_expression(random, compared, depth - 1);
            let right = typed_expression(random, compared, depth - 1);
            op(random.i64(1..7), &[left, right])
        }
        (Type::Int, 1) => op(30, &[typed_expression(random, Type::Float, depth - 1)]),
        (Type::Int, 2) => op(random.i64(32..35), &[a, b]),
        (Type::Int, 3) => op(random.i64(36..39), &[a, b]),
        (Type::Int, 4) => op(40, &[a, typed_expression(random, Type::Bool, depth - 1)]),
        (Type::Int, _) => op([20, 21, 22, 23, 26, 50, 51][random.usize(0..7)], &[a, b]),
        (Type::Float, 1) => op(31, &[typed_expression(random, Type::Int, depth - 1)]),
        (Type::Float, _) => op([20, 21, 22, 23, 24, 25, 50, 51][random.usize(0..8)], &[a, b]),
        _ => a,
    }
}

fn leaf(random: &mut fastrand::Rng, wanted: Type) -> Vec<u8> {
    let name = ["i", "f", "s", "b", "t", "l", "m", "u", "h", "g", "absent"][random.usize(0..11)];
    match (wanted, random.bool()) {
        (_, true) => bin(wanted, name),
        (Type::Bool, _) => boolean(random.bool()),
        (Type::Int, _) => int(random.i64(..)),
        (Type::Float, _) => float(f64::from_bits(random.u64(..))),
        (Type::Str, _) => text(name),
        (Type::Blob, _) => blob(name.as_bytes()),
        (Type::List, _) => quote(&[int(random.i64(0..3)), text(name)]),
        (Type::Map, _) => vec![0x82, 0xc7, 0, random.u8(0..2), 0xc0, 1, 2],
        _ => bin(wanted, name),
    }
}

/// A well-formed operation, more often than not ill typed.
fn any_expression(random: &mut fastrand::Rng, depth: usize) -> Vec<u8> {
    let types = [Type::Bool, Type::Int, Type::Float, Type::Str, Type::Blob, Type::List, Type::Map];
    if depth == 0 || random.u8(0..4) == 0 {
        let wanted = types[random.usize(0..types.len())];
        return leaf(random, wanted);
    }
    let code = random.i64(0..128);
    let arguments: Vec<_> = (0..random.usize(0..4))
        .map(|_| match random.u8(0..6) {
            0 => int(random.i64(0..10)),
            1 => raw("a"),
            2 => list(&[int(random.i64(0..128)), int(0), int(1)]),
            _ => any_expression(random, depth - 1),
        })
        .collect();
    op(code, &arguments)
}
