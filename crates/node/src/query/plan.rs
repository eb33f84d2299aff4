//! What a query asks for.

use std::sync::Arc;

use engine::query::{Wanted, WantedBins};
use engine::sindex::{Predicate, Sindex, Where};
use engine::{Namespace, Stripe, Turn};
use expr::Filter;
use wire::query::{Part, bin_list, parts};
use wire::{FieldType, Info1, Info2, Info3, Request, ResultCode};

use super::counters::count_region;
use super::patience::Patience;
use super::walk::Scope;

/// Time in ms that a short query has when the client does not say.
const SHORT_TIME_MS_DEFAULT: u32 = 1_000;
/// Most bytes of the name of a set, and of a bin.
const SET_NAME_BYTES_MAX: usize = 63;
const BIN_NAME_BYTES_MAX: usize = 15;

/// A query that may begin.
#[derive(Debug)]
pub(super) struct Plan {
    pub namespace: Arc<Namespace>,
    /// Name of the set, if it asks for one.
    pub set: Option<Box<[u8]>>,
    pub wanted: Wanted,
    /// What it goes through.
    pub parts: Vec<Part>,
    /// Whether nobody has heard of its set.
    pub is_set_unknown: bool,
    /// Which partitions it finds on this node.
    pub scope: Scope,
    /// Partitions that it names: whole ones, and begun ones.
    pub requested: (usize, usize),
    /// Its id; 0 to get one.
    pub id: u64,
    /// Most rows; `u64::MAX` if any number will do.
    pub rows_max: u64,
    /// Records a second; 0: as fast as it goes.
    pub records_per_second: u32,
    pub patience: Patience,
    /// `None` if it is a long one, otherwise the ms that it has.
    pub short_ms: Option<u32>,
    /// Whether the client takes compressed frames.
    pub compresses: bool,
}

/// Whether a query is a short one: if its client says so, and its namespace lets it.
pub(super) fn is_short(request: &Request<'_>, namespace: &Namespace) -> bool {
    request.header.info1.contains(Info1::SHORT_QUERY) && !namespace.config().force_long_queries
}

impl Plan {
    /// What a request asks for.
    ///
    /// # Errors
    /// That of the first check of the protocol reference that it does not pass.
    pub fn of(
        request: &Request<'_>,
        namespace: &Arc<Namespace>,
        turn: &Turn<'_>,
    ) -> Result<Self, ResultCode> {
        if !request.header.info3.contains(Info3::PARTITION_DONE) {
            return Err(ResultCode::UNSUPPORTED_FEATURE);
        }
        if request.set.is_some_and(|set| set.len() > SET_NAME_BYTES_MAX) {
            return Err(ResultCode::PARAMETER);
        }
        let parts = parts(request)?;
        let is_short = is_short(request, namespace);
        let rate = number(request, FieldType::RECORDS_PER_SECOND)?;
        if is_short && rate.is_some() {
            return Err(ResultCode::PARAMETER);
        }
        let rows_max = match request.field(FieldType::RECORDS_MAX).map(<[u8; 8]>::try_from) {
            Some(Ok(bytes)) => u64::from_be_bytes(bytes),
            Some(Err(_)) => return Err(ResultCode::PARAMETER),
            None => 0,
        };
        // As in the original, whether there is an index is found out before the filter is built.
        let matching = where_of(request, namespace, turn.stripe)?;
        let filter = request.field(FieldType::FILTER).map(Filter::build).transpose()?;
        let set = request.set.map(|name| namespace.sets.by_name(name).map(|set| set.id));
        let wanted = Wanted {
            set: set.flatten(),
            bins: wanted_bins(request)?,
            filter: filter.map(Filter::into_owned),
            matching,
            begun: turn.now,
        };
        let begun = parts.iter().filter(|part| part.after.is_some()).count();
        let requested = (parts.len() - begun, begun);
        let id = request.field(FieldType::QUERY_ID).and_then(|id| id.try_into().ok());
        let time_ms = match request.header.transaction_ttl_ms {
            0 => SHORT_TIME_MS_DEFAULT,
            time_ms => time_ms,
        };
        Ok(Self {
            namespace: Arc::clone(namespace),
            set: request.set.map(Into::into),
            wanted,
            parts,
            is_set_unknown: set == Some(None),
            scope: match request.header.info2.contains(Info2::RELAX_AP_LONG_QUERY) && !is_short {
                true => Scope::Relaxed,
                false => Scope::Complete,
            },
            requested,
            id: id.map_or(0, u64::from_be_bytes),
            rows_max: if rows_max == 0 { u64::MAX } else { rows_max },
            records_per_second: rate.unwrap_or(0),
            patience: Patience::of(request)?,
            short_ms: is_short.then_some(time_ms),
            compresses: request.header.info1.contains(Info1::COMPRESS_RESPONSE),
        })
    }
}

/// What a request asks of values, which is counted.
pub(super) fn predicate_of(
    request: &Request<'_>,
    namespace: &Namespace,
    stripe: Stripe,
) -> Result<Option<Predicate>, ResultCode> {
    let predicate = Predicate::parse(request, &namespace.config())?;
    Ok(predicate.inspect(|predicate| count_region(namespace, stripe, predicate)))
}

/// The where clause of a request, with the index that it needs.
pub(super) fn where_of(
    request: &Request<'_>,
    namespace: &Namespace,
    stripe: Stripe,
) -> Result<Option<Where>, ResultCode> {
    let predicate = predicate_of(request, namespace, stripe)?;
    predicate.map(|predicate| namespace.sindexes.find(request.set, predicate)).transpose()
}

/// The index that a query uses, if it has a where clause.
pub(super) fn sindex_of(wanted: &Wanted) -> Option<&Sindex> {
    wanted.matching.as_ref().map(|clause| &*clause.sindex)
}

/// The name of an index, as it is shown.
pub(super) fn name_of(sindex: &Sindex) -> Box<str> {
    String::from_utf8_lossy(&sindex.name()).into()
}

/// The number in a field of four bytes.
pub(super) fn number(request: &Request<'_>, field: FieldType) -> Result<Option<u32>, ResultCode> {
    let bytes = request.field(field).map(<[u8; 4]>::try_from).transpose();
    bytes.map(|bytes| bytes.map(u32::from_be_bytes)).map_err(|_| ResultCode::PARAMETER)
}

/// The bins that a request selects, by operations or in the older form. Of operations only the names
/// matter; names that no bin can have select nothing.
fn wanted_bins(request: &Request<'_>) -> Result<WantedBins, ResultCode> {
    let list = request.field(FieldType::QUERY_BINS).map(bin_list).transpose()?;
    let names: Vec<&[u8]> = match (list, request.header.n_ops) {
        (Some(_), 1..) => return Err(ResultCode::PARAMETER),
        (Some(names), _) => names,
        (None, 0) => Vec::new(),
        (None, _) => request.ops().map(|op| op.name).collect(),
    };
    if request.header.info1.contains(Info1::GET_NO_BINS) {
        return Ok(WantedBins::None);
    }
    if names.is_empty() {
        return Ok(WantedBins::All);
    }
    let names = names.into_iter().filter(|name| name.len() <= BIN_NAME_BYTES_MAX);
    Ok(WantedBins::Named(names.map(Into::into).collect()))
}
