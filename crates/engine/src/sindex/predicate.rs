//! What a query asks of a record's values: fields 21 to 24 and 26 of its request (`reference`:
//! protocol.md, 9.2; geo.md, section 5; fields 21 and 24 as in 8.1).

use config::Namespace as NamespaceConfig;
use record::Body;
use value::geo::{self, CellId, CoverOptions, EARTH_RADIUS_METERS, Geometry, Region};
use value::indexed::Scalar;
use wire::{Digest, FieldType, ParticleType, Request, ResultCode};

use super::definition::{Definition, IndexType, KeyType, bval_of_bytes};
use super::source::Source;

/// Bytes from which on a string or blob cannot be asked for.
const BYTES_LIMIT: usize = 2048;
/// Bytes from which on a GeoJSON text cannot be asked for.
const GEO_BYTES_LIMIT: usize = 1 << 20;
/// Longest name of a bin.
const BIN_NAME_BYTES_MAX: usize = 15;

/// Longest name of an index.
const INDEX_NAME_BYTES_MAX: usize = 63;

/// What a query asks of a record's values.
#[derive(Debug)]
pub struct Predicate {
    subject: Subject,
    index_type: IndexType,
    test: Test,
    ranges: Vec<(i64, i64)>,
}

/// Of which values a query asks, as it says it.
#[derive(PartialEq, Eq, Debug)]
enum Subject {
    /// Those of a bin, or of what a context leads to inside one.
    Bin { name: Box<[u8]>, context: Box<[u8]> },
    /// Those of an expression, in the same bytes as when its index was made.
    Expression(Box<[u8]>),
    /// Those that the index with this name holds.
    Index(Box<[u8]>),
}

/// What is asked of a value.
#[derive(Debug)]
enum Test {
    /// To be an integer between these, both included.
    Between(i64, i64),
    /// To be this string.
    String(Box<[u8]>),
    /// To be this blob.
    Blob(Box<[u8]>),
    /// To be a point in this region; not strictly: in its cells.
    Within { region: Box<dyn Region>, strict: bool },
    /// To be a region around this point; not strictly: with a cell around it.
    Around { point: CellId, strict: bool },
}

impl Predicate {
    /// What a request asks; `None` if it asks nothing of values. Geometry is read with the settings of
    /// this namespace.
    ///
    /// # Errors
    /// `PARAMETER` when a field breaks a rule; `SINDEX_NOT_FOUND` for a type of index that there is not.
    pub fn parse(
        request: &Request<'_>,
        config: &NamespaceConfig,
    ) -> Result<Option<Self>, ResultCode> {
        let Some(range) = request.field(FieldType::INDEX_RANGE) else { return Ok(None) };
        let (bin, particle_type, values) = split(range).ok_or(ResultCode::PARAMETER)?;
        let subject = subject(request, bin)?;
        let (test, ranges) = parse_values(particle_type, values, config)?;
        let index_type = match request.field(FieldType::INDEX_TYPE) {
            None => Some(IndexType::Default),
            Some(field) => IndexType::of_number(*field.first().ok_or(ResultCode::PARAMETER)?),
        };
        let context = request.field(FieldType::INDEX_CONTEXT);
        if context.is_some_and(|context| value::context::check(context).is_err()) {
            return Err(ResultCode::PARAMETER);
        }
        let index_type = index_type.ok_or(ResultCode::SINDEX_NOT_FOUND)?;
        Ok(Some(Self { subject, index_type, test, ranges }))
    }

    /// Whether it can use an index that has this name and definition; the set does not matter here.
    pub(super) fn suits(&self, name: &[u8], definition: &Definition) -> bool {
        let index_type = match (&self.subject, &definition.source) {
            (Subject::Index(wanted), _) if **wanted == *name => definition.index_type,
            (Subject::Bin { name, context }, Source::Bin { name: of, context: at })
                if (name, context) == (of, at) =>
            {
                self.index_type
            }
            (Subject::Expression(wanted), Source::Expression(expression))
                if **wanted == *expression.source() =>
            {
                self.index_type
            }
            _ => return false,
        };
        (definition.key_type, definition.index_type) == (self.key_type(), index_type)
    }

