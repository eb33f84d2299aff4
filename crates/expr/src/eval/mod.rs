//! Evaluating a program over a record.
//!
//! Types were checked when the program was built. Should a value be of another type all the same
//! (calls without a target give what they give), the result is unknown.

mod call;
mod metadata;
mod number;

use regex::bytes::Regex;
use smallvec::SmallVec;

use crate::compare::compare;
use crate::operator::{Comparison, Operator};
use crate::program::{Arguments, Literal, Op, Program, Span};
use crate::types::Type;
use crate::values::{Bytes, Geo, Unknown, Value};
use crate::view::{Metadata, RecordView};

/// A value, or none.
type Outcome<'e> = Result<Value<'e>, Unknown>;

/// One evaluation of a program.
pub(crate) struct Evaluation<'e> {
    program: &'e Program<'e>,
    metadata: &'e dyn Metadata,
    record: Option<&'e dyn RecordView>,
    variables: SmallVec<[Outcome<'e>; 4]>,
    /// Bytes that calls have made.
    made_bytes: usize,
}

impl<'e> Evaluation<'e> {
    /// Over metadata only: whatever depends on key or bins is unknown.
    pub fn of_metadata(program: &'e Program<'e>, metadata: &'e dyn Metadata) -> Self {
        Self { program, metadata, record: None, variables: SmallVec::new(), made_bytes: 0 }
    }

    /// Over a whole record.
    pub fn of_record(program: &'e Program<'e>, record: &'e dyn RecordView) -> Self {
        let metadata = record.metadata();
        Self { program, metadata, record: Some(record), variables: SmallVec::new(), made_bytes: 0 }
    }

