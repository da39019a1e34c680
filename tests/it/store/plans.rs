//! What a statement of the worker's daily round costs does not grow with what was finished before: none goes through
//! the ledger, the batches or the requests of the past.
//!
//! PostgreSQL runs each and tells how many pages it touched; SQLite tells whether its plan reads a table from end to
//! end.

use super::{BUCKET, Place};

/// Finished uploads, each with a batch; few for a database, many for a statement that reads them all.
const FINISHED: u32 = 50_000;
/// More pages than any statement here has use for: an index is three deep, and one upload has few rows. The finished
/// uploads alone fill a thousand.
const PAGES: u64 = 100;

/// A statement as the store puts it together: files of a database's queries, and what follows them.
macro_rules! joined {
    ($database:literal, $($file:literal)+, $end:literal) => {
        concat!($(include_str!(concat!("../../../src/store/", $database, "/queries/", $file, ".sql")),)+ $end)
    };
    ($($file:literal)+, $end:literal) => {
        (joined!("postgres", $($file)+, $end), joined!("sqlite", $($file)+, $end))
    };
}

/// Each statement's name, its text for both databases, and its parameters as SQL.
macro_rules! statements {
    ($($name:literal $(+ $more:literal)* ($($parameter:expr),*);)*) => {
        [$((
            concat!($name $(, " + ", $more)*),
            joined!("postgres", $name $($more)*, ""),
            joined!("sqlite", $name $($more)*, ""),
            &[$($parameter),*] as &[&str],
        )),*]
    };
}

