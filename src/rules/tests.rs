//! What holds for any rows, held against a second, naive judge; and the words and thresholds for files that fail.

mod outside;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::{Judge, Judgement};
use crate::model::{
    Campaign, CellSpan, Header, IntakeStatus, KeyField, NewRequest, Problem, Row, RowChunk, RowCode, TableSchema,
    Verdicts,
};

/// The cells of one row: reference_id, target, a note.
type Cells = Vec<String>;

/// A row as the reader would hand it on, owned.
struct Sent {
    raw: String,
    spans: Vec<CellSpan>,
}

impl Sent {
    fn new(cells: &[String]) -> Self {
        let (mut raw, mut spans) = (String::new(), Vec::new());
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                raw.push(',');
            }
            let start = raw.len() as u32;
            raw.push_str(cell);
            spans.push(CellSpan { start, end: raw.len() as u32, raw_start: start, is_unescaped: false });
        }
        Sent { raw, spans }
    }

    fn row(&self, number: u32) -> Row<'_> {
        Row { number, line: number + 1, raw: &self.raw, unescaped: "", cells: &self.spans, problem: None }
    }
}

fn header() -> Header {
    let names = ["reference_id", "target", "note"].map(str::to_owned).to_vec();
    Header { names, reference_id: 0, target: 1, variables: vec![2], required: Vec::new() }
}

fn judge(campaign: &Campaign) -> Judge {
    Judge::new(campaign, header()).expect("a campaign that can be judged")
}

/// What is kept of a judgement here.
#[derive(Debug, Clone, PartialEq)]
struct Judged {
    status: IntakeStatus,
    code: Option<RowCode>,
    duplicate_of: Option<u32>,
    reference_id: String,
    target: String,
}

impl From<Judgement<'_>> for Judged {
    fn from(judgement: Judgement<'_>) -> Self {
        Judged {
            status: judgement.status,
            code: judgement.code,
            duplicate_of: judgement.duplicate_of,
            reference_id: judgement.reference_id.to_owned(),
            target: judgement.target.to_owned(),
        }
    }
}

fn judge_all(campaign: &Campaign, rows: &[Cells]) -> (Vec<Judged>, Verdicts) {
    let mut judge = judge(campaign);
    let judged = (1..).zip(rows).map(|(number, cells)| judge.judge(&Sent::new(cells).row(number)).into()).collect();
    (judged, judge.verdicts())
}

fn unique(fields: &[KeyField]) -> Campaign {
    Campaign { unique: fields.to_vec(), ..Campaign::default() }
}

/// One number of the few that the rows draw from, in one of its spellings, or what is no number.
fn normal_form(target: &str) -> Option<String> {
    let digits: String = target.chars().filter(char::is_ascii_digit).collect();
    let national = digits.strip_prefix("001").or(digits.strip_prefix('1')).unwrap_or(&digits);
    (national.len() == 10 && !target.contains(char::is_alphabetic)).then(|| format!("+1{national}"))
}

fn targets() -> impl Strategy<Value = String> {
    let numbers = (0..4u32, 0..6usize).prop_map(|(last, spelling)| match spelling {
        0 => format!("+1512555014{last}"),
        1 => format!("(512) 555-014{last}"),
        2 => format!("512.555.014{last}"),
        3 => format!(" 1-512-555-014{last} "),
        4 => format!("001512555014{last}"),
        _ => format!("512555014{last}"),
    });
    prop_oneof![6 => numbers, 1 => Just(String::new()), 1 => Just("555-014".to_owned()), 1 => Just("ask Ann".to_owned())]
}

fn rows() -> impl Strategy<Value = Vec<Cells>> {
    let row =
        ("[ab]{0,1}[12]{0,1} ?", targets(), "[xé ]{0,3}", 0..12u32).prop_map(|(reference, target, note, width)| {
            let mut cells = vec![reference, target, note];
            match width {
                0 => cells.truncate(2),
                1 => cells.push("one too many".to_owned()),
                _ => {}
            }
            cells
        });
    prop::collection::vec(row, 0..60)
}

