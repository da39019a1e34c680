//! From bytes to verdicts: what any CSV writer wrote with N rows is N judgements, none lost and none made up.

use batchdrop::model::{Campaign, IntakeStatus};
use batchdrop::reader::{HeaderRules, Limits, Rows};
use batchdrop::rules::Judge;
use proptest::prelude::*;

fn written(rows: &[[String; 3]], style: csv::QuoteStyle, end: csv::Terminator) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().quote_style(style).terminator(end).from_writer(Vec::new());
    writer.write_record(["reference_id", "target", "note"]).expect("in memory");
    for row in rows {
        writer.write_record(row).expect("in memory");
    }
    writer.into_inner().expect("in memory")
}

proptest! {
    #[test]
    fn as_many_judgements_as_rows_were_written(
        rows in prop::collection::vec(("[a-zé\"\n,]{1,6}", "[0-9 ,\n]{0,12}|\\+1512555014[0-9]", "[a-zé \"\r\n,]{0,8}"), 1..40),
        always in any::<bool>(),
        crlf in any::<bool>(),
    ) {
        let rows: Vec<[String; 3]> = rows
            .into_iter()
            // A row of blank cells below the last one with content is no row; each of these has content.
            .map(|(reference_id, target, note)| [format!("A{reference_id}"), target, note])
            .collect();
        let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
        let end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let bytes = written(&rows, style, end);

        let campaign = Campaign::default();
        let mut read = Rows::open(bytes.as_slice(), &campaign.format, Limits::default()).expect("a table");
        let header = read.header(&HeaderRules::of(&campaign)).expect("a header");
        let mut judge = Judge::new(&campaign, header).expect("a campaign that can be judged");
        let mut judged = 0;
        while let Some(row) = read.next_row().expect("no fault") {
            let sent = &rows[judged];
            judged += 1;
            prop_assert_eq!(row.number as usize, judged);
            prop_assert_eq!(row.values().collect::<Vec<_>>(), sent.iter().map(String::as_str).collect::<Vec<_>>());
            let judgement = judge.judge(&row);
            prop_assert_eq!(judgement.reference_id, sent[0].trim());
            if judgement.status == IntakeStatus::Invalid {
                prop_assert_eq!(judgement.target, sent[1].trim());
            }
        }
        prop_assert_eq!(judged, rows.len());
        prop_assert_eq!(judge.verdicts().total(), rows.len() as u64);
    }
}