/// What is looked at every few seconds wherever somebody watches: the newest batches, the newest uploads, the open
/// ones.
fn lists() -> [(&'static str, &'static str, &'static str, &'static [&'static str]); 4] {
    let batches = joined!(
        "batch_columns" "batch_page" "batch_filter",
        " order by received_on desc, number desc limit $11 offset $12) order by received_on desc, number desc"
    );
    let uploads = joined!("upload_page" "upload_filter", " order by upload_id desc limit $3 offset $4");
    let open = joined!(
        "upload_page" "upload_filter",
        " and available_at is not null order by upload_id + 0 desc limit $3 offset $4"
    );
    let refused = joined!("upload_page" "refused_uploads", "");
    const ALL: &str = "null";
    [
        ("newest batches", batches.0, batches.1, &[ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, "10", "0"]),
        ("newest uploads", uploads.0, uploads.1, &[ALL, ALL, "20", "0"]),
        ("refused uploads", refused.0, refused.1, &["50"]),
        ("open uploads", open.0, open.1, &["'CLAIMED'", ALL, "20", "0"]),
    ]
}

const SEEN: &str = r#"'[{"key": "new.csv", "version": "1", "size_bytes": 1, "modified_at": "2026-01-01T00:00:00.000Z"},
                       {"key": "f7.csv", "version": "1", "size_bytes": 1, "modified_at": "2026-01-01T00:00:00.000Z"}]'"#;

/// When one of the files was due that are still expected.
const SEVENTH: &str = "'2030-01-07T09:00:00.000Z'";

#[rustfmt::skip]
fn daily_round() -> [(&'static str, &'static str, &'static str, &'static [&'static str]); 23] {
    statements! {
        "record"("'s3://drop'", SEEN);
        "claim"("'s3://drop'", "'token'", "'worker'", "60.0", "null");
        "claim"("'s3://drop'", "'token'", "'worker'", "60.0", "99"); // less than any that is open: all are passed over
        "renew"("7", "'token'", "60.0");
        "held"("7", "'token'");
        "outcome"("7", "'token'");
        "retry"("7", "'token'", "'trouble'", "1.0");
        "give_back"("7", "'token'");
        "find_repeat"("1", "'sha 7'");
        "list_waiting"("'[\"stop\"]'");
        "wake_held"("'s3://drop'");
        "backlog"("'s3://drop'");
        "claim_answer"("'s3://drop'", "'token'", "60.0");
        "answered"("7", "'token'");
        "claim_message"("'ops'", "'token'", "60.0");
        "batch_columns" + "batch"("'20260101.7'");
        "findings"("'20260101.7'");
        "event_list"("'20260101.7'");
        "expected_open"("'s3://drop'");
        "open_arrivals"("'s3://drop'");
        "expected_now"("'s3://drop'");
        "expected_decide"("'s3://drop'", "2", SEVENTH, "'EXPECTED'", "'MISSING'", "null", "null", "null");
        "request_list"("'20260101.7'", "0", "100", "null", "null");
    }
}

/// A ledger that has seen much: finished uploads with a batch each, and a few that are open.
async fn populate(place: &Place) {
    let (numbers, now) = if place.is_sqlite() {
        let numbers = format!(
            "(with recursive n(i) as (select 1 union all select i + 1 from n where i < {FINISHED}) select i from n)"
        );
        (numbers, "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")
    } else {
        (format!("(select i from generate_series(1, {FINISHED}) as i)"), "now()")
    };
    let day = if place.is_sqlite() { "'2026-01-01'" } else { "date '2026-01-01'" };
    let names = if place.is_sqlite() { "'[\"name\"]'" } else { "array['name']" };
    let cells = if place.is_sqlite() { "'[\"Ana\"]'" } else { "array['Ana']" };
    let (past, past_opens) = ("'2025-01-02T09:00:00.000Z'", "'2025-01-01T09:00:00.000Z'");
    let no = if place.is_sqlite() { "0" } else { "false" };
    for statement in [
        format!(
            "insert into uploads (bucket, key, version, size_bytes, modified_at, status, attempts, available_at, claim_token, batch_id, settled_at)
             select '{BUCKET}', 'f' || i || '.csv', '1', 100, {now}, 'LOADED', 1, null, 'token', '20260101.' || i, {now} from {numbers} as n"
        ),
        format!(
            "insert into batches (batch_key, batch_id, received_on, number, campaign_id, campaign_name, upload_id, upload_filename, status,
                                  created_at, last_updated_at, last_updated_by, rows_read, bytes_read, sha256, claimed_at, variable_names,
                                  allow_repeats)
             select i, '20260101.' || i, {day}, i, 1, 'a', i, 'f' || i || '.csv', 'ACTIVE', {now}, {now}, 'w@example.com', 1, 100,
                    'sha ' || i, {now}, {names}, {no} from {numbers} as n"
        ),
        format!(
            "insert into request_rows (batch_key, row_number, line, request_status, reference_id, target, cells)
             select i, 1, 2, 'PENDING', 'A' || i, '+15125550100', {cells} from {numbers} as n"
        ),
        format!(
            "insert into uploads (bucket, key, version, size_bytes, modified_at, status, attempts, available_at, claim_token, settled_at)
             select '{BUCKET}', 'refused' || i || '.csv', '1', 100, {now}, 'REJECTED', 1, null, 'token', {now} from {numbers} as n
             where i <= 10000"
        ),
        format!(
            "insert into uploads (bucket, key, version, size_bytes, modified_at, available_at)
             select '{BUCKET}', 'open' || i || '.csv', '1', 100, {now}, {now} from {numbers} as n where i <= 50"
        ),
        format!(
            "insert into webhook_messages (message_id, webhook, event, data, status, due_at, ended_at)
             select 'msg_' || i, 'ops', 'batch.loaded', '{{}}', 'DELIVERED', null, {now} from {numbers} as n"
        ),
        format!(
            "insert into expected_files (bucket, campaign_id, campaign_name, due_at, opens_at, missing_from, closes_at, status, upload_id,
                                         batch_id, arrived_at)
             select '{BUCKET}', i, 'a', {past}, {past_opens}, {past}, {past}, 'ARRIVED', i, '20260101.' || i, {now} from {numbers} as n"
        ),
        // What is expected, and what no worker has looked after for a month; of a campaign without batches.
        format!(
            "insert into expected_files (bucket, campaign_id, campaign_name, due_at, opens_at, missing_from, closes_at)
             values ('{BUCKET}', 2, 'b', {SEVENTH}, {past}, {SEVENTH}, {SEVENTH}),
                    ('{BUCKET}', 3, 'c', '2025-01-07T09:00:00.000Z', {past_opens}, '2025-01-07T10:00:00.000Z', '2025-01-07T11:00:00.000Z')"
        ),
        "insert into webhook_messages (message_id, webhook, event, data) values ('msg_0', 'ops', 'batch.loaded', '{}')"
            .to_owned(),
        "update uploads set list = 'stop' where key in ('open49.csv', 'open50.csv')".to_owned(),
    ] {
        place.run(&statement).await.unwrap();
    }
    if !place.is_sqlite() {
        place.run("vacuum analyze").await.unwrap();
    }
}

/// The statement with its parameters in place. Its comments go first: they name parameters too, and one may be of two
/// lines.
fn filled_in(sql: &str, parameters: &[&str]) -> String {
    let code: Vec<&str> = sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let mut sql = code.join("\n");
    for (at, parameter) in parameters.iter().enumerate().rev() {
        sql = sql.replace(&format!("${}", at + 1), parameter);
    }
    sql
}

#[tokio::test]
async fn on_postgres_the_daily_round_touches_few_pages() {
    let place = Place::postgres().await;
    place.store().await;
    populate(&place).await;
    let mut costly = vec![];
    for (name, sql, _, parameters) in daily_round().into_iter().chain(lists()) {
        let mut session = place.session().await;
        session.run("begin").await.unwrap();
        let explain =
            format!("explain (analyze, buffers, costs off, timing off, summary off) {}", filled_in(sql, parameters));
        let plan = session.texts(&explain).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        session.run("rollback").await.unwrap();
        // The first line of the kind is that of the whole statement; what its steps touched is in it.
        let touched = plan.iter().find_map(|line| line.trim().strip_prefix("Buffers: shared ")).unwrap_or_default();
        let pages: u64 = touched.split([' ', '=']).filter_map(|word| word.parse::<u64>().ok()).sum();
        if pages == 0 || pages > PAGES {
            costly.push(format!("{name}: {pages} pages\n{}", plan.join("\n")));
        }
    }
    assert!(costly.is_empty(), "{}", costly.join("\n\n"));
}

#[tokio::test]
async fn on_sqlite_the_daily_round_reads_no_table_from_end_to_end() {
    let place = Place::sqlite();
    place.store().await;
    populate(&place).await;
    let mut costly = vec![];
    for (name, _, sql, parameters) in daily_round().into_iter().chain(lists()) {
        let mut session = place.session().await;
        let plan = explain(&mut session, &filled_in(sql, parameters)).await;
        let reads_all = |line: &String| {
            ["uploads", "batches", "request_rows", "webhook_messages", "expected_files", "b", "c", "r", "u", "v"]
                .iter()
                .any(|table| line == &format!("SCAN {table}") || line.starts_with(&format!("SCAN {table} USING")))
                // This index holds what is still to be delivered, and no more.
                && line != "SCAN webhook_messages USING COVERING INDEX webhook_messages_due"
        };
        // The newest are read from the end of an index, or of the ledger itself, until there are enough of them.
        let is_newest = |line: &String| match name {
            "newest batches" => line == "SCAN batches USING INDEX sqlite_autoindex_batches_2",
            "newest uploads" => line == "SCAN uploads" && plan.len() == 1,
            "refused uploads" => line == "SCAN uploads USING INDEX uploads_refused",
            // This index holds what is open, and no more.
            "open uploads" => line == "SCAN uploads USING INDEX uploads_open",
            _ => false,
        };
        if plan.iter().any(|line| reads_all(line) && !is_newest(line)) {
            costly.push(format!("{name}:\n{}", plan.join("\n")));
        }
    }
    assert!(costly.is_empty(), "{}", costly.join("\n\n"));
}

/// The steps of SQLite's plan.
async fn explain(session: &mut super::Session, sql: &str) -> Vec<String> {
    use sqlx::Row as _;
    let super::Session::Sqlite(connection) = session else { panic!("for SQLite only") };
    let sql = sqlx::AssertSqlSafe(format!("explain query plan {sql}"));
    let rows = sqlx::query(sql).fetch_all(&mut **connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>("detail")).collect()
}
