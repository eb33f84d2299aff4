//! Operators: the operations whose arguments are all expressions, with the types they take and give.

use std::cmp::Ordering;

use crate::types::Type::{self, Bool, Float, GeoJson, Int};

/// An operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Compare(Comparison),
    /// A point lies within a region.
    Within,
    And,
    Or,
    Not,
    /// Exactly one is true.
    Exclusive,
    /// A chain over one or more numbers.
    Chain(Chain),
    Single(Single),
    Pair(Pair),
    /// Index of the first bit that is as the second argument says, from the most significant.
    ScanLeft,
    /// The same from the least significant; the index counts from the most significant.
    ScanRight,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparison {
    /// Whether values in this order satisfy the comparison; without one (NaN) they only differ.
    pub fn accepts(self, ordering: Option<Ordering>) -> bool {
        let Some(ordering) = ordering else { return self == Self::NotEqual };
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
        }
    }
}

/// Operators over any number of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chain {
    Add,
    /// The first less all others; alone, its negative.
    Subtract,
    Multiply,
    /// The first by the product of the others; alone, its reciprocal.
    Divide,
    Min,
    Max,
    BitAnd,
    BitOr,
    BitXor,
}

/// Operators over one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Single {
    Absolute,
    Floor,
    Ceiling,
    ToInt,
    ToFloat,
    BitNot,
    BitCount,
}

/// Operators over two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pair {
    Power,
    /// Logarithm of the first to the base of the second.
    Logarithm,
    Remainder,
    ShiftLeft,
    ShiftRight,
    ShiftRightSigned,
}

/// What an operator takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Takes {
    /// Two of the same type, neither GeoJSON nor a sketch.
    Comparable,
    /// These types.
    Exactly(&'static [Type]),
    /// So many or more of this type.
    AtLeast(usize, Type),
    /// One or more, all integers or all floats.
    Numbers,
    /// One integer or float.
    Number,
}

/// What an operator gives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gives {
    Always(Type),
    /// The type of its arguments.
    SameAsTaken,
}

/// One row of the table of operators.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature {
    pub code: i64,
    pub operator: Operator,
    pub takes: Takes,
    pub gives: Gives,
}

const fn row(code: i64, operator: Operator, takes: Takes, gives: Type) -> Signature {
    Signature { code, operator, takes, gives: Gives::Always(gives) }
}

const fn numbers(code: i64, operator: Operator, takes: Takes) -> Signature {
    Signature { code, operator, takes, gives: Gives::SameAsTaken }
}

/// All operators, by code (`reference`: expressions.md, 4.1 to 4.4).
const OPERATORS: &[Signature] = {
    use Operator::*;
    use Takes::*;
    &[
        row(1, Compare(Comparison::Equal), Comparable, Bool),
        row(2, Compare(Comparison::NotEqual), Comparable, Bool),
        row(3, Compare(Comparison::Greater), Comparable, Bool),
        row(4, Compare(Comparison::GreaterOrEqual), Comparable, Bool),
        row(5, Compare(Comparison::Less), Comparable, Bool),
        row(6, Compare(Comparison::LessOrEqual), Comparable, Bool),
        row(8, Within, Exactly(&[GeoJson, GeoJson]), Bool),
        row(16, And, AtLeast(2, Bool), Bool),
        row(17, Or, AtLeast(2, Bool), Bool),
        row(18, Not, Exactly(&[Bool]), Bool),
        row(19, Exclusive, AtLeast(2, Bool), Bool),
        numbers(20, Chain(self::Chain::Add), Numbers),
        numbers(21, Chain(self::Chain::Subtract), Numbers),
        numbers(22, Chain(self::Chain::Multiply), Numbers),
        numbers(23, Chain(self::Chain::Divide), Numbers),
        row(24, Pair(self::Pair::Power), Exactly(&[Float, Float]), Float),
        row(25, Pair(self::Pair::Logarithm), Exactly(&[Float, Float]), Float),
        row(26, Pair(self::Pair::Remainder), Exactly(&[Int, Int]), Int),
        numbers(27, Single(self::Single::Absolute), Number),
        row(28, Single(self::Single::Floor), Exactly(&[Float]), Float),
        row(29, Single(self::Single::Ceiling), Exactly(&[Float]), Float),
        row(30, Single(self::Single::ToInt), Exactly(&[Float]), Int),
        row(31, Single(self::Single::ToFloat), Exactly(&[Int]), Float),
        row(32, Chain(self::Chain::BitAnd), AtLeast(1, Int), Int),
        row(33, Chain(self::Chain::BitOr), AtLeast(1, Int), Int),
        row(34, Chain(self::Chain::BitXor), AtLeast(1, Int), Int),
        row(35, Single(self::Single::BitNot), Exactly(&[Int]), Int),
        row(36, Pair(self::Pair::ShiftLeft), Exactly(&[Int, Int]), Int),
        row(37, Pair(self::Pair::ShiftRight), Exactly(&[Int, Int]), Int),
        row(38, Pair(self::Pair::ShiftRightSigned), Exactly(&[Int, Int]), Int),
        row(39, Single(self::Single::BitCount), Exactly(&[Int]), Int),
        row(40, ScanLeft, Exactly(&[Int, Bool]), Int),
        row(41, ScanRight, Exactly(&[Int, Bool]), Int),
        numbers(50, Chain(self::Chain::Min), Numbers),
        numbers(51, Chain(self::Chain::Max), Numbers),
    ]
};

impl Signature {
    /// The operator with this code.
    pub fn of(code: i64) -> Option<&'static Self> {
        let place = OPERATORS.binary_search_by_key(&code, |signature| signature.code).ok()?;
        OPERATORS.get(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_by_code() {
        assert!(OPERATORS.is_sorted_by(|a, b| a.code < b.code));
    }
}
