//! Loading: what went in comes out, all of it or nothing, and nobody sees it before it is published.

use std::time::Duration;

use batchdrop::model::{BatchDraft, BatchQuery, BatchStatus, Dialect, IntakeStatus, RowCode, UploadStatus, Verdicts};
use batchdrop::store::{ErrorKind, Finding, Store};
use serde_json::{Value, json};

use super::{
    Place, Row, assert_kind, batch_id, chunks, claim_new, day, draft, line, load_new, only_upload, open_load, pending,
    publish, record, some_rows, verdicts,
};

every_store! {
    every_kind_of_row_comes_back_as_it_went_in
    any_text_comes_back_as_it_went_in
    a_file_without_other_columns_has_no_variables
    rows_of_the_wrong_length_keep_all_their_cells
    twenty_thousand_rows_come_back_in_pages
    rows_of_five_thousand_columns_come_back
    a_batch_tells_what_was_known_of_its_file
    what_was_not_known_of_a_file_stays_open
    a_held_campaigns_batch_is_paused
    nothing_is_seen_before_it_is_published
    a_load_that_is_dropped_or_discarded_leaves_nothing
    loads_that_are_dropped_give_their_connections_back
    rows_that_do_not_add_up_are_refused_and_leave_nothing
}

/// Publishes rows from a new upload, and reads them back through another connection.
async fn assert_come_back(place: &Place, draft: &BatchDraft, rows: &[Row], variables: &[Value]) {
    assert_eq!(rows.len(), variables.len());
    let store = place.store().await;
    let claim = claim_new(&store, &draft.upload_filename).await;
    let id = batch_id(publish(&store, &claim, draft, rows).await.unwrap());
    assert_stored(&place.store().await, &id, rows, variables).await;
}

async fn assert_stored(store: &Store, id: &str, rows: &[Row], variables: &[Value]) {
    let batch = store.batch(id).await.unwrap().expect("it was published");
    let stored = store.requests(id, 0, 1_000).await.unwrap();
    assert_eq!(stored.len(), rows.len());
    for (((stored, row), variables), row_number) in stored.into_iter().zip(rows).zip(variables).zip(1..) {
        assert_eq!((stored.batch_id.as_str(), stored.row_number, stored.line), (id, row_number, line(row_number)));
        assert_eq!((&stored.reference_id, &stored.target), (&row.reference_id, &row.target), "row {row_number}");
        assert_eq!(stored.target_extension.as_deref(), row.target_extension, "row {row_number}");
        assert_eq!(&stored.request_variables, variables, "row {row_number}");
        assert_eq!(stored.request_status, row.status.as_str());
        assert_eq!(stored.error_code.as_deref(), row.code.map(RowCode::as_str));
        assert_eq!(stored.error_message.as_deref(), row.code.map(|_| row.message));
        assert_eq!(stored.duplicate_of_row, row.duplicate_of);
        assert_eq!(stored.duplicate_of_batch_id.as_deref(), row.duplicate_of.map(|_| id), "its own batch");
        assert_eq!((stored.created_at, stored.sent_at, stored.attempt_count), (batch.created_at, None, 0));
    }
    assert_eq!(batch.status_counts, verdicts(rows).by_status());
}

fn rows_of_every_kind() -> Vec<Row> {
    let row = pending("A1", &["Zoë", "10"]);
    vec![
        row.clone(),
        Row {
            status: IntakeStatus::Duplicate,
            code: Some(RowCode::DuplicateReference),
            message: "row 1 has the same reference_id",
            duplicate_of: Some(1),
            ..row.clone()
        },
        Row {
            status: IntakeStatus::Skipped,
            code: Some(RowCode::Suppressed),
            message: "the target is on the suppression list \"do not call\"",
            ..row.clone()
        },
        Row {
            status: IntakeStatus::Invalid,
            code: Some(RowCode::InvalidPhone),
            message: "too short",
            reference_id: String::new(),
            target: " 555-12\n".to_owned(),
            ..row.clone()
        },
        Row {
            status: IntakeStatus::Invalid,
            code: Some(RowCode::InvalidPhone),
            message: "not a number",
            target: String::new(),
            ..row
        },
        pending("A2", &["", ""]),
        Row { target_extension: Some("0045"), ..pending("A3", &["Zoë", "10"]) },
        Row {
            status: IntakeStatus::Duplicate,
            code: Some(RowCode::DuplicateTarget),
            message: "row 1 has the same target",
            duplicate_of: Some(1),
            target_extension: Some("1234567"),
            ..pending("A4", &["", ""])
        },
    ]
}

