//! Filters: whether a request applies to a record (`reference`: expressions.md, section 6).

use crate::Invalid;
use crate::eval::Evaluation;
use crate::program::Program;
use crate::types::Type;
use crate::values::Value;
use crate::view::{Metadata, RecordView};

/// A filter: an expression that is true or false, or unknown, of a record.
#[derive(Debug)]
pub struct Filter<'a> {
    program: Program<'a>,
}

impl<'a> Filter<'a> {
    /// Builds the filter that a request carries.
    ///
    /// # Errors
    /// [`Invalid`] if the bytes are no expression, or one that is no boolean.
    pub fn build(source: &'a [u8]) -> Result<Self, Invalid> {
        let program = Program::build(source)?;
        if program.result_type() == Type::Bool { Ok(Self { program }) } else { Err(Invalid) }
    }

    /// Whether any part of it looks at the user key or at bins. If not, [`Self::decide`] says all
    /// there is to say, provided that the metadata know whether there is a key.
    pub fn needs_record(&self) -> bool {
        self.program.needs_record()
    }

    /// The same filter, independent of the bytes it was built from.
    pub fn into_owned(self) -> Filter<'static> {
        Filter { program: self.program.into_owned() }
    }

    /// Decides by metadata alone, without reading the record; `None` if that is not enough.
    pub fn decide(&self, metadata: &dyn Metadata) -> Option<bool> {
        truth(Evaluation::of_metadata(&self.program, metadata))
    }

    /// Whether the request applies to the record: what is unknown of it does not count as true.
    pub fn matches(&self, record: &dyn RecordView) -> bool {
        truth(Evaluation::of_record(&self.program, record)) == Some(true)
    }
}

fn truth(evaluation: Evaluation<'_>) -> Option<bool> {
    match evaluation.run() {
        Ok(Value::Bool(value)) => Some(value),
        _ => None,
    }
}
