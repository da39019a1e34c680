//! What other batches and suppression lists have to say: the judge that works on a chunk at a time against a naive one.

use super::*;
use crate::model::{Channel, Holder, Known, Questions};

/// What is known outside of the file, as plainly as can be.
#[derive(Debug, Clone, Default)]
struct Outside {
    held: HashMap<(KeyField, String), Holder>,
    suppressed: HashMap<String, String>,
}

fn outside() -> impl Strategy<Value = Outside> {
    use KeyField::{ReferenceId, Target};
    let key =
        prop_oneof!["[ab][12]".prop_map(|id| (ReferenceId, id)), (0..4u32).prop_map(|last| (Target, number(last)))];
    let holder =
        (1..9u32, 1..9u32).prop_map(|(batch, row)| Holder { batch_id: format!("20250812.{batch}"), row_number: row });
    let held = prop::collection::hash_map(key, holder, 0..4);
    let suppressed = prop::collection::hash_map((0..4u32).prop_map(number), "[xy]", 0..2);
    (held, suppressed).prop_map(|(held, suppressed)| Outside { held, suppressed })
}

fn number(last: u32) -> String {
    format!("+1512555014{last}")
}

/// The store's part: it answers what it is asked, and nothing else.
fn answer(outside: &Outside, questions: &Questions) -> Known {
    let mut known = Known::default();
    for (field, keys) in &questions.keys {
        for key in keys {
            if let Some(holder) = outside.held.get(&(*field, key.clone())) {
                known.hold(*field, key.clone(), holder.clone());
            }
        }
    }
    for target in &questions.targets {
        if let Some(list) = outside.suppressed.get(target) {
            known.suppress(target.clone(), list.clone());
        }
    }
    known
}

/// Status, code, message, row and batch of the holder.
type Verdict = (IntakeStatus, Option<RowCode>, String, Option<u32>, Option<String>);

fn in_chunks(campaign: &Campaign, rows: &[Cells], outside: &Outside, size: usize) -> (Vec<Verdict>, Verdicts) {
    let (mut judge, mut verdicts) = (judge(campaign), Vec::new());
    for (at, rows) in rows.chunks(size).enumerate() {
        let mut chunk = RowChunk::default();
        for (number, cells) in (at * size + 1..).zip(rows) {
            let sent = Sent::new(cells);
            let row = sent.row(number as u32);
            chunk.push(judge.assess(&row).to_request(&row), row.values().skip(2));
        }
        let known = judge.questions(&chunk).map(|questions| answer(outside, &questions)).unwrap_or_default();
        judge.decide(&mut chunk, &known);
        verdicts.extend(chunk.iter().zip(rows).map(|((row, cells), sent)| {
            assert_eq!(cells.collect::<Vec<_>>(), sent.iter().skip(2).collect::<Vec<_>>(), "a verdict moves no cell");
            let batch = row.duplicate_of_batch.map(str::to_owned);
            (row.status, row.code, row.message.to_owned(), row.duplicate_of, batch)
        }));
    }
    (verdicts, judge.verdicts())
}

/// The contract's section 5 once more, with what is known outside.
fn naively(rows: &[Cells], fields: &[KeyField], outside: &Outside) -> Vec<(IntakeStatus, Option<u32>, Option<String>)> {
    let mut holders: HashMap<(KeyField, String), u32> = HashMap::new();
    let mut verdicts = Vec::new();
    for (number, (cells, plain)) in (1..).zip(rows.iter().zip(naive(rows, fields))) {
        if plain.status == IntakeStatus::Invalid {
            verdicts.push((IntakeStatus::Invalid, None, None));
            continue;
        }
        if outside.suppressed.contains_key(&plain.target) {
            verdicts.push((IntakeStatus::Skipped, None, None));
            continue;
        }
        let key = |field| match field {
            KeyField::ReferenceId => (field, cells[0].trim().to_owned()),
            KeyField::Target => (field, plain.target.clone()),
        };
        let mut verdict = (IntakeStatus::Pending, None, None);
        for &field in fields.iter().rev() {
            if let Some(row) = holders.get(&key(field)) {
                verdict = (IntakeStatus::Duplicate, Some(*row), None);
            }
            if let Some(holder) = outside.held.get(&key(field)) {
                verdict = (IntakeStatus::Duplicate, Some(holder.row_number), Some(holder.batch_id.clone()));
            }
        }
        if verdict.0 == IntakeStatus::Pending {
            holders.extend(fields.iter().map(|&field| (key(field), number)));
        }
        verdicts.push(verdict);
    }
    verdicts
}

