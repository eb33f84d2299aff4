//! Comparisons of values (`reference`: expressions.md, 4.1).

use std::cmp::Ordering;

use value::msgpack::{Element, Ext, Flags, Reader, Token};
use value::order;

use crate::operator::Comparison;
use crate::values::{Unknown, Value};

/// Whether two values compare so.
///
/// # Errors
/// [`Unknown`] for values of different types, which only calls without a target can lead to, and
/// for lists and maps that contain a map without order.
pub(crate) fn compare(
    comparison: Comparison,
    left: &Value<'_>,
    right: &Value<'_>,
) -> Result<bool, Unknown> {
    let ordering = match (left, right) {
        (Value::Nil, Value::Nil) => Some(Ordering::Equal),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Str(left), Value::Str(right)) | (Value::Blob(left), Value::Blob(right)) => {
            Some((**left).cmp(&**right))
        }
        (Value::List(left), Value::List(right)) | (Value::Map(left), Value::Map(right)) => {
            Some(compare_packed(left, right)?)
        }
        (Value::Opaque(left), Value::Opaque(right)) => Some(compare_packed(left, right)?),
        _ => return Err(Unknown),
    };
    Ok(comparison.accepts(ordering))
}

/// Compares packed values, in step, as far as it takes to tell which is less.
///
/// # Errors
/// [`Unknown`] if a map without order is met on the way: pairs that nothing keeps in order have no
/// meaningful order between two maps.
fn compare_packed(left: &[u8], right: &[u8]) -> Result<Ordering, Unknown> {
    let (mut left, mut right) = (Reader::new(left), Reader::new(right));
    // Values still to compare, and the answer if they turn out equal.
    let mut pending = 1_usize;
    let mut answer = Ordering::Equal;
    while pending > 0 {
        pending -= 1;
        let (before_left, before_right) = (left, right);
        let (a, b) = (Shape::read(&mut left)?, Shape::read(&mut right)?);
        match (a, b) {
            (Shape::Wildcard, _) | (_, Shape::Wildcard) => return Ok(Ordering::Equal),
            (Shape::UnorderedMap, _) | (_, Shape::UnorderedMap) => return Err(Unknown),
            (Shape::List(a), Shape::List(b)) if a == b => pending += a,
            (Shape::List(a), Shape::List(b)) => {
                pending = a.min(b);
                answer = a.cmp(&b);
            }
            (Shape::Map(a), Shape::Map(b)) if a == b => pending += 2 * a,
            (Shape::Map(a), Shape::Map(b)) => return Ok(a.cmp(&b)),
            _ => {
                (left, right) = (before_left, before_right);
                match order::compare(element(&mut left)?, element(&mut right)?) {
                    Ordering::Equal => {}
                    decided => return Ok(decided),
                }
            }
        }
    }
    Ok(answer)
}

/// What comparing must know of a value before it compares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Scalar,
    /// A list of so many elements.
    List(usize),
    /// A map of so many pairs, ordered by key or empty.
    Map(usize),
    UnorderedMap,
    Wildcard,
}

impl Shape {
    /// Reads a scalar, or a container up to its first element.
    fn read(reader: &mut Reader<'_>) -> Result<Self, Unknown> {
        Ok(match reader.head().map_err(|_| Unknown)?.token {
            Token::List(count) if count > 0 && order_flags(reader)?.is_some() => {
                Self::List(count - 1)
            }
            Token::List(count) => Self::List(count),
            Token::Map(0) => Self::Map(0),
            Token::Map(pairs) => match order_flags(reader)? {
                Some(flags) if flags.is_ordered() => {
                    element(reader)?;
                    Self::Map(pairs - 1)
                }
                _ => Self::UnorderedMap,
            },
            Token::Ext(Ext::WILDCARD) => Self::Wildcard,
            _ => Self::Scalar,
        })
    }
}

fn order_flags(reader: &mut Reader<'_>) -> Result<Option<Flags>, Unknown> {
    Ok(reader.order_ext().map_err(|_| Unknown)?.map(|head| head.order_flags()))
}

fn element<'a>(reader: &mut Reader<'a>) -> Result<Element<'a>, Unknown> {
    reader.element().map_err(|_| Unknown)
}
