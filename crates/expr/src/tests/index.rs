//! Expressions of indexes: what they may look at, and their values.

use wire::ParticleType;

use crate::testing::*;
use crate::{IndexExpression, Type};

fn sum(left: &[u8], right: &[u8]) -> Vec<u8> {
    op(20, &[left.to_vec(), right.to_vec()])
}

#[test]
fn they_look_at_bins_or_the_digest_and_at_nothing_else_of_a_record() {
    let (number, digest) = (bin(Type::Int, "i"), op(64, &[int(10)]));
    for accepted in [&number, &digest, &sum(&number, &digest), &op(82, &[raw("i")])] {
        let built = IndexExpression::build(accepted).unwrap();
        assert_eq!((built.source(), built.result_type()), (&accepted[..], Type::Int));
    }
    let user_key = op(80, &[int(Type::Int as i64)]);
    let metadata = [65, 66, 67, 68, 69, 73, 74].map(|code| op(code, &[]));
    let is_refused = |expression: &[u8]| IndexExpression::build(expression).is_err();
    for refused in metadata.iter().chain([&user_key]) {
        assert!(is_valid(refused) && is_refused(refused) && is_refused(&sum(&number, refused)));
    }
    let is_excluded_by_type = [70, 71, 72].map(|code| op(code, &[]));
    assert!(is_excluded_by_type.iter().all(|of| is_valid(of) && is_refused(of)));
    assert!(is_refused(&int(1)) && is_refused(&unknown()), "nothing of a record");
    assert!(is_refused(b"") && is_refused(&[0x93]));
}

#[test]
fn what_is_unknown_or_nil_has_no_value() {
    let value_of = |expression: &[u8]| {
        let built = IndexExpression::build(expression).unwrap();
        let record = Sample::default();
        built.value_of(&record).map(|(kind, value)| (kind, value.to_vec()))
    };
    let ten = 10_i64.to_be_bytes().to_vec();
    let number = bin(Type::Int, "i");
    assert_eq!(value_of(&sum(&number, &int(5))), Some((ParticleType::INTEGER, ten)));
    let text = Some((ParticleType::STRING, b"abc".to_vec()));
    assert_eq!(value_of(&bin(Type::Str, "s")), text);
    assert_eq!(value_of(&bin(Type::Str, "absent")), None);
    assert_eq!(value_of(&bin(Type::Str, "i")), None, "of another type");
    let is_positive = op(3, &[number, int(0)]);
    assert_eq!(value_of(&op(123, &[is_positive.clone(), bin(Type::Str, "s"), unknown()])), text);
    let is_not = op(18, &[is_positive]);
    assert_eq!(value_of(&op(123, &[is_not, bin(Type::Str, "s"), unknown()])), None);
}
