//! Cells that hold JSON: objects, arrays, points, GeoJSON and TopoJSON.

use serde_json::{Map, Value};

/// Longitude and latitude.
pub(super) type Point = (f64, f64);

/// How a field writes its points.
#[derive(Debug, Clone, Copy)]
pub(super) enum PointForm {
    /// `90.50, 45.50`
    Text,
    /// `[90.50, 45.50]`
    Array,
    /// `{"lon": 90.50, "lat": 45.50}`
    Object,
}

pub(super) fn point(form: PointForm, text: &str) -> Option<Point> {
    let (lon, lat) = match form {
        PointForm::Text => {
            let (lon, lat) = text.split_once(',')?;
            let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
            let number = |text: &str| plain(text).then(|| text.parse().ok()).flatten();
            (number(lon.trim())?, number(lat.trim())?)
        }
        PointForm::Array => match serde_json::from_str(text).ok()? {
            Value::Array(items) if items.len() == 2 => (items[0].as_f64()?, items[1].as_f64()?),
            _ => return None,
        },
        PointForm::Object => match serde_json::from_str(text).ok()? {
            Value::Object(members) if members.len() == 2 => {
                (members.get("lon")?.as_f64()?, members.get("lat")?.as_f64()?)
            }
            _ => return None,
        },
    };
    let is_on_earth = (-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat);
    is_on_earth.then_some((lon, lat))
}

/// RFC 7946: a geometry, a Feature or a FeatureCollection, with the members that it must have.
pub(super) fn is_geojson(value: &Value) -> bool {
    let Some(members) = value.as_object() else { return false };
    match kind(members) {
        "Feature" => is_feature(value),
        "FeatureCollection" => {
            members.get("features").and_then(Value::as_array).is_some_and(|all| all.iter().all(is_feature))
        }
        _ => is_geometry(value),
    }
}

/// A topology, or a geometry of one.
pub(super) fn is_topojson(value: &Value) -> bool {
    let Some(members) = value.as_object() else { return false };
    let has_array = |name: &str| members.get(name).is_some_and(Value::is_array);
    match kind(members) {
        "Topology" => {
            let objects = members.get("objects").and_then(Value::as_object);
            has_array("arcs") && objects.is_some_and(|objects| objects.values().all(is_topojson))
        }
        "Point" => members.get("coordinates").is_some_and(is_position),
        "MultiPoint" => members.get("coordinates").is_some_and(|all| all_of(all, 1, is_position)),
        "LineString" | "MultiLineString" | "Polygon" | "MultiPolygon" => has_array("arcs"),
        "GeometryCollection" => {
            members.get("geometries").and_then(Value::as_array).is_some_and(|all| all.iter().all(is_topojson))
        }
        // A geometry of nothing.
        _ => members.get("type") == Some(&Value::Null),
    }
}

fn kind(members: &Map<String, Value>) -> &str {
    members.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn is_feature(value: &Value) -> bool {
    let Some(members) = value.as_object() else { return false };
    kind(members) == "Feature"
        && members.get("geometry").is_some_and(|geometry| geometry.is_null() || is_geometry(geometry))
        && members.get("properties").is_some_and(|properties| properties.is_null() || properties.is_object())
}

fn is_geometry(value: &Value) -> bool {
    let Some(members) = value.as_object() else { return false };
    let coordinates = |is_right: &dyn Fn(&Value) -> bool| members.get("coordinates").is_some_and(is_right);
    match kind(members) {
        "Point" => coordinates(&is_position),
        "MultiPoint" => coordinates(&|all| all_of(all, 0, is_position)),
        "LineString" => coordinates(&is_line),
        "MultiLineString" => coordinates(&|all| all_of(all, 0, is_line)),
        "Polygon" => coordinates(&is_polygon),
        "MultiPolygon" => coordinates(&|all| all_of(all, 0, is_polygon)),
        "GeometryCollection" => {
            members.get("geometries").and_then(Value::as_array).is_some_and(|all| all.iter().all(is_geometry))
        }
        _ => false,
    }
}

fn is_position(value: &Value) -> bool {
    all_of(value, 2, Value::is_number)
}

fn is_line(value: &Value) -> bool {
    all_of(value, 2, is_position)
}

fn is_polygon(value: &Value) -> bool {
    // A ring ends where it begins.
    all_of(value, 0, |ring| all_of(ring, 4, is_position) && ring[0] == ring[ring.as_array().map_or(0, Vec::len) - 1])
}

fn all_of(value: &Value, at_least: usize, is_right: impl Fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|items| items.len() >= at_least && items.iter().all(is_right))
}
