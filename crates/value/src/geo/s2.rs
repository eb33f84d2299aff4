//! Geometry on the sphere: the one module that knows the S2 library.

use s2rst::s1::Angle;
use s2rst::s2::shape_index_region::ShapeIndexRegion;
use s2rst::s2::{self, Cap, Cell, LatLng, Level, LevelMod, Loop, Point, Polygon};

use super::cover;
use super::geojson::{Position, Ring, Shape};
use super::{CellId, CoverOptions, Geometry, InvalidGeoJson, Region};

/// Positions that a ring has at least, the repeated first one counted.
const RING_POSITIONS_MIN: usize = 4;
/// Rings in one polygon. How they nest is found by comparing each with each, so there must be a
/// bound; the original has none.
const POLYGON_RINGS_MAX: usize = 1024;

/// Builds the geometry that a shape describes.
pub(super) fn geometry(
    shape: &Shape,
    earth_radius_meters: f64,
) -> Result<Geometry, InvalidGeoJson> {
    Ok(match shape {
        Shape::Point(position) => {
            Geometry::Point(CellId(s2::CellId::from_point(&point(position)?).id()))
        }
        Shape::Polygon(rings) => region(Indexed(polygon(rings)?)),
        Shape::MultiPolygon(polygons) => {
            let polygons = polygons.iter().map(|rings| polygon(rings).map(Indexed));
            region(Several(polygons.collect::<Result<_, _>>()?))
        }
        Shape::Circle { center, radius_meters } => {
            let angle = Angle::from_radians(radius_meters / earth_radius_meters);
            region(Cap::from_center_angle(point(center)?, angle))
        }
    })
}

fn region(region: impl s2::Region + Send + Sync + 'static) -> Geometry {
    Geometry::Region(Box::new(Sphere(region)))
}

/// A region of the library.
#[derive(Debug)]
struct Sphere<R>(R);

impl<R: s2::Region + Send + Sync> Region for Sphere<R> {
    fn covering(&self, options: CoverOptions) -> Option<Vec<CellId>> {
        let options = cover::Options {
            min_level: Level::try_from(options.min_level).ok()?,
            max_level: Level::try_from(options.max_level).ok()?,
            level_mod: LevelMod::try_from(options.level_mod).ok()?,
            max_cells: options.max_cells,
            limit: options.cells_limit(),
        };
        if options.min_level > options.max_level {
            return None;
        }
        let cells = cover::covering(&self.0, options)?;
        Some(cells.iter().map(|cell| CellId(cell.id())).collect())
    }

    fn contains(&self, cell: CellId) -> bool {
        let cell = s2::CellId(cell.0);
        cell.is_valid() && self.0.contains_point(&cell.to_point())
    }
}

/// A polygon that answers for cells from its index, as in the C++ library, whose cells a client can
/// see. The library's own answers look at corners only: they take a cell around a hole for full.
#[derive(Debug)]
struct Indexed(Polygon);

impl s2::Region for Indexed {
    fn cap_bound(&self) -> Cap {
        self.0.cap_bound()
    }

    fn rect_bound(&self) -> s2::Rect {
        self.0.rect_bound()
    }

    fn cell_union_bound(&self) -> Vec<s2::CellId> {
        ShapeIndexRegion::new(self.0.shape_index()).cell_union_bound()
    }

    fn contains_cell(&self, cell: &Cell) -> bool {
        ShapeIndexRegion::new(self.0.shape_index()).contains_cell(cell)
    }

    fn intersects_cell(&self, cell: &Cell) -> bool {
        ShapeIndexRegion::new(self.0.shape_index()).intersects_cell(cell)
    }

    fn contains_point(&self, point: &Point) -> bool {
        self.0.contains_point(point)
    }
}

/// Polygons together, as the library's own union of regions has them; that one is bound to a thread.
#[derive(Debug)]
struct Several(Vec<Indexed>);

impl s2::Region for Several {
    fn cap_bound(&self) -> Cap {
        self.rect_bound().cap_bound()
    }

    fn rect_bound(&self) -> s2::Rect {
        let bounds = self.0.iter().map(s2::Region::rect_bound);
        bounds.fold(s2::Rect::empty(), |all, bound| all.union(bound))
    }

    fn cell_union_bound(&self) -> Vec<s2::CellId> {
        self.cap_bound().cell_union_bound()
    }

    fn contains_cell(&self, cell: &Cell) -> bool {
        self.0.iter().any(|polygon| polygon.contains_cell(cell))
    }

    fn intersects_cell(&self, cell: &Cell) -> bool {
        self.0.iter().any(|polygon| polygon.intersects_cell(cell))
    }

    fn contains_point(&self, point: &Point) -> bool {
        self.0.iter().any(|polygon| polygon.contains_point(point))
    }
}

fn polygon(rings: &[Ring]) -> Result<Polygon, InvalidGeoJson> {
    if rings.len() > POLYGON_RINGS_MAX {
        return Err(InvalidGeoJson);
    }
    let loops = rings.iter().map(|ring| closed_loop(ring)).collect::<Result<_, _>>()?;
    Ok(Polygon::from_loops(loops))
}

/// A ring as the part of the sphere, at most half of it, that it encloses.
fn closed_loop(ring: &[Position]) -> Result<Loop, InvalidGeoJson> {
    let mut points = ring.iter().map(point).collect::<Result<Vec<_>, _>>()?;
    points.dedup();
    if points.len() < RING_POSITIONS_MIN || points.first() != points.last() {
        return Err(InvalidGeoJson);
    }
    points.pop();
    let mut closed_loop = Loop::new(points);
    closed_loop.normalize();
    Ok(closed_loop)
}

fn point(position: &Position) -> Result<Point, InvalidGeoJson> {
    let position = LatLng::from_degrees(position.latitude_degrees, position.longitude_degrees);
    if position.is_valid() { Ok(position.to_point()) } else { Err(InvalidGeoJson) }
}
