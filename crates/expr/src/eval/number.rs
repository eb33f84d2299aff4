//! Arithmetic on integers, which wraps, and on floats, as IEEE 754 has it.

use super::{Evaluation, Outcome};
use crate::operator::{Chain, Operator, Pair, Single};
use crate::program::Arguments;
use crate::values::{Unknown, Value};

/// What chains do to integers and floats alike.
trait Number: Copy + PartialOrd {
    const ZERO: Self;
    const ONE: Self;
    fn add(self, other: Self) -> Self;
    fn subtract(self, other: Self) -> Self;
    fn multiply(self, other: Self) -> Self;
    /// Unknown by an integer zero.
    fn divide(self, other: Self) -> Result<Self, Unknown>;
}

impl Number for i64 {
    const ZERO: Self = 0;
    const ONE: Self = 1;

    fn add(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn subtract(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }

    fn multiply(self, other: Self) -> Self {
        self.wrapping_mul(other)
    }

    fn divide(self, other: Self) -> Result<Self, Unknown> {
        if other == 0 { Err(Unknown) } else { Ok(self.wrapping_div(other)) }
    }
}

impl Number for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    fn add(self, other: Self) -> Self {
        self + other
    }

    fn subtract(self, other: Self) -> Self {
        self - other
    }

    fn multiply(self, other: Self) -> Self {
        self * other
    }

    fn divide(self, other: Self) -> Result<Self, Unknown> {
        Ok(self / other)
    }
}

impl<'e> Evaluation<'e> {
    pub(super) fn chain(&mut self, chain: Chain, mut arguments: Arguments<'e>) -> Outcome<'e> {
        match self.next(&mut arguments)? {
            Value::Int(first) => {
                let rest = arguments.map(|at| match self.value(at)? {
                    Value::Int(value) => Ok(value),
                    _ => Err(Unknown),
                });
                integers(chain, first, rest).map(Value::Int)
            }
            Value::Float(first) => {
                let rest = arguments.map(|at| match self.value(at)? {
                    Value::Float(value) => Ok(value),
                    _ => Err(Unknown),
                });
                numbers(chain, first, rest).map(Value::Float)
            }
            _ => Err(Unknown),
        }
    }

    pub(super) fn single(&mut self, single: Single, mut arguments: Arguments<'e>) -> Outcome<'e> {
        let number = self.next(&mut arguments)?;
        single_number(single, &number)
    }

    pub(super) fn pair(&mut self, pair: Pair, mut arguments: Arguments<'e>) -> Outcome<'e> {
        let left = self.next(&mut arguments)?;
        let right = self.next(&mut arguments)?;
        pair_of_numbers(pair, &left, &right)
    }

    pub(super) fn scan(
        &mut self,
        direction: Operator,
        mut arguments: Arguments<'e>,
    ) -> Outcome<'e> {
        match (self.next(&mut arguments)?, self.next(&mut arguments)?) {
            (Value::Int(bits), Value::Bool(wanted)) => {
                Ok(Value::Int(first_bit(direction, bits, wanted)))
            }
            _ => Err(Unknown),
        }
    }
}

fn integers(
    chain: Chain,
    first: i64,
    mut rest: impl Iterator<Item = Result<i64, Unknown>>,
) -> Result<i64, Unknown> {
    match chain {
        Chain::BitAnd => rest.try_fold(first, |bits, next| Ok(bits & next?)),
        Chain::BitOr => rest.try_fold(first, |bits, next| Ok(bits | next?)),
        Chain::BitXor => rest.try_fold(first, |bits, next| Ok(bits ^ next?)),
        _ => numbers(chain, first, rest),
    }
}

fn numbers<N: Number>(
    chain: Chain,
    first: N,
    rest: impl Iterator<Item = Result<N, Unknown>>,
) -> Result<N, Unknown> {
    let mut rest = rest.peekable();
    let is_alone = rest.peek().is_none();
    match chain {
        Chain::Add => rest.try_fold(first, |sum, next| Ok(sum.add(next?))),
        Chain::Subtract if is_alone => Ok(N::ZERO.subtract(first)),
        Chain::Subtract => rest.try_fold(first, |left, next| Ok(left.subtract(next?))),
        Chain::Multiply => rest.try_fold(first, |product, next| Ok(product.multiply(next?))),
        Chain::Divide if is_alone => N::ONE.divide(first),
        Chain::Divide => {
            first.divide(rest.try_fold(N::ONE, |product, next| Ok(product.multiply(next?)))?)
        }
        // A NaN is neither below nor above: it stays if it is first, else it is passed over.
        Chain::Min => rest.try_fold(first, |min, next| {
            let next = next?;
            Ok(if min > next { next } else { min })
        }),
        Chain::Max => rest.try_fold(first, |max, next| {
            let next = next?;
            Ok(if max < next { next } else { max })
        }),
        Chain::BitAnd | Chain::BitOr | Chain::BitXor => Err(Unknown),
    }
}

fn single_number<'e>(operator: Single, number: &Value<'e>) -> Outcome<'e> {
    Ok(match (operator, number) {
        (Single::Absolute, Value::Int(value)) => Value::Int(value.wrapping_abs()),
        (Single::Absolute, Value::Float(value)) => Value::Float(value.abs()),
        (Single::Floor, Value::Float(value)) => Value::Float(value.floor()),
        (Single::Ceiling, Value::Float(value)) => Value::Float(value.ceil()),
        (Single::ToInt, Value::Float(value)) => Value::Int(truncated(*value)),
        (Single::ToFloat, Value::Int(value)) => Value::Float(*value as f64),
        (Single::BitNot, Value::Int(value)) => Value::Int(!value),
        (Single::BitCount, Value::Int(value)) => Value::Int(value.count_ones().into()),
        _ => return Err(Unknown),
    })
}