async fn every_kind_of_row_comes_back_as_it_went_in(place: &Place) {
    let rows = rows_of_every_kind();
    let zoe = json!({"name": "Zoë", "amount": "10"});
    let empty = json!({"name": "", "amount": ""});
    let variables = [zoe.clone(), zoe.clone(), zoe.clone(), zoe.clone(), zoe.clone(), empty.clone(), zoe, empty];
    assert_come_back(place, &draft("a.csv", &rows), &rows, &variables).await;

    let findings = place.store().await.findings("20250812.1").await.unwrap();
    let finding = |code: &str, requests, first_row| Finding {
        error_code: code.to_owned(),
        requests,
        first_row,
        first_line: 2 * first_row,
    };
    let expected = [
        finding("INVALID_PHONE", 2, 4),
        finding("DUPLICATE_REFERENCE", 1, 2),
        finding("DUPLICATE_TARGET", 1, 8),
        finding("SUPPRESSED", 1, 3),
    ];
    assert_eq!(findings, expected);
}

/// Where each cell's name was looked for among all names by a join, each row took seconds.
async fn rows_of_five_thousand_columns_come_back(place: &Place) {
    let names: Vec<String> = (0..5_000).map(|n| format!("column {n}")).collect();
    let cells: Vec<String> = (0..5_000).map(|n| n.to_string()).collect();
    let row = Row { cells: cells.clone(), ..pending("A1", &[]) };
    let rows = vec![row; 10];
    let variables = Value::Object(names.iter().cloned().zip(cells.into_iter().map(Value::String)).collect());
    let draft = BatchDraft { variable_names: names, ..draft("wide.csv", &rows) };
    assert_come_back(place, &draft, &rows, &vec![variables; rows.len()]).await;
}

async fn any_text_comes_back_as_it_went_in(place: &Place) {
    let nine_hundred = "é".repeat(450);
    let texts = [
        "say \"hi\"",
        "it's",
        "two\nlines\r\nand a\ttab",
        "\\.", // where PostgreSQL's text COPY ends, without an error
        "\\N", // its null
        "back\\slash\\",
        "\u{1}\u{7f}\u{feff}\u{2028}",
        "Zoë 📞 e\u{301} \u{202e}",
        "null",
        "{\"a\": [1]}",
        "{a,b}",
        "=1+1",
        "'; drop table request_rows; --",
        " spaces ",
        &nine_hundred,
    ];
    let mut rows = vec![];
    let mut variables = vec![];
    for text in texts {
        rows.push(Row { target: text.to_owned(), ..pending(text, &[text, ""]) });
        variables.push(json!({"say \"name\"": text, "größe 📏\\": ""}));
    }
    // At either edge of a row, and of a chunk, too.
    rows.push(pending("\\.", &["", "\\."]));
    variables.push(json!({"say \"name\"": "", "größe 📏\\": "\\."}));
    let mut draft = draft("it's \"50%\" 📞.csv", &rows);
    draft.variable_names = vec!["say \"name\"".to_owned(), "größe 📏\\".to_owned()];
    assert_come_back(place, &draft, &rows, &variables).await;
    let stored = place.store().await.batch("20250812.1").await.unwrap().unwrap();
    assert_eq!(stored.upload_filename.as_deref(), Some("it's \"50%\" 📞.csv"));
}

async fn a_file_without_other_columns_has_no_variables(place: &Place) {
    let rows = [pending("A1", &[]), pending("A2", &[])];
    let draft = BatchDraft { variable_names: vec![], ..draft("a.csv", &rows) };
    assert_come_back(place, &draft, &rows, &[json!({}), json!({})]).await;
}

async fn rows_of_the_wrong_length_keep_all_their_cells(place: &Place) {
    let invalid = |cells: &[&str]| Row {
        status: IntakeStatus::Invalid,
        code: Some(RowCode::CellCount),
        message: "the header has 4 cells",
        ..pending("A1", cells)
    };
    let rows = [invalid(&["Zoë", "10", "more", "\n"]), invalid(&["Zoë"]), invalid(&[]), pending("A2", &["Max", "20"])];
    let variables = [
        json!({"name": "Zoë", "amount": "10", "_extra_1": "more", "_extra_2": "\n"}),
        json!({"name": "Zoë"}),
        json!({}),
        json!({"name": "Max", "amount": "20"}),
    ];
    assert_come_back(place, &draft("a.csv", &rows), &rows, &variables).await;
}

