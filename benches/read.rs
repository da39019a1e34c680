//! Reading alone, on one core: a million rows in memory, in plain and in rarer dialects. `cargo bench --bench read`

use std::time::Instant;

use batchdrop::model::Format;
use batchdrop::reader::{Limits, Rows};

fn main() {
    let rows: Vec<[String; 5]> = (0..1_000_000)
        .map(|row| {
            let target = format!("+1512555{:04}", row % 10_000);
            [format!("ACC-{row:07}"), target, "Ana Castillo".into(), format!("{}.50", row % 900), "2025-04-01".into()]
        })
        .collect();
    let text = |before: &str, between: &str, behind: &str, newline: &str| {
        let mut text =
            format!("{before}{}{behind}{newline}", ["reference_id", "target", "name", "amount", "due"].join(between));
        for row in &rows {
            text.extend([before, &row.join(between), behind, newline]);
        }
        text
    };
    let usual = Format::default();
    let told = |delimiter: &str, quote: Option<u8>, escape: Option<u8>| Format {
        delimiter: Some(delimiter.to_owned()),
        quote: Some(quote),
        escape: Some(escape),
        ..Format::default()
    };
    measure("plain", &text("", ",", "", "\n"), &usual);
    measure("CR LF", &text("", ";", "", "\r\n"), &usual);
    measure("all in quotes", &text("\"", "\",\"", "\"", "\n"), &usual);
    measure("apostrophes", &text("'", "','", "'", "\n"), &usual);
    measure("an escape", &text("", ",", "", "\n"), &told(",", Some(b'"'), Some(b'\\')));
    measure("no quote", &text("", ",", "", "\n"), &told(",", None, None));
    measure("two bytes between cells", &text("", "||", "", "\n"), &usual);
}

/// The best of five, in megabytes a second.
fn measure(name: &str, text: &str, format: &Format) {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        let mut rows = Rows::open(text.as_bytes(), format, Limits::default()).expect("a file that can be read");
        let (mut count, mut cells) = (0, 0);
        while let Some(row) = rows.next_row().expect("rows that can be read") {
            count += 1;
            cells += row.cells.len();
        }
        assert_eq!((count, cells), (1_000_000, 5_000_000), "{name}");
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{name}: {:.0} MB/s", text.len() as f64 / 1e6 / best);
}