    /// Whether it says which index it means by the index's name.
    pub(super) fn names_index(&self) -> bool {
        matches!(self.subject, Subject::Index(_))
    }

    /// Of what type the values are.
    pub fn key_type(&self) -> KeyType {
        match self.test {
            Test::Between(..) => KeyType::Numeric,
            Test::String(_) => KeyType::String,
            Test::Blob(_) => KeyType::Blob,
            Test::Within { .. } | Test::Around { .. } => KeyType::Geo2DSphere,
        }
    }

    /// Ranges of numbers, both ends included, among which an index has all records that match: ascending
    /// in the index's order, and apart.
    pub fn ranges(&self) -> &[(i64, i64)] {
        &self.ranges
    }

    /// Whether an index has records among these numbers that do not match.
    pub fn is_hash_or_geo(&self) -> bool {
        !matches!(self.test, Test::Between(..))
    }

    /// Cells of the region in which points are asked for; `None` if none is.
    pub fn region_cells(&self) -> Option<usize> {
        matches!(self.test, Test::Within { .. }).then_some(self.ranges.len())
    }

    /// Whether a record matches, of what an index with this definition holds.
    pub fn matches(&self, definition: &Definition, digest: &Digest, body: &Body<'_>) -> bool {
        let mut matches = false;
        definition.source.visit(definition.index_type.part(), digest, body, |scalar| {
            matches = matches || self.accepts(scalar);
        });
        matches
    }

    fn accepts(&self, scalar: Scalar<'_>) -> bool {
        match (&self.test, scalar) {
            (Test::Between(low, high), Scalar::Integer(value)) => (*low..=*high).contains(&value),
            (Test::String(wanted), Scalar::String(bytes))
            | (Test::Blob(wanted), Scalar::Blob(bytes)) => **wanted == *bytes,
            (Test::Within { .. } | Test::Around { .. }, Scalar::Geo(stored)) => {
                self.accepts_stored(stored)
            }
            (Test::Within { .. } | Test::Around { .. }, Scalar::GeoText(text)) => {
                let parsed = geo::parse(text, EARTH_RADIUS_METERS);
                parsed.is_ok_and(|geometry| self.accepts_geometry(&geometry))
            }
            _ => false,
        }
    }

    /// Whether a stored geo value matches, of which the text is read only if it has to be.
    fn accepts_stored(&self, stored: &[u8]) -> bool {
        let mut cells = geo::cells(stored);
        match (&self.test, geo::is_region(stored)) {
            (Test::Within { region, strict }, false) => {
                cells.any(|cell| self.has(cell) && (!strict || region.contains(cell)))
            }
            (Test::Around { strict, .. }, true) => {
                let is_exact = || {
                    geo::text(stored)
                        .and_then(|text| geo::parse(text, EARTH_RADIUS_METERS).ok())
                        .is_some_and(|geometry| self.accepts_geometry(&geometry))
                };
                cells.any(|cell| self.has(cell)) && (!strict || is_exact())
            }
            _ => false,
        }
    }

    fn accepts_geometry(&self, geometry: &Geometry) -> bool {
        match (&self.test, geometry) {
            (Test::Within { region, strict }, Geometry::Point(cell)) => {
                self.has(*cell) && (!strict || region.contains(*cell))
            }
            (Test::Around { point, strict: true }, Geometry::Region(region)) => {
                region.contains(*point)
            }
            (Test::Around { strict: false, .. }, Geometry::Region(region)) => {
                let cells = region.covering(CoverOptions::STORED).unwrap_or_default();
                cells.iter().any(|cell| self.has(*cell))
            }
            _ => false,
        }
    }

    /// Whether a cell is among the ranges.
    fn has(&self, CellId(cell): CellId) -> bool {
        let ends = |range: &(i64, i64)| (range.0.cast_unsigned(), range.1.cast_unsigned());
        let after = self.ranges.partition_point(|range| ends(range).0 <= cell);
        after.checked_sub(1).is_some_and(|at| cell <= ends(&self.ranges[at]).1)
    }
}