async fn twenty_thousand_rows_come_back_in_pages(place: &Place) {
    let duplicate = Row {
        status: IntakeStatus::Duplicate,
        code: Some(RowCode::DuplicateReference),
        message: "row 1 has the same reference_id",
        duplicate_of: Some(1),
        ..pending("R1", &["repeat", ""])
    };
    let rows: Vec<Row> = (1..=20_000)
        .map(|n| if n % 100 == 0 { duplicate.clone() } else { pending(format!("R{n}"), &["Zoë", &n.to_string()]) })
        .collect();
    let store = place.store().await;
    let claim = claim_new(&store, "a.csv").await;
    let mut load = store.begin_load().await.unwrap();
    // Neither 500 nor 1,000 at a time: no statement's own size.
    for chunk in chunks(&rows, 1_777) {
        load.rows(&chunk).await.unwrap();
    }
    let id = batch_id(load.publish(&claim, &draft("a.csv", &rows), verdicts(&rows)).await.unwrap());

    let mut after = 0;
    loop {
        let page = store.requests(&id, after, 3_000).await.unwrap();
        if page.is_empty() {
            break;
        }
        for (request, row_number) in page.iter().zip(after + 1..) {
            let row = &rows[row_number as usize - 1];
            assert_eq!((request.row_number, &request.reference_id), (row_number, &row.reference_id));
            assert_eq!(request.request_variables, json!({"name": row.cells[0], "amount": row.cells[1]}));
            assert_eq!(
                (request.duplicate_of_row, request.request_status.as_str()),
                (row.duplicate_of, row.status.as_str())
            );
        }
        after += page.len() as u32;
    }
    assert_eq!(after, 20_000);
    let batch = store.batch(&id).await.unwrap().unwrap();
    assert_eq!((batch.rows_read, batch.count("PENDING"), batch.count("DUPLICATE")), (20_000, 19_800, 200));
    assert_eq!(batch.status_counts.len(), 2, "{:?}", batch.status_counts);
    assert_eq!(store.requests("20250812.2", 0, 10).await.unwrap().len(), 0);
}

async fn a_batch_tells_what_was_known_of_its_file(place: &Place) {
    let store = place.store().await;
    let rows = some_rows();
    let claim = claim_new(&store, "drop/LATE_PAYMENTS_20250401.csv").await;
    let known = BatchDraft {
        filename_date: Some(day(11)),
        expires_after: Some(Duration::from_secs(30 * 86_400)),
        dialect: Some(Dialect {
            encoding: "UTF-16LE",
            delimiter: "\t".to_owned(),
            quote: None,
            escape: Some(b'\\'),
            newline: "mixed",
            compression: Some("gzip"),
            header_line: Some(3),
        }),
        bytes_read: 5_000_000_000,
        ..draft("LATE_PAYMENTS_20250401.csv", &rows)
    };
    let id = batch_id(publish(&store, &claim, &known, &rows).await.unwrap());
    let batch = store.batch(&id).await.unwrap().unwrap();
    assert_eq!((batch.batch_id.as_str(), batch.status, batch.paused), ("20250812.1", BatchStatus::Active, Some(false)));
    assert_eq!((batch.campaign_id, batch.campaign_name.as_str()), (7, "late_payments"));
    assert_eq!(batch.upload_filename.as_deref(), Some("LATE_PAYMENTS_20250401.csv"));
    assert_eq!((batch.filename_date, batch.upload_id), (Some(day(11)), claim.upload_id));
    assert_eq!(batch.expires_on, Some(batch.created_at + Duration::from_secs(30 * 86_400)));
    assert_eq!((batch.rows_read, batch.bytes_read), (3, 5_000_000_000));
    assert_eq!(batch.sha256.as_deref(), Some("sha256 of LATE_PAYMENTS_20250401.csv"));
    assert_eq!((batch.encoding.as_deref(), batch.delimiter.as_deref()), (Some("UTF-16LE"), Some("\\t")));
    assert_eq!((batch.quote.as_deref(), batch.quote_escape.as_deref()), (Some(""), Some("\\")));
    assert_eq!((batch.newline.as_deref(), batch.compression.as_deref()), (Some("mixed"), Some("gzip")));
    assert_eq!(batch.header_line, Some(3));
    let columns = "select reference_column || ' ' || target_column || ' ' || (select count(*) from batches where column_names is not null) from batches";
    assert_eq!(place.texts(columns).await, ["2 3 1"]);
    assert_eq!((batch.error_code, batch.error_message), (None, None));
    assert_eq!((batch.deleted_at, batch.deleted_reason), (None, None));
    assert_eq!((batch.last_updated_at, batch.last_updated_by.as_str()), (batch.created_at, "worker@example.com"));
    assert_eq!((batch.seen_at, batch.claimed_at), (claim.seen_at, claim.claimed_at));
    assert!(batch.created_at >= batch.claimed_at && batch.claimed_at >= batch.seen_at);

    let upload = only_upload(&store).await;
    assert_eq!((upload.status, upload.batch_id.as_deref()), (UploadStatus::Loaded, Some("20250812.1")));
    assert!(upload.settled_at.unwrap() >= claim.claimed_at);
    assert_eq!((upload.size_bytes, upload.version.as_str(), upload.attempts), (99, "etag-1", 1));
    assert_eq!(store.batch("20250812.2").await.unwrap().map(|batch| batch.batch_id), None);
}