/// The integer part; the least integer if that is none, as x86-64 processors have it.
fn truncated(value: f64) -> i64 {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if (-BOUND..BOUND).contains(&value) { value as i64 } else { i64::MIN }
}

fn pair_of_numbers<'e>(operator: Pair, left: &Value<'e>, right: &Value<'e>) -> Outcome<'e> {
    Ok(match (operator, left, right) {
        (Pair::Power, Value::Float(base), Value::Float(exponent)) => {
            Value::Float(base.powf(*exponent))
        }
        (Pair::Logarithm, Value::Float(value), Value::Float(base)) => {
            Value::Float(value.ln() / base.ln())
        }
        (Pair::Remainder, Value::Int(_), Value::Int(0)) => return Err(Unknown),
        (Pair::Remainder, Value::Int(left), Value::Int(right)) => {
            Value::Int(left.wrapping_rem(*right))
        }
        // Only the low six bits of the count matter, as on the original's processors.
        (Pair::ShiftLeft, Value::Int(bits), Value::Int(count)) => {
            Value::Int(bits.wrapping_shl(*count as u32))
        }
        (Pair::ShiftRight, Value::Int(bits), Value::Int(count)) => {
            Value::Int(bits.cast_unsigned().wrapping_shr(*count as u32).cast_signed())
        }
        (Pair::ShiftRightSigned, Value::Int(bits), Value::Int(count)) => {
            Value::Int(bits.wrapping_shr(*count as u32))
        }
        _ => return Err(Unknown),
    })
}

/// Index of the first bit as wanted, counted from the most significant; -1 if there is none.
fn first_bit(direction: Operator, bits: i64, wanted: bool) -> i64 {
    let ones = if wanted { bits } else { !bits };
    match (direction, ones) {
        (_, 0) => -1,
        (Operator::ScanLeft, _) => ones.leading_zeros().into(),
        _ => i64::from(63 - ones.trailing_zeros()),
    }
}
