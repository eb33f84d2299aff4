//! GeoJSON.

use value::geo::{self, CoverOptions, EARTH_RADIUS_METERS, Geometry};
use wire::ParticleType;

use super::{Entry, Outcome};

/// Texts of every kind of geometry, and of some that are none.
const TEXTS: [&str; 9] = [
    r#"{"type": "Point", "coordinates": [-122.0986857, 37.4214209]}"#,
    r#"{"type":"Polygon","coordinates":[[[0,0],[10,0],[10,10],[0,10],[0,0]]]}"#,
    r#"{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,9],[0,0]],[[1,1],[1,2],[2,2],[1,1]]]}"#,
    r#"{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]],[[[5,5],[6,5],[6,6],[5,5]]]]}"#,
    r#"{"type":"AeroCircle","coordinates":[[-122.25, 37.5], 3000.0]}"#,
    r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[1e1,-2.5E+0]},"properties":{}}"#,
    r#"{"type":"LineString","coordinates":[[0,0],[1,1]]}"#,
    r#"{"\u0074ype":"Point","coordinates":[179.999999,-89.999999],"x":[null,true,{"a":"\ud83d\ude00"}]}"#,
    r#"[[[[[[[[[["deep"]]]]]]]]]]"#,
];

pub const ENTRY: Entry = Entry {
    name: "geo",
    what: "GeoJSON texts",
    seeds: |corpus| {
        let recorded = super::values(corpus);
        let recorded = recorded.iter().filter_map(|value| match value.split_first() {
            Some((kind, bytes)) if *kind == ParticleType::GEOJSON.0 => geo::text(bytes),
            _ => None,
        });
        TEXTS.iter().map(|text| text.as_bytes()).chain(recorded).map(<[u8]>::to_vec).collect()
    },
    make: |_| Box::new(feed),
};

fn feed(input: &[u8]) -> Outcome {
    let geometry = geo::parse(input, EARTH_RADIUS_METERS);
    let stored = geo::from_wire(&[&[0, 0, 0], input].concat());
    let kind = match &geometry {
        Err(_) => {
            assert!(stored.is_err(), "stored without a geometry");
            return Outcome::of("invalid");
        }
        Ok(Geometry::Point(cell)) => {
            let stored = stored.expect("a point can be stored");
            assert_eq!(geo::cells(&stored).collect::<Vec<_>>(), [*cell]);
            assert!(!geo::is_region(&stored));
            return Outcome::of(("point", cell.0 >> 58));
        }
        Ok(Geometry::Region(region)) => {
            let covering = region.covering(CoverOptions::STORED);
            assert_eq!(covering.is_some(), stored.is_ok(), "stored if it can be covered");
            let cells = covering.unwrap_or_default();
            assert!(cells.is_sorted(), "a covering ascends");
            cells.iter().for_each(|cell| {
                region.contains(*cell);
            });
            ("region", cells.len())
        }
    };
    if let Ok(stored) = stored {
        assert_eq!(geo::text(&stored), Some(input), "the text is kept");
        assert!(geo::is_region(&stored));
        assert_eq!(geo::from_wire(&stored).as_ref(), Ok(&stored), "stored once more");
    }
    Outcome::of(kind)
}