async fn what_was_not_known_of_a_file_stays_open(place: &Place) {
    let store = place.store().await;
    let rows = some_rows();
    let claim = claim_new(&store, "a.csv").await;
    let unknown = BatchDraft {
        sha256: None,
        dialect: None,
        column_names: Vec::new(),
        reference_column: None,
        ..draft("a.csv", &rows)
    };
    let id = batch_id(publish(&store, &claim, &unknown, &rows).await.unwrap());
    let batch = store.batch(&id).await.unwrap().unwrap();
    assert_eq!((batch.sha256, batch.encoding, batch.delimiter), (None, None, None));
    assert_eq!((batch.quote, batch.newline, batch.compression, batch.header_line), (None, None, None, None));
    assert_eq!((batch.expires_on, batch.filename_date), (None, None));
}

async fn a_held_campaigns_batch_is_paused(place: &Place) {
    let store = place.store().await;
    let rows = some_rows();
    let claim = claim_new(&store, "a.csv").await;
    let held = BatchDraft { hold: true, ..draft("a.csv", &rows) };
    let id = batch_id(publish(&store, &claim, &held, &rows).await.unwrap());
    let batch = store.batch(&id).await.unwrap().unwrap();
    assert_eq!((batch.status, batch.paused, batch.count("PENDING")), (BatchStatus::Paused, Some(true), 3));
}

/// What this store and a dashboard beside it see of batches and requests.
async fn seen(place: &Place, store: &Store) -> usize {
    let listed = store.count_batches(&BatchQuery::default()).await.unwrap() as usize;
    let requests = store.requests("20250812.1", 0, 100).await.unwrap().len();
    let views = place.texts("select batch_id from batch_details union all select batch_id from requests").await.len();
    listed + requests + views + place.stored().await
}

async fn nothing_is_seen_before_it_is_published(place: &Place) {
    let (store, other) = (place.store().await, place.store().await);
    let rows = some_rows();
    let claim = claim_new(&store, "a.csv").await;
    let load = open_load(&store, &rows).await;
    for store in [&store, &other] {
        assert_eq!(seen(place, store).await, 0);
        assert_eq!(only_upload(store).await.status, UploadStatus::Claimed);
    }
    batch_id(load.publish(&claim, &draft("a.csv", &rows), verdicts(&rows)).await.unwrap());
    for store in [&store, &other] {
        assert!(seen(place, store).await > 0, "and at once from then on");
    }
}

async fn a_load_that_is_dropped_or_discarded_leaves_nothing(place: &Place) {
    let store = place.store().await;
    let rows = some_rows();
    let claim = claim_new(&store, "a.csv").await;
    open_load(&store, &rows).await.discard().await.unwrap();
    assert_eq!(seen(place, &store).await, 0);
    store.begin_load().await.unwrap().discard().await.unwrap();
    drop(open_load(&store, &rows).await);
    assert_eq!(seen(place, &store).await, 0);

    batch_id(publish(&store, &claim, &draft("a.csv", &rows), &rows).await.unwrap());
    let stored = place.texts("select reference_id from request_rows order by row_number").await;
    assert_eq!(stored, ["A1", "A2", "A3"], "nothing of the earlier loads came with it");
}

async fn loads_that_are_dropped_give_their_connections_back(place: &Place) {
    let store = place.store().await;
    record(&store, "a.csv").await;
    for _ in 0..20 {
        drop(open_load(&store, &some_rows()).await);
    }
    let claiming = tokio::time::timeout(Duration::from_secs(10), super::claim(&store));
    assert!(claiming.await.expect("a connection is free").is_some());
}

async fn rows_that_do_not_add_up_are_refused_and_leave_nothing(place: &Place) {
    let store = place.store().await;
    let rows = some_rows();
    let claim = claim_new(&store, "a.csv").await;
    let three = Verdicts { pending: 3, ..Default::default() };
    let four = Verdicts { pending: 3, invalid: 1, ..Default::default() };
    for (read, verdicts) in [(4, three), (3, four), (4, four), (2, Verdicts { pending: 2, ..three })] {
        let draft = BatchDraft { rows_read: read, ..draft("a.csv", &rows) };
        let published = open_load(&store, &rows).await.publish(&claim, &draft, verdicts).await;
        assert_kind(published, ErrorKind::Permanent, "3 rows were written");
        assert_eq!(seen(place, &store).await, 0);
        assert_eq!(only_upload(&store).await.status, UploadStatus::Claimed);
    }
    store.renew(&claim, super::LEASE).await.unwrap();
    assert_eq!(batch_id(publish(&store, &claim, &draft("a.csv", &rows), &rows).await.unwrap()), "20250812.1");
    load_new(&store, "b.csv").await;
}