fn settings() -> impl Strategy<Value = Vec<KeyField>> {
    use KeyField::{ReferenceId, Target};
    prop::sample::select(vec![vec![ReferenceId], vec![Target], vec![ReferenceId, Target], vec![Target, ReferenceId]])
}

/// The contract's section 5, written down as plainly as can be.
fn naive(rows: &[Cells], fields: &[KeyField]) -> Vec<Judged> {
    let mut holders: HashMap<(&str, String), u32> = HashMap::new();
    let mut judged = Vec::new();
    for (number, cells) in (1..).zip(rows) {
        let reference_id = cells[0].trim().to_owned();
        let sent = cells.get(1).map_or("", |target| target.trim()).to_owned();
        let invalid = |code| Judged {
            status: IntakeStatus::Invalid,
            code: Some(code),
            duplicate_of: None,
            reference_id: reference_id.clone(),
            target: sent.clone(),
        };
        if cells.len() != 3 {
            judged.push(invalid(RowCode::CellCount));
            continue;
        }
        if reference_id.is_empty() || sent.is_empty() {
            judged.push(invalid(RowCode::MissingValue));
            continue;
        }
        let Some(target) = normal_form(&sent) else {
            judged.push(invalid(RowCode::InvalidPhone));
            continue;
        };
        let key = |field: KeyField| match field {
            KeyField::ReferenceId => (RowCode::DuplicateReference.as_str(), reference_id.clone()),
            KeyField::Target => (RowCode::DuplicateTarget.as_str(), target.clone()),
        };
        let held = fields.iter().find_map(|&field| Some((field, *holders.get(&key(field))?)));
        let (status, code, duplicate_of) = match held {
            Some((KeyField::ReferenceId, row)) => {
                (IntakeStatus::Duplicate, Some(RowCode::DuplicateReference), Some(row))
            }
            Some((KeyField::Target, row)) => (IntakeStatus::Duplicate, Some(RowCode::DuplicateTarget), Some(row)),
            None => {
                holders.extend(fields.iter().map(|&field| (key(field), number)));
                (IntakeStatus::Pending, None, None)
            }
        };
        judged.push(Judged { status, code, duplicate_of, reference_id: reference_id.clone(), target });
    }
    judged
}

fn count(judged: &[Judged], status: IntakeStatus) -> u64 {
    judged.iter().filter(|row| row.status == status).count() as u64
}

