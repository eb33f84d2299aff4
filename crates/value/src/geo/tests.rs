//! Stored geo values, coverings against the points they must cover, and hostile geometry.

use super::*;

fn store(text: &str) -> Result<Vec<u8>, ResultCode> {
    from_wire(&[b"\0\0\0", text.as_bytes()].concat())
}

fn point(longitude: f64, latitude: f64) -> String {
    format!(r#"{{"type":"Point","coordinates":[{longitude},{latitude}]}}"#)
}

fn leaf(longitude: f64, latitude: f64) -> CellId {
    match parse(point(longitude, latitude).as_bytes(), EARTH_RADIUS_METERS) {
        Ok(Geometry::Point(cell)) => cell,
        other => panic!("a point is read as {other:?}"),
    }
}

fn region(text: &str) -> Box<dyn Region> {
    match parse(text.as_bytes(), EARTH_RADIUS_METERS) {
        Ok(Geometry::Region(region)) => region,
        other => panic!("a region is read as {other:?}"),
    }
}

/// Whether one cell lies in another: their ids differ only below the larger one's lowest set bit.
fn is_within(cell: CellId, larger: CellId) -> bool {
    let half_width = (larger.0 & larger.0.wrapping_neg()) - 1;
    (larger.0 - half_width..=larger.0 + half_width).contains(&cell.0)
}

#[test]
fn a_point_has_one_leaf_cell() {
    let text = point(-122.26143, 37.80176);
    let stored = store(&text).expect("the point is valid");
    assert!(!is_region(&stored));
    let cells: Vec<CellId> = cells(&stored).collect();
    assert_eq!(cells, [leaf(-122.26143, 37.80176)]);
    assert_eq!(cells[0].0 & 1, 1, "leaves have their lowest bit set");
    assert_eq!(super::text(&stored), Some(text.as_bytes()));
}

#[test]
fn incoming_flags_and_cells_are_replaced() {
    let text = point(1.0, 2.0);
    let sent = [&b"\x01\x00\x02"[..], &[0xab; 16], text.as_bytes()].concat();
    assert_eq!(from_wire(&sent), store(&text));
    for short in [&b""[..], b"\0", b"\0\0", b"\0\0\x01", b"\0\xff\xff{}"] {
        assert_eq!(from_wire(short), Err(ResultCode::GEO_INVALID_GEOJSON), "{short:x?}");
        assert_eq!(cells(short).count(), 0);
        assert_eq!(super::text(short), None);
    }
}

#[test]
fn geometry_off_the_earth_is_refused() {
    for coordinates in ["[181,0]", "[-180.001,0]", "[0,90.5]", "[0,-91]"] {
        let text = format!(r#"{{"type":"Point","coordinates":{coordinates}}}"#);
        assert_eq!(store(&text), Err(ResultCode::GEO_INVALID_GEOJSON), "{text}");
    }
    assert!(store(&point(180.0, 90.0)).is_ok());
    assert!(store(&point(-180.0, -90.0)).is_ok());
}

#[test]
fn rings_are_closed_and_have_an_inside() {
    let ring = |positions: &str| {
        store(&format!(r#"{{"type":"Polygon","coordinates":[[{positions}]]}}"#)).is_ok()
    };
    assert!(ring("[0,0],[1,0],[1,1],[0,0]"));
    assert!(ring("[0,0],[0,0],[1,0],[1,0],[1,1],[0,0],[0,0]"));
    assert!(!ring("[0,0],[1,0],[1,1]"));
    assert!(!ring("[0,0],[1,0],[0,0]"));
    assert!(!ring("[0,0],[1,0],[1,0],[0,0]"));
    assert!(!ring("[0,0],[1,0],[1,1],[0,1]"));
    assert!(!ring(""));
}

#[test]
fn a_region_without_an_inside_has_no_cells() {
    for text in [
        r#"{"type":"Polygon","coordinates":[]}"#,
        r#"{"type":"MultiPolygon","coordinates":[]}"#,
        r#"{"type":"AeroCircle","coordinates":[[10,20],-1]}"#,
    ] {
        let stored = store(text).expect("the region is valid");
        assert!(is_region(&stored));
        assert_eq!(cells(&stored).count(), 0, "{text}");
    }
}

#[test]
fn winding_does_not_matter_and_holes_are_outside() {
    let outer = "[0,0],[4,0],[4,4],[0,4],[0,0]";
    let reversed = "[0,0],[0,4],[4,4],[4,0],[0,0]";
    let hole = "[1,1],[1,2],[2,2],[2,1],[1,1]";
    let polygon = |rings: &str| region(&format!(r#"{{"type":"Polygon","coordinates":[{rings}]}}"#));
    for ring in [outer, reversed] {
        let full = polygon(&format!("[{ring}]"));
        assert!(full.contains(leaf(1.5, 1.5)) && full.contains(leaf(3.0, 3.0)));
        assert!(!full.contains(leaf(5.0, 3.0)));
        let holed = polygon(&format!("[{hole}],[{ring}]"));
        assert!(!holed.contains(leaf(1.5, 1.5)) && holed.contains(leaf(3.0, 3.0)));
    }
}

#[test]
fn circles_are_measured_on_the_ground() {
    let text = r#"{"type":"AeroCircle","coordinates":[[0,0],111194.9]}"#;
    // A degree of the stored values' Earth is 111,194.93 m.
    assert!(region(text).contains(leaf(0.999, 0.0)));
    assert!(!region(text).contains(leaf(1.001, 0.0)));
    match parse(text.as_bytes(), EARTH_RADIUS_METERS / 2.0) {
        Ok(Geometry::Region(region)) => assert!(region.contains(leaf(1.9, 0.0))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn options_bound_a_covering() {
    let circle = region(r#"{"type":"AeroCircle","coordinates":[[8,47],50000]}"#);
    let cover = |min_level, max_level, max_cells, level_mod| {
        circle.covering(CoverOptions { min_level, max_level, max_cells, level_mod })
    };
    let level = |cell: &CellId| 30 - cell.0.trailing_zeros() / 2;
    let cells = cover(5, 9, 100, 1).expect("a hundred cells are enough");
    assert!(cells.iter().all(|cell| (5..=9).contains(&level(cell))), "{cells:x?}");
    let cells = cover(3, 20, 20, 3).expect("twenty cells are enough");
    assert!(cells.iter().all(|cell| level(cell) % 3 == 0), "{cells:x?}");
    assert_eq!(cover(0, 30, 1, 1).map(|cells| cells.len()), Some(1));
    assert_eq!(cover(20, 20, 8, 1), None, "no few cells of this size cover it");
    assert_eq!(cover(9, 5, 8, 1), None);
    assert_eq!(cover(0, 31, 8, 1), None);
    assert_eq!(cover(0, 30, 8, 0), None);
}

#[test]
fn coverings_cover() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..200 {
        let (longitude, latitude) = (random.f64() * 300.0 - 150.0, random.f64() * 140.0 - 70.0);
        let size = 10_f64.powf(random.f64() * 4.0 - 3.0);
        let [west, east] = [longitude - size, longitude + size];
        let [south, north] = [latitude - size, latitude + size];
        let text = format!(
            r#"{{"type":"Polygon","coordinates":[[[{west},{south}],[{east},{south}],
                [{east},{north}],[{west},{north}],[{west},{south}]]]}}"#
        );
        let region = region(&text);
        let covering = region.covering(CoverOptions::STORED).expect("twelve cells are enough");
        assert!(!covering.is_empty() && covering.len() <= 12 && covering.is_sorted());
        for _ in 0..20 {
            let mut around = |middle: f64| middle + (random.f64() * 3.0 - 1.5) * size;
            let cell = leaf(around(longitude), around(latitude));
            let is_covered = covering.iter().any(|larger| is_within(cell, *larger));
            assert!(is_covered || !region.contains(cell), "{text}");
        }
    }
}

/// Rings that cross themselves, touch themselves, span the globe or repeat: nothing here is valid
/// geometry, everything is accepted by the original, and nothing may panic or take long.
#[test]
fn hostile_rings_are_survived() {
    const LONGITUDES: &[f64] =
        &[-180.0, -90.0, -0.001, 0.0, 1e-9, 45.0, 89.999, 90.0, 135.0, 180.0];
    const LATITUDES: &[f64] = &[-90.0, -45.0, -1e-12, 0.0, 0.001, 35.26, 89.999_999, 90.0];
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..1000 {
        let rings: Vec<String> = (0..random.usize(1..4))
            .map(|_| {
                let mut positions: Vec<String> = (0..random.usize(3..9))
                    .map(|_| {
                        let longitude = LONGITUDES[random.usize(..LONGITUDES.len())];
                        let latitude = LATITUDES[random.usize(..LATITUDES.len())];
                        format!("[{longitude},{latitude}]")
                    })
                    .collect();
                positions.push(positions[0].clone());
                format!("[{}]", positions.join(","))
            })
            .collect();
        let rings = rings.join(",");
        let text = if random.bool() {
            format!(r#"{{"type":"Polygon","coordinates":[{rings}]}}"#)
        } else {
            format!(r#"{{"type":"MultiPolygon","coordinates":[[{rings}]]}}"#)
        };
        if let Ok(stored) = store(&text) {
            let region = region(&text);
            for cell in cells(&stored) {
                let _ = region.contains(cell);
            }
        }
    }
}

#[test]
fn random_bytes_are_stored_or_refused() {
    let mut random = fastrand::Rng::with_seed(5);
    let valid = r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}"#.as_bytes();
    for _ in 0..20_000 {
        let mut bytes = [b"\0\0\0", valid].concat();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            match random.u8(..3) {
                0 => bytes[at] = random.u8(..),
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, random.u8(0x20..0x7f)),
            }
        }
        if let Ok(stored) = from_wire(&bytes) {
            assert!(super::text(&stored).is_some());
        }
        let _ = cells(&bytes).count();
    }
}
