//! What the Table Schema standard (datapackage.org/standard/table-schema, version 2, and version 1 where files still
//! say so) has to say of every type, format and constraint: the cases in `fixtures/table-schema`, all of them, with one
//! list of those that come out otherwise.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::schema::read;
use super::told;

/// A field or a schema, and what must become of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Stands for a schema with this field alone.
    field: Option<Value>,
    schema: Option<Value>,
    /// Cells that are right.
    #[serde(default)]
    accepts: Vec<String>,
    /// Cells that make their row INVALID.
    #[serde(default)]
    refuses: Vec<String>,
    /// The place that keeps the program from starting; one in a field is counted from the field.
    stops: Option<String>,
    /// It may be started with.
    #[serde(default)]
    starts: bool,
    /// Rows of a file whose columns are the fields, and the numbers of those that are INVALID.
    #[serde(default)]
    rows: Vec<Vec<String>>,
    #[serde(default)]
    invalid: Vec<u32>,
}

impl Case {
    fn descriptor(&self) -> Value {
        match (&self.schema, &self.field) {
            (Some(schema), None) => schema.clone(),
            (None, Some(field)) => {
                let mut field = field.clone();
                field["name"] = json!("f");
                json!({ "fields": [field] })
            }
            _ => panic!("a case has either a field or a schema"),
        }
    }

    fn count(&self) -> usize {
        let at_start = usize::from(self.starts) + usize::from(self.stops.is_some());
        self.accepts.len() + self.refuses.len() + self.rows.len() + at_start
    }

    /// What comes out otherwise than the case says.
    fn unlike(&self) -> Vec<String> {
        let descriptor = self.descriptor();
        let schema = match (read(&descriptor), &self.stops) {
            (Ok(_), Some(_)) => return vec![format!("{descriptor} is not refused")],
            (Err(why), Some(place)) => {
                let place = if self.field.is_some() { format!("/fields/0{place}") } else { place.clone() };
                // What is wrong with the whole has no place.
                let is_right = if place.is_empty() { !why.starts_with('/') } else { why.starts_with(&(place + ": ")) };
                return if is_right { vec![] } else { vec![format!("{descriptor}: {why}")] };
            }
            (Err(why), None) => return vec![format!("{descriptor} is refused: {why}")],
            (Ok(schema), None) => schema,
        };
        let wrong = |accepted: bool, cells: &[String]| -> Vec<String> {
            let is_accepted = |cell: &str| schema.fields[0].check(cell).is_ok();
            let verdict = if accepted { "is refused" } else { "is accepted" };
            let unlike = cells.iter().filter(|cell| is_accepted(cell) != accepted);
            unlike.map(|cell| format!("{descriptor}: {cell:?} {verdict}")).collect()
        };
        let mut unlike = [wrong(true, &self.accepts), wrong(false, &self.refuses)].concat();
        if !self.rows.is_empty() {
            let invalid = self.invalid_rows(&descriptor);
            if invalid != self.invalid {
                unlike.push(format!("{descriptor}: rows {invalid:?} are INVALID, not {:?}", self.invalid));
            }
        }
        unlike
    }

    fn invalid_rows(&self, descriptor: &Value) -> Vec<u32> {
        let fields = descriptor["fields"].as_array().expect("a schema has fields");
        let names = fields.iter().map(|field| field["name"].as_str().expect("a field has a name"));
        let names: Vec<&str> = ["reference_id", "target"].into_iter().chain(names).collect();
        let cells = |row: &Vec<String>| ["", ""].into_iter().map(str::to_owned).chain(row.iter().cloned()).collect();
        let rows: Vec<Vec<String>> = self.rows.iter().map(cells).collect();
        let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
        let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
        let told = told(descriptor.clone(), &names, &[], &rows);
        (1..).zip(told).filter(|(_, told)| !told.is_empty()).map(|(number, _)| number).collect()
    }
}

#[test]
fn the_published_cases_come_out_as_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/table-schema");
    let mut files: Vec<_> =
        folder.read_dir().expect("the folder is there").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let (mut count, mut unlike) = (0, Vec::new());
    for file in files {
        let name = file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).expect("a file can be read");
        let cases: Vec<Case> = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
        for case in cases {
            assert!(case.count() > 0, "{name}: {} says nothing", case.descriptor());
            count += case.count();
            unlike.extend(case.unlike().into_iter().map(|unlike| format!("{name}: {unlike}")));
        }
    }
    assert!(unlike.is_empty(), "{} of {count} cases:\n{}", unlike.len(), unlike.join("\n"));
    // The readme of the fixtures says how many there are.
    let readme = include_str!("../../../../fixtures/README.md");
    assert!(readme.contains(&format!("{count} cases")), "fixtures/README.md should say {count} cases");
}