proptest! {
    /// Only PENDING rows claim keys, and a DUPLICATE names the row that holds the key: row by row as the naive judge
    /// says.
    #[test]
    fn a_naive_judge_agrees_row_by_row(rows in rows(), fields in settings()) {
        let (judged, verdicts) = judge_all(&unique(&fields), &rows);
        prop_assert_eq!(&judged, &naive(&rows, &fields));
        prop_assert_eq!(verdicts.total(), rows.len() as u64);
        prop_assert_eq!(verdicts.pending, count(&judged, IntakeStatus::Pending));
        prop_assert_eq!(verdicts.duplicate, count(&judged, IntakeStatus::Duplicate));
        prop_assert_eq!(verdicts.skipped, 0);
        prop_assert_eq!(verdicts.invalid, count(&judged, IntakeStatus::Invalid));
    }

    /// Taking the INVALID rows out changes no other row's verdict, whether a schema made them so or not.
    #[test]
    fn an_invalid_row_shadows_nothing(rows in rows(), fields in settings(), has_schema in any::<bool>()) {
        let descriptor = json!({ "fields": [{ "name": "note", "constraints": { "enum": ["x", "xx"], "required": true } }] });
        let schema = TableSchema { file: "schema.json".to_owned(), descriptor: Arc::new(descriptor) };
        let campaign = Campaign { schema: has_schema.then_some(schema), ..unique(&fields) };
        let (judged, _) = judge_all(&campaign, &rows);
        let is_valid = |row: &&Judged| row.status != IntakeStatus::Invalid;
        let kept: Vec<Cells> =
            rows.iter().zip(&judged).filter(|(_, row)| is_valid(row)).map(|(cells, _)| cells.clone()).collect();
        let (without, _) = judge_all(&campaign, &kept);
        let statuses = |rows: Vec<&Judged>| rows.iter().map(|row| (row.status, row.code)).collect::<Vec<_>>();
        prop_assert_eq!(statuses(without.iter().collect()), statuses(judged.iter().filter(is_valid).collect()));
    }

    /// With one field, as many rows are PENDING as there are keys, whatever the order.
    #[test]
    fn the_order_of_rows_does_not_change_how_many_are_pending(
        (rows, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        field in prop::sample::select(vec![KeyField::ReferenceId, KeyField::Target]),
    ) {
        let campaign = unique(&[field]);
        let keys = |judged: &[Judged], of: &dyn Fn(&Judged) -> bool| -> HashSet<String> {
            let key = |row: &Judged| match field {
                KeyField::ReferenceId => row.reference_id.clone(),
                KeyField::Target => row.target.clone(),
            };
            judged.iter().filter(|row| of(row)).map(key).collect()
        };
        let (judged, verdicts) = judge_all(&campaign, &rows);
        let valid = keys(&judged, &|row| row.status != IntakeStatus::Invalid);
        prop_assert_eq!(verdicts.pending, valid.len() as u64);
        let (again, verdicts_again) = judge_all(&campaign, &shuffled);
        prop_assert_eq!(verdicts_again, verdicts);
        prop_assert_eq!(keys(&again, &|row| row.status == IntakeStatus::Pending), valid);
    }

    /// What the store is handed does not depend on where one chunk ends and the next begins.
    #[test]
    fn chunks_of_any_size_hold_the_same_rows(rows in rows(), size in 1..20usize) {
        let campaign = Campaign::default();
        let sent: Vec<Sent> = rows.iter().map(|cells| Sent::new(cells)).collect();
        let handed_on = |size: usize| {
            let (mut judge, mut chunk, mut all) = (judge(&campaign), RowChunk::default(), Vec::new());
            for (at, sent) in sent.iter().enumerate() {
                let row = sent.row(at as u32 + 1);
                let request = judge.judge(&row);
                chunk.push(request.to_request(&row), row.values().skip(2));
                if chunk.len() == size || at + 1 == rows.len() {
                    all.extend(chunk.iter().map(|(request, cells)| owned(&request, cells)));
                    chunk.clear();
                }
            }
            all
        };
        let in_one = handed_on(usize::MAX);
        prop_assert_eq!(in_one.len(), rows.len());
        prop_assert_eq!(handed_on(size), in_one);
    }
}

fn owned<'a>(request: &NewRequest<'_>, cells: impl Iterator<Item = &'a str>) -> String {
    format!("{request:?} {:?}", cells.collect::<Vec<_>>())
}

/// `invalid` rows with a number that is too short, the first on line 2, then `valid` ones.
fn concluded(invalid: usize, valid: usize) -> Result<Verdicts, String> {
    let row = |at: usize, target: &str| vec![format!("A{at}"), target.to_owned(), String::new()];
    let rows: Vec<Cells> =
        (0..invalid + valid).map(|at| row(at, if at < invalid { "12345" } else { "+15125550142" })).collect();
    concluded_of(&rows)
}

fn concluded_of(rows: &[Cells]) -> Result<Verdicts, String> {
    let mut judge = judge(&Campaign::default());
    for (number, cells) in (1..).zip(rows) {
        judge.judge(&Sent::new(cells).row(number));
    }
    judge.conclude().map_err(|fault| format!("{}: {}", fault.code, fault.message()))
}

#[test]
fn a_quarter_of_twenty_rows_may_be_invalid_and_not_one_more() {
    assert_eq!(concluded(5, 15).map(|verdicts| verdicts.invalid), Ok(5));
    assert_eq!(
        concluded(6, 14).expect_err("more than a quarter"),
        "TOO_MANY_INVALID: Too many invalid rows: 6 of 20 rows cannot be used, more than 25 %: \
         6 INVALID_PHONE (first on line 2)"
    );
    assert_eq!(concluded(18, 1).map(|verdicts| verdicts.pending), Ok(1), "19 rows are too few to go by the share");
    assert!(concluded(19, 1).is_err());
}

