//! Geo values: GeoJSON as it is stored, the geometry it describes, and the cells that cover it
//! (`reference`: geo.md).
//!
//! A stored geo value is one byte of flags, a big-endian u16 that counts cells, the cells as
//! big-endian u64, and the text as it came. A point has one cell; a region has a handful that
//! cover it, chosen with options that no setting changes. Cells are those of Google's S2.

mod cover;
pub mod geojson;
pub mod json;
mod s2;

#[cfg(test)]
mod tests;

use std::fmt;

use wire::ResultCode;

use self::geojson::Shape;

/// The text is not GeoJSON that is understood, or describes nothing on the Earth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidGeoJson;

/// An S2 cell: a square of one of 31 sizes on the sphere. Level 30, a leaf, is about a centimetre.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellId(pub u64);

impl CellId {
    /// Level of the smallest cells.
    pub const LEVEL_MAX: u8 = 30;

    /// The bit that tells its level: cells of one size have it in the same place.
    fn lowest_bit(self) -> u64 {
        self.0 & self.0.wrapping_neg()
    }

    /// The first and the last of the smallest cells in it.
    pub fn leaves(self) -> (Self, Self) {
        let spread = self.lowest_bit().saturating_sub(1);
        (Self(self.0.saturating_sub(spread)), Self(self.0.saturating_add(spread)))
    }

    /// The cell of a level that contains it; the cell must be smaller than that or of that level.
    #[must_use]
    pub fn parent(self, level: u8) -> Self {
        let bit = 1 << (2 * u32::from(Self::LEVEL_MAX.saturating_sub(level)));
        Self(self.0 & u64::wrapping_neg(bit) | bit)
    }
}

/// What a text describes, ready to be asked.
#[derive(Debug)]
pub enum Geometry {
    /// A point: the leaf cell it lies in.
    Point(CellId),
    /// A region.
    Region(Box<dyn Region>),
}

/// A part of the sphere. What implements it is the only code that knows the geometry library.
pub trait Region: fmt::Debug + Send + Sync {
    /// Cells that together contain the region, ascending; `None` when no covering satisfies the
    /// options. The covering of an empty region is empty.
    fn covering(&self, options: CoverOptions) -> Option<Vec<CellId>>;

    /// Whether the region contains the middle of a cell.
    fn contains(&self, cell: CellId) -> bool;
}

/// How finely to cover a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoverOptions {
    /// Level of the largest cells, at most `max_level`.
    pub min_level: u8,
    /// Level of the smallest cells, at most 30.
    pub max_level: u8,
    /// How many cells to aim for. A region that touches all faces of the cube needs six, more can
    /// be asked for by `min_level`.
    pub max_cells: usize,
    /// Use every level, every second or every third: 1 to 3.
    pub level_mod: u8,
}

impl CoverOptions {
    /// The options for stored values: those of a namespace are for queries only.
    pub const STORED: Self = Self { min_level: 1, max_level: 30, max_cells: 12, level_mod: 1 };
    /// Cells that a covering may have if options ask for fewer: one for each face of the cube.
    const CELLS_ALWAYS_ALLOWED: usize = 6;
    /// Cells that a covering may have whatever the options ask for.
    const CELLS_MAX: usize = 256;

    /// The number of cells above which a covering is no use.
    fn cells_limit(self) -> usize {
        self.max_cells.clamp(Self::CELLS_ALWAYS_ALLOWED, Self::CELLS_MAX)
    }
}

/// The Earth's radius for stored values; for queries it is a setting.
pub const EARTH_RADIUS_METERS: f64 = 6_371_000.0;

/// Set in the flags of a stored region.
const REGION_FLAG: u8 = 1;
/// Flags and number of cells.
const HEADER_SIZE_BYTES: usize = 3;
const CELL_SIZE_BYTES: usize = 8;

/// Reads GeoJSON text.
///
/// # Errors
/// [`InvalidGeoJson`] when it is none, or the geometry is not valid.
pub fn parse(text: &[u8], earth_radius_meters: f64) -> Result<Geometry, InvalidGeoJson> {
    s2::geometry(&Shape::parse(text)?, earth_radius_meters)
}

/// Turns a geo value that a client writes into its stored form. Flags and cells that came with it
/// are ignored.
///
/// # Errors
/// `GEO_INVALID_GEOJSON` when the value is too short for its own header, or [`parse`] refuses the
/// text, or a region cannot be covered.
pub fn from_wire(value: &[u8]) -> Result<Vec<u8>, ResultCode> {
    stored_form(value).map_err(|InvalidGeoJson| ResultCode::GEO_INVALID_GEOJSON)
}

fn stored_form(value: &[u8]) -> Result<Vec<u8>, InvalidGeoJson> {
    let text = text(value).ok_or(InvalidGeoJson)?;
    let (flags, cells) = match parse(text, EARTH_RADIUS_METERS)? {
        Geometry::Point(cell) => (0, vec![cell]),
        Geometry::Region(region) => {
            (REGION_FLAG, region.covering(CoverOptions::STORED).ok_or(InvalidGeoJson)?)
        }
    };
    let cell_count = u16::try_from(cells.len()).map_err(|_| InvalidGeoJson)?;
    let mut stored =
        Vec::with_capacity(HEADER_SIZE_BYTES + cells.len() * CELL_SIZE_BYTES + text.len());
    stored.push(flags);
    stored.extend(cell_count.to_be_bytes());
    stored.extend(cells.iter().flat_map(|cell| cell.0.to_be_bytes()));
    stored.extend_from_slice(text);
    Ok(stored)
}

/// The text of a geo value, written or stored; `None` when it is too short for its own header.
pub fn text(value: &[u8]) -> Option<&[u8]> {
    split(value).map(|(_, text)| text)
}

/// Whether a stored geo value is a region.
pub fn is_region(stored: &[u8]) -> bool {
    stored.first().is_some_and(|flags| flags & REGION_FLAG != 0)
}

/// The cells of a stored geo value; none when it is malformed.
pub fn cells(stored: &[u8]) -> impl Iterator<Item = CellId> + '_ {
    let (cells, _) = split(stored).unwrap_or_default();
    cells.iter().map(|cell| CellId(u64::from_be_bytes(*cell)))
}

/// Cells and text.
fn split(value: &[u8]) -> Option<(&[[u8; CELL_SIZE_BYTES]], &[u8])> {
    let (&[_flags, count_high, count_low], rest) =
        value.split_first_chunk::<HEADER_SIZE_BYTES>()?;
    let count = usize::from(u16::from_be_bytes([count_high, count_low]));
    let (cells, text) = rest.split_at_checked(count * CELL_SIZE_BYTES)?;
    let (cells, _) = cells.as_chunks();
    Some((cells, text))
}
