//! Whose values a secondary index holds: those of a bin, or those of an expression.

use std::sync::Arc;

use expr::{IndexExpression, Medium, Metadata, RecordView};
use record::Body;
use value::cdt::Stored;
use value::indexed::{self, Part, Scalar};
use wire::{Digest, ParticleType};

/// Longest string or blob, as a whole value, that is indexed. Longer ones in lists and maps are, as in
/// the original.
const BYTES_MAX: usize = 2048;

/// What an index, or a query that looks for one, is about.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// A bin.
    Bin {
        /// Its name.
        name: Box<[u8]>,
        /// The way to the value inside the bin, in canonical msgpack; empty if it is the bin itself.
        context: Box<[u8]>,
    },
    /// What an expression makes of a record.
    Expression(Arc<IndexExpression>),
}

impl Source {
    /// A whole bin.
    pub fn bin(name: &[u8]) -> Self {
        Self::Bin { name: name.into(), context: Box::default() }
    }

    /// Visits the values of a record, the whole or a part of each, that an index can hold.
    pub(super) fn visit(
        &self,
        part: Part,
        digest: &Digest,
        body: &Body<'_>,
        visit: impl FnMut(Scalar<'_>),
    ) {
        match self {
            Self::Bin { name, context } => {
                if let Some(bin) = body.bin(name) {
                    visit_short(bin.stored(), context, part, visit);
                }
            }
            Self::Expression(expression) => {
                let view = View { digest, body };
                if let Some((particle_type, value)) = expression.value_of(&view) {
                    visit_short(Stored::from((particle_type, &*value)), &[], part, visit);
                }
            }
        }
    }
}

fn visit_short<'a>(
    stored: Stored<'a>,
    context: &'a [u8],
    part: Part,
    visit: impl FnMut(Scalar<'a>),
) {
    let is_bytes = matches!(stored.particle_type, ParticleType::STRING | ParticleType::BLOB);
    if !is_bytes || stored.value.len() <= BYTES_MAX {
        indexed::visit(stored, context, part, visit);
    }
}

/// A record as expressions of indexes see it. They look at nothing but the digest and bins, so the rest
/// is as good as unknown.
struct View<'a> {
    digest: &'a Digest,
    body: &'a Body<'a>,
}

impl Metadata for View<'_> {
    fn digest(&self) -> &Digest {
        self.digest
    }

    fn set_name(&self) -> &[u8] {
        &[]
    }

    fn now_ms(&self) -> u64 {
        0
    }

    fn last_update_time_ms(&self) -> u64 {
        0
    }

    fn void_time_seconds(&self) -> u32 {
        0
    }

    fn has_key(&self) -> Option<bool> {
        None
    }

    fn is_tombstone(&self) -> bool {
        false
    }

    fn size_bytes(&self) -> usize {
        0
    }

    fn medium(&self) -> Medium {
        Medium::Memory
    }
}

impl RecordView for View<'_> {
    fn metadata(&self) -> &dyn Metadata {
        self
    }

    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn bin(&self, name: &[u8]) -> Option<(ParticleType, &[u8])> {
        self.body.bin(name).map(|bin| (bin.particle_type, bin.value))
    }
}