#[test]
fn a_file_without_a_usable_row_fails_whatever_its_size() {
    assert_eq!(
        concluded(1, 0).expect_err("none"),
        "NO_VALID_ROWS: No valid rows: the only row cannot be used: 1 INVALID_PHONE (first on line 2)"
    );
    let row = |cells: &[&str]| cells.iter().map(|&cell| cell.to_owned()).collect::<Cells>();
    let rows = [row(&["A1", "x"]), row(&["", "x", ""]), row(&["A2", "", ""]), row(&["A3", "12345", ""])];
    assert_eq!(
        concluded_of(&rows).expect_err("none"),
        "NO_VALID_ROWS: No valid rows: none of the 4 rows can be used: \
         2 MISSING_VALUE (first on line 3), 1 CELL_COUNT (first on line 2), 1 INVALID_PHONE (first on line 5)"
    );
}

#[test]
fn a_file_of_duplicates_is_no_failure() {
    let rows = vec![["A1", "+15125550142", ""].map(str::to_owned).to_vec(); 40];
    let verdicts = concluded_of(&rows).expect("no fault");
    assert_eq!((verdicts.pending, verdicts.duplicate), (1, 39));
}

#[test]
fn every_message_word_for_word() {
    let mut judge = judge(&unique(&[KeyField::ReferenceId, KeyField::Target]));
    let long = "x".repeat(1025);
    let cases: [(&[&str], &str, Option<usize>); 9] = [
        (&["A1", "+15125550142", ""], "", None),
        (&["A1", "+15125550143", ""], "reference_id: the same as in row 1", Some(0)),
        (&["A2", "(512) 555-0142", ""], "target: the same as in row 1", Some(1)),
        (&["A2", "+15125550143"], "2 cells where the header has 3", None),
        (&["A2", " ", ""], "target: blank, and required", Some(1)),
        (&["\u{a0}", "+15125550143", ""], "reference_id: blank, and required", Some(0)),
        (&[&long, "+15125550143", ""], "reference_id: longer than 1024 bytes", Some(0)),
        (&["A2", "+15125550143", "a\0b"], "holds a NUL character, which cannot be stored; it is shown as ␀", Some(2)),
        (&["A2", "555-0142", ""], "target: too short; the area code is missing", Some(1)),
    ];
    for (number, (cells, message, column)) in (1..).zip(cases) {
        let cells: Cells = cells.iter().map(|&cell| cell.to_owned()).collect();
        let sent = Sent::new(&cells);
        let row = sent.row(number);
        let judgement = judge.judge(&row);
        assert_eq!((judgement.message.as_ref(), judgement.column), (message, column));
    }
}

#[test]
fn how_a_row_is_written_counts_before_what_it_says_and_required_cells_count_like_the_two() {
    let header = Header { required: vec![("Due Date".to_owned(), 2)], ..header() };
    let mut judge = Judge::new(&Campaign::default(), header).expect("a campaign that can be judged");
    let mut judged = |cells: [&str; 3], problem: Option<Problem>| {
        let sent = Sent::new(&cells.map(str::to_owned));
        let row = Row { problem, ..sent.row(1) };
        let judgement = judge.judge(&row);
        (judgement.code, judgement.message.into_owned(), judgement.column)
    };
    let good = ["A1", "+15125550142", "x"];
    let quotes = "column 2: a quote is never closed, or text follows it; write a quote inside a cell twice (\"\")";
    let broken = (Some(RowCode::InvalidValue), quotes.to_owned(), Some(1));
    assert_eq!(judged(good, Some(Problem::Quotes { column: 1 })), broken);
    assert_eq!(judged(["", "", ""], Some(Problem::Quotes { column: 1 })), broken);
    assert_eq!(
        judged(good, Some(Problem::TooLong { column: 2, bytes: 9 })),
        (Some(RowCode::ValueTooLong), "column 3: longer than 9 bytes".to_owned(), Some(2))
    );
    let blank = (Some(RowCode::MissingValue), "Due Date: blank, and required".to_owned(), Some(2));
    assert_eq!(judged(["A1", "+15125550142", " "], None), blank);
    assert_eq!(judged(good, None).0, None, "none of these claimed its key");
}