fn looking_outside(fields: &[KeyField]) -> Campaign {
    Campaign {
        unique_within: Some(std::time::Duration::from_secs(60)),
        suppression: vec!["x".to_owned(), "y".to_owned()],
        ..unique(fields)
    }
}

proptest! {
    /// Whatever the size of the chunks, and whoever holds keys outside.
    #[test]
    fn a_naive_judge_agrees_whatever_is_known_outside(
        rows in rows(), fields in settings(), outside in outside(), size in 1..20usize,
    ) {
        let (judged, verdicts) = in_chunks(&looking_outside(&fields), &rows, &outside, size);
        let short: Vec<_> = judged.iter().map(|(status, _, _, row, batch)| (*status, *row, batch.clone())).collect();
        prop_assert_eq!(short, naively(&rows, &fields, &outside));
        let count = |status| judged.iter().filter(|verdict| verdict.0 == status).count() as u64;
        let counted = Verdicts {
            pending: count(IntakeStatus::Pending),
            duplicate: count(IntakeStatus::Duplicate),
            skipped: count(IntakeStatus::Skipped),
            invalid: count(IntakeStatus::Invalid),
        };
        prop_assert_eq!(verdicts, counted);
    }

    /// Where nothing is looked up, chunks come to what rows come to one by one.
    #[test]
    fn chunks_are_judged_as_rows_are(rows in rows(), fields in settings(), size in 1..20usize) {
        let campaign = unique(&fields);
        let (judged, verdicts) = in_chunks(&campaign, &rows, &Outside::default(), size);
        let mut judge = judge(&campaign);
        for ((number, cells), verdict) in (1..).zip(&rows).zip(judged) {
            let sent = Sent::new(cells);
            let row = sent.row(number);
            let single = judge.judge(&row);
            prop_assert_eq!((single.status, single.code, single.message.into_owned(), single.duplicate_of, None), verdict);
        }
        prop_assert_eq!(judge.verdicts(), verdicts);
    }
}

#[test]
fn every_message_word_for_word() {
    let rows = [["A1", "+15125550140"], ["A2", "+15125550141"], ["A3", "+15125550142"], ["A4", "+15125550142"]]
        .map(|[id, target]| [id, target, ""].map(str::to_owned).to_vec());
    let holder = Holder { batch_id: "20250401.2".to_owned(), row_number: 12 };
    let outside = Outside {
        held: HashMap::from([((KeyField::ReferenceId, "A1".to_owned()), holder)]),
        suppressed: HashMap::from([(number(1), "do_not_call".to_owned())]),
    };
    let fields = [KeyField::ReferenceId, KeyField::Target];
    let (judged, _) = in_chunks(&looking_outside(&fields), &rows, &outside, 2);
    let told: Vec<_> = judged.iter().map(|(_, code, message, ..)| (*code, message.as_str())).collect();
    let expected = [
        (Some(RowCode::DuplicateReference), "reference_id: the same as in row 12 of batch 20250401.2"),
        (Some(RowCode::Suppressed), "target: on the suppression list do_not_call"),
        (None, ""),
        (Some(RowCode::DuplicateTarget), "target: the same as in row 3"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn addresses_are_asked_for_and_compared_without_regard_to_case() {
    let campaign = Campaign { channel: Channel::Email, ..looking_outside(&[KeyField::Target]) };
    let rows = [["A1", "Ann@example.com"], ["A2", "BOB@example.com"]]
        .map(|[id, target]| [id, target, ""].map(str::to_owned).to_vec());
    let holder = Holder { batch_id: "20250401.2".to_owned(), row_number: 1 };
    let outside = Outside {
        held: HashMap::from([((KeyField::Target, "ann@example.com".to_owned()), holder)]),
        suppressed: HashMap::from([("bob@example.com".to_owned(), "x".to_owned())]),
    };
    let (judged, _) = in_chunks(&campaign, &rows, &outside, 9);
    assert_eq!(judged.iter().map(|v| v.0).collect::<Vec<_>>(), [IntakeStatus::Duplicate, IntakeStatus::Skipped]);
}

#[test]
fn a_campaign_that_looks_at_its_file_alone_asks_nothing() {
    assert_eq!(judge(&Campaign::default()).questions(&RowChunk::default()), None);
}
