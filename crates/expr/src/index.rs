//! Expressions whose values a secondary index holds.

use std::hash::{Hash, Hasher};

use wire::ParticleType;

use crate::Invalid;
use crate::eval::Evaluation;
use crate::program::{Op, Program};
use crate::types::Type;
use crate::view::RecordView;
use value::StoredBytes;

/// An expression over what changes only by a write of its record: bins, and the digest.
///
/// Other metadata change by themselves or with every write, and a user key may be stored or not, as each
/// write says: an index on them could not be kept in step.
#[derive(Debug)]
pub struct IndexExpression {
    program: Program<'static>,
}

impl IndexExpression {
    /// Builds an expression for an index.
    ///
    /// # Errors
    /// [`Invalid`] if the bytes are no expression, if it looks at metadata other than the digest or at
    /// the user key, or if it looks at nothing of a record.
    pub fn build(source: &[u8]) -> Result<Self, Invalid> {
        let program = Program::build(source)?;
        let ops = || program.nodes.iter().map(|node| &node.op);
        let is_excluded = |op: &Op| matches!(op, Op::Metadata(_) | Op::Key(_));
        let is_input = |op: &Op| matches!(op, Op::Bin(..) | Op::BinType(_) | Op::DigestModulo(_));
        if ops().any(is_excluded) || !ops().any(is_input) {
            return Err(Invalid);
        }
        Ok(Self { program: program.into_owned() })
    }

    /// The bytes from which it was built.
    pub fn source(&self) -> &[u8] {
        &self.program.source
    }

    /// Type of its values.
    pub fn result_type(&self) -> Type {
        self.program.result_type()
    }

    /// Its value for a record, in the form in which bins hold it; `None` if it has none.
    pub fn value_of<'v>(
        &'v self,
        record: &'v dyn RecordView,
    ) -> Option<(ParticleType, StoredBytes<'v>)> {
        let value = Evaluation::of_record(&self.program, record).run();
        value.and_then(|value| value.into_particle()).ok().flatten()
    }
}

/// Two are the same if they were built from the same bytes.
impl PartialEq for IndexExpression {
    fn eq(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

impl Eq for IndexExpression {}

impl Hash for IndexExpression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source().hash(state);
    }
}