/// Of which values a request asks that names this bin, or none. With a bin, the name of an index says
/// nothing: older clients send one of their own.
fn subject(request: &Request<'_>, bin: &[u8]) -> Result<Subject, ResultCode> {
    let name = request.field(FieldType::INDEX_NAME);
    let expression = request.field(FieldType::INDEX_EXPRESSION);
    let context = request.field(FieldType::INDEX_CONTEXT);
    match (bin, expression, name) {
        ([_, ..], None, _) => {
            Ok(Subject::Bin { name: bin.into(), context: context.unwrap_or_default().into() })
        }
        ([], Some(expression), None) if !expression.is_empty() && context.is_none() => {
            Ok(Subject::Expression(expression.into()))
        }
        ([], None, Some(name)) if context.is_none() => match name.len() {
            1..=INDEX_NAME_BYTES_MAX => Ok(Subject::Index(name.into())),
            _ => Err(ResultCode::PARAMETER),
        },
        _ => Err(ResultCode::PARAMETER),
    }
}

/// Takes a range apart: bin, type, and what follows.
fn split(range: &[u8]) -> Option<(&[u8], ParticleType, &[u8])> {
    let ([1, name_len], rest) = range.split_first_chunk()? else { return None };
    if usize::from(*name_len) > BIN_NAME_BYTES_MAX {
        return None;
    }
    let (bin, rest) = rest.split_at_checked(usize::from(*name_len))?;
    let (particle_type, values) = rest.split_first()?;
    Some((bin, ParticleType(*particle_type), values))
}

/// Takes the value at the front, behind its length.
fn take<'a>(values: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, rest) = values.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
    *values = rest;
    Some(value)
}

fn parse_values(
    particle_type: ParticleType,
    mut values: &[u8],
    config: &NamespaceConfig,
) -> Result<(Test, Vec<(i64, i64)>), ResultCode> {
    let first = take(&mut values).ok_or(ResultCode::PARAMETER)?;
    // What stands for an end of anything but integers is the same again, and not looked at.
    match particle_type {
        ParticleType::INTEGER => {
            let second = take(&mut values).ok_or(ResultCode::PARAMETER)?;
            let number = |bytes: &[u8]| {
                bytes.try_into().map(i64::from_be_bytes).map_err(|_| ResultCode::PARAMETER)
            };
            let (low, high) = (number(first)?, number(second)?);
            if low > high {
                return Err(ResultCode::PARAMETER);
            }
            Ok((Test::Between(low, high), vec![(low, high)]))
        }
        ParticleType::STRING | ParticleType::BLOB if first.len() < BYTES_LIMIT => {
            let bval = bval_of_bytes(first);
            let test = match particle_type {
                ParticleType::STRING => Test::String(first.into()),
                _ => Test::Blob(first.into()),
            };
            Ok((test, vec![(bval, bval)]))
        }
        ParticleType::GEOJSON if (1..GEO_BYTES_LIMIT).contains(&first.len()) => {
            parse_geo(first, config)
        }
        _ => Err(ResultCode::PARAMETER),
    }
}

fn parse_geo(text: &[u8], config: &NamespaceConfig) -> Result<(Test, Vec<(i64, i64)>), ResultCode> {
    let settings = &config.geo2dsphere_within;
    let strict = settings.strict;
    let earth_radius_meters = f64::from(settings.earth_radius_meters);
    let geometry = geo::parse(text, earth_radius_meters).map_err(|_| ResultCode::PARAMETER)?;
    let range = |(low, high): (CellId, CellId)| (low.0.cast_signed(), high.0.cast_signed());
    let (test, mut ranges) = match geometry {
        Geometry::Point(point) => {
            let parents = (1..=CellId::LEVEL_MAX).map(|level| point.parent(level));
            let ranges: Vec<_> = parents.map(|cell| range((cell, cell))).collect();
            (Test::Around { point, strict }, ranges)
        }
        Geometry::Region(region) => {
            let options = CoverOptions {
                min_level: settings.min_level as u8,
                max_level: settings.max_level as u8,
                max_cells: settings.max_cells as usize,
                level_mod: settings.level_mod as u8,
            };
            let cells = region.covering(options).ok_or(ResultCode::PARAMETER)?;
            let ranges = cells.iter().map(|cell| range(cell.leaves())).collect();
            (Test::Within { region, strict }, ranges)
        }
    };
    ranges.sort_unstable_by_key(|(low, _)| low.cast_unsigned());
    Ok((test, ranges))
}
