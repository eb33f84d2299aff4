//! The GeoJSON that is understood (`reference`: geo.md, section 2): from text to a plain shape.
//!
//! Points, polygons, several polygons, and the circle that Aerospike added; each by itself or as
//! the geometry of a Feature. Members with other names are ignored. Whether coordinates lie on the
//! Earth and rings are closed is for whoever builds geometry from the shape.

use super::InvalidGeoJson;
use super::json::{InvalidJson, Json};

/// What a text describes.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// One position.
    Point(Position),
    /// A polygon: its rings, of which those inside others are holes.
    Polygon(Vec<Ring>),
    /// The union of polygons.
    MultiPolygon(Vec<Vec<Ring>>),
    /// All positions within a distance on the ground.
    Circle {
        /// The middle.
        center: Position,
        /// The distance; nothing is inside a circle with a negative one.
        radius_meters: f64,
    },
}

/// A closed line; the last position repeats the first.
pub type Ring = Vec<Position>;

/// A longitude and a latitude, as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// Degrees east.
    pub longitude_degrees: f64,
    /// Degrees north.
    pub latitude_degrees: f64,
}

impl Shape {
    /// Reads a text.
    ///
    /// # Errors
    /// [`InvalidGeoJson`] when it is not JSON, or not one of the geometries above.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidGeoJson> {
        let json = Json::parse(text)?;
        if kind(json)? == "Feature" {
            Self::geometry(json.member("geometry").ok_or(InvalidGeoJson)?)
        } else {
            Self::geometry(json)
        }
    }

    fn geometry(json: Json<'_>) -> Result<Self, InvalidGeoJson> {
        let coordinates = || json.member("coordinates").ok_or(InvalidGeoJson);
        match kind(json)?.as_ref() {
            "Point" => Ok(Self::Point(position(coordinates()?)?)),
            "Polygon" => Ok(Self::Polygon(polygon(coordinates()?)?)),
            "MultiPolygon" => Ok(Self::MultiPolygon(each(coordinates()?, polygon)?)),
            "AeroCircle" => circle(coordinates()?),
            _ => Err(InvalidGeoJson),
        }
    }
}

fn kind<'a>(json: Json<'a>) -> Result<std::borrow::Cow<'a, str>, InvalidGeoJson> {
    json.member("type").and_then(Json::as_text).ok_or(InvalidGeoJson)
}

fn circle(coordinates: Json<'_>) -> Result<Shape, InvalidGeoJson> {
    let [center, radius] = pair(coordinates)?;
    let radius_meters = radius.as_number().ok_or(InvalidGeoJson)?;
    Ok(Shape::Circle { center: position(center)?, radius_meters })
}

fn polygon(json: Json<'_>) -> Result<Vec<Ring>, InvalidGeoJson> {
    each(json, |ring| each(ring, position))
}

fn position(json: Json<'_>) -> Result<Position, InvalidGeoJson> {
    let [longitude, latitude] = pair(json)?;
    Ok(Position {
        longitude_degrees: longitude.as_number().ok_or(InvalidGeoJson)?,
        latitude_degrees: latitude.as_number().ok_or(InvalidGeoJson)?,
    })
}

fn pair<'a>(json: Json<'a>) -> Result<[Json<'a>; 2], InvalidGeoJson> {
    let mut elements = json.elements().ok_or(InvalidGeoJson)?;
    match (elements.next(), elements.next(), elements.next()) {
        (Some(first), Some(second), None) => Ok([first, second]),
        _ => Err(InvalidGeoJson),
    }
}

fn each<'a, T>(
    json: Json<'a>,
    read: impl FnMut(Json<'a>) -> Result<T, InvalidGeoJson>,
) -> Result<Vec<T>, InvalidGeoJson> {
    json.elements().ok_or(InvalidGeoJson)?.map(read).collect()
}

impl From<InvalidJson> for InvalidGeoJson {
    fn from(_: InvalidJson) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(longitude_degrees: f64, latitude_degrees: f64) -> Position {
        Position { longitude_degrees, latitude_degrees }
    }

    #[test]
    fn reads_each_geometry() {
        let ring = vec![at(0.0, 0.0), at(1.0, 0.0), at(1.0, 1.0), at(0.0, 0.0)];
        let rows: &[(&str, Shape)] = &[
            (r#"{"type":"Point","coordinates":[-122.5,37]}"#, Shape::Point(at(-122.5, 37.0))),
            (
                r#"{"coordinates":[[[0,0],[1,0],[1,1],[0,0]]],"type":"Polygon"}"#,
                Shape::Polygon(vec![ring.clone()]),
            ),
            (
                r#"{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]],[]]}"#,
                Shape::MultiPolygon(vec![vec![ring], vec![]]),
            ),
            (
                r#"{"type":"AeroCircle","coordinates":[[1,2],3e2]}"#,
                Shape::Circle { center: at(1.0, 2.0), radius_meters: 300.0 },
            ),
            (
                r#"{"type":"Feature","properties":{"type":"x"},
                    "geometry":{"type":"Point","coordinates":[1,2]}}"#,
                Shape::Point(at(1.0, 2.0)),
            ),
        ];
        for (text, shape) in rows {
            assert_eq!(Shape::parse(text.as_bytes()).as_ref(), Ok(shape), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "{}",
            "[]",
            "not json",
            r#"{"type":"Point"}"#,
            r#"{"type":7,"coordinates":[1,2]}"#,
            r#"{"type":"point","coordinates":[1,2]}"#,
            r#"{"type":"Point","coordinates":[1]}"#,
            r#"{"type":"Point","coordinates":[1,2,3]}"#,
            r#"{"type":"Point","coordinates":["1",2]}"#,
            r#"{"type":"Point","coordinates":{"0":1,"1":2}}"#,
            r#"{"type":"LineString","coordinates":[[1,2],[3,4]]}"#,
            r#"{"type":"FeatureCollection","features":[]}"#,
            r#"{"type":"Feature","geometry":{"type":"Feature","geometry":{}}}"#,
            r#"{"type":"Feature","geometry":[]}"#,
            r#"{"type":"Feature"}"#,
            r#"{"type":"Polygon","coordinates":[[1,2],[3,4]]}"#,
            r#"{"type":"AeroCircle","coordinates":[[1,2]]}"#,
            r#"{"type":"AeroCircle","coordinates":[1,2,3]}"#,
        ] {
            assert_eq!(Shape::parse(text.as_bytes()), Err(InvalidGeoJson), "{text}");
        }
    }
}