    /// The program's value.
    pub fn run(mut self) -> Outcome<'e> {
        self.value(0)
    }

    /// The value of the node at an index.
    fn value(&mut self, at: usize) -> Outcome<'e> {
        let program = self.program;
        match &program.nodes.get(at).ok_or(Unknown)?.op {
            Op::Unknown => Err(Unknown),
            Op::Literal(literal) => Ok(self.literal(literal)),
            Op::Operator(operator) => self.operator(*operator, program.arguments(at)),
            Op::Matches(regex) => self.matches(regex, program.arguments(at)),
            Op::DigestModulo(modulus) => Ok(metadata::digest_modulo(self.metadata, *modulus)),
            Op::Metadata(field) => metadata::field(self.metadata, *field),
            Op::Key(key_type) => self.key(*key_type),
            Op::Bin(bin_type, name) => self.bin(*bin_type, *name),
            Op::BinType(name) => self.bin_type(*name),
            Op::Cond => self.cond(program.arguments(at)),
            Op::Variable(slot) => {
                self.variables.get(*slot as usize).cloned().unwrap_or(Err(Unknown))
            }
            Op::Let => self.define(program.arguments(at)),
            Op::Call(call) => self.call(call, program.arguments(at)),
        }
    }

    fn literal(&self, literal: &'e Literal) -> Value<'e> {
        let bytes = |span: &Span| Bytes::from(self.program.bytes(*span));
        match literal {
            Literal::Nil => Value::Nil,
            Literal::Bool(value) => Value::Bool(*value),
            Literal::Int(value) => Value::Int(*value),
            Literal::Float(value) => Value::Float(*value),
            Literal::Str(span) => Value::Str(bytes(span)),
            Literal::Blob(span) => Value::Blob(bytes(span)),
            Literal::Hll(span) => Value::Hll(bytes(span)),
            Literal::GeoJson(literal) => Value::GeoJson(Geo::Literal {
                text: self.program.bytes(literal.text),
                packed: self.program.bytes(literal.packed),
                geometry: &literal.geometry,
            }),
            Literal::List(span) => Value::List(bytes(span)),
            Literal::Map(span) => Value::Map(bytes(span)),
            Literal::Opaque(span) => Value::Opaque(self.program.bytes(*span)),
        }
    }

    fn operator(&mut self, operator: Operator, arguments: Arguments<'e>) -> Outcome<'e> {
        match operator {
            Operator::Compare(comparison) => self.compare(comparison, arguments),
            Operator::Within => self.within(arguments),
            Operator::And => self.first_to_decide(arguments, false),
            Operator::Or => self.first_to_decide(arguments, true),
            Operator::Not => self.not(arguments),
            Operator::Exclusive => self.exclusive(arguments),
            Operator::Chain(chain) => self.chain(chain, arguments),
            Operator::Single(single) => self.single(single, arguments),
            Operator::Pair(pair) => self.pair(pair, arguments),
            Operator::ScanLeft | Operator::ScanRight => self.scan(operator, arguments),
        }
    }

    fn compare(&mut self, comparison: Comparison, mut arguments: Arguments<'e>) -> Outcome<'e> {
        let left = self.next(&mut arguments)?;
        let right = self.next(&mut arguments)?;
        compare(comparison, &left, &right).map(Value::Bool)
    }

    fn within(&mut self, mut arguments: Arguments<'e>) -> Outcome<'e> {
        match (self.next(&mut arguments)?, self.next(&mut arguments)?) {
            (Value::GeoJson(left), Value::GeoJson(right)) => {
                left.is_within(&right).map(Value::Bool)
            }
            _ => Err(Unknown),
        }
    }

    fn matches(&mut self, regex: &Regex, mut arguments: Arguments<'e>) -> Outcome<'e> {
        let Value::Str(subject) = self.next(&mut arguments)? else { return Err(Unknown) };
        let end = subject.iter().position(|byte| *byte == 0).unwrap_or(subject.len());
        Ok(Value::Bool(regex.is_match(subject.get(..end).unwrap_or_default())))
    }

    fn not(&mut self, mut arguments: Arguments<'e>) -> Outcome<'e> {
        let argument = arguments.next().ok_or(Unknown)?;
        Ok(Value::Bool(!self.bool(argument)?))
    }

    /// `and`, `or`: the first argument that is `deciding` decides; else one that is unknown makes the
    /// whole unknown.
    fn first_to_decide(&mut self, arguments: Arguments<'e>, deciding: bool) -> Outcome<'e> {
        let mut undecided = Ok(Value::Bool(!deciding));
        for argument in arguments {
            match self.bool(argument) {
                Ok(value) if value == deciding => return Ok(Value::Bool(deciding)),
                Ok(_) => {}
                Err(Unknown) => undecided = Err(Unknown),
            }
        }
        undecided
    }

    fn exclusive(&mut self, arguments: Arguments<'e>) -> Outcome<'e> {
        let mut found = false;
        for argument in arguments {
            if self.bool(argument)? {
                if found {
                    return Ok(Value::Bool(false));
                }
                found = true;
            }
        }
        Ok(Value::Bool(found))
    }

    fn cond(&mut self, mut arguments: Arguments<'e>) -> Outcome<'e> {
        while let Some(condition) = arguments.next() {
            if arguments.is_empty() {
                return self.value(condition);
            }
            let holds = self.bool(condition)?;
            let branch = arguments.next().ok_or(Unknown)?;
            if holds {
                return self.value(branch);
            }
        }
        Err(Unknown)
    }

    fn define(&mut self, mut arguments: Arguments<'e>) -> Outcome<'e> {
        let outer = self.variables.len();
        while let Some(definition) = arguments.next() {
            let value = self.value(definition);
            if arguments.is_empty() {
                self.variables.truncate(outer);
                return value;
            }
            self.variables.push(value);
        }
        Err(Unknown)
    }

    fn key(&self, key_type: Type) -> Outcome<'e> {
        let key = self.record.and_then(RecordView::key).ok_or(Unknown)?;
        let (particle_type, value) = key.split_first().ok_or(Unknown)?;
        if *particle_type != key_type.particle_type().0 {
            return Err(Unknown);
        }
        Value::from_particle(key_type, value.into())
    }

    fn bin(&self, bin_type: Type, name: Span) -> Outcome<'e> {
        let bin = self.record.ok_or(Unknown)?.bin(self.program.bytes(name));
        let (particle_type, value) = bin.ok_or(Unknown)?;
        if particle_type != bin_type.particle_type() {
            return Err(Unknown);
        }
        Value::from_particle(bin_type, value.into())
    }

    fn bin_type(&self, name: Span) -> Outcome<'e> {
        let bin = self.record.ok_or(Unknown)?.bin(self.program.bytes(name));
        Ok(Value::Int(bin.map_or(0, |(particle_type, _)| particle_type.0.into())))
    }

    fn next(&mut self, arguments: &mut Arguments<'_>) -> Outcome<'e> {
        self.value(arguments.next().ok_or(Unknown)?)
    }

    fn bool(&mut self, at: usize) -> Result<bool, Unknown> {
        match self.value(at)? {
            Value::Bool(value) => Ok(value),
            _ => Err(Unknown),
        }
    }
}
