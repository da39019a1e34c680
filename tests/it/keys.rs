//! Duplicates across batches, and suppression lists: the real program, on both databases.

mod lists;
mod together;

use batchdrop::model::{Batch, Request};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::support::app::{In, TestApp, To};

/// Writes each case out for both databases.
macro_rules! to_every_store {
    ($($case:ident)*) => {
        mod to_sqlite {
            use crate::support::app::To;
            $(#[tokio::test] async fn $case() { super::$case(To::Sqlite).await })*
        }
        mod to_postgres {
            use crate::support::app::To;
            $(#[tokio::test] async fn $case() { super::$case(To::Postgres).await })*
        }
    };
}
use to_every_store;

to_every_store! {
    a_key_of_another_batch_is_a_duplicate_that_names_its_holder
    a_key_taken_in_one_field_claims_nothing_in_the_other
    the_window_ends_by_the_databases_clock
    a_canceled_batch_holds_no_key
    a_failed_batch_holds_no_key
    another_campaigns_keys_do_not_count
    batches_of_before_count_when_the_window_is_set_later
    a_field_that_joins_later_counts_for_batches_of_before
    a_window_that_is_widened_brings_swept_keys_back
    the_next_holder_counts_when_the_first_is_canceled
    addresses_are_compared_without_regard_to_case_by_all
    repeats_and_lists_go_by_the_number_without_its_extension
    a_suppressed_target_is_skipped_before_duplicates_and_claims_nothing
    of_several_lists_the_first_named_is_told
}

const WINDOW: &str = "unique_within = '30d'";

/// A program whose one campaign has these settings.
async fn app(to: To, settings: &str) -> TestApp {
    let mut app = TestApp::new(In::Folder, to).await;
    set(&mut app, settings);
    app
}

fn set(app: &mut TestApp, settings: &str) {
    // Lists that others fill, for campaigns that name them.
    let lists = "[suppression.do_not_call]\n[suppression.a]\n[suppression.b]\n[suppression.no]\nchannel = 'email'\n";
    app.configure(&format!("[campaigns.calls]\nid = 7\nfiles = '*.csv'\n{settings}\n{lists}"));
}

/// One row each, `ID target`.
fn file(rows: &[&str]) -> String {
    let rows = rows.iter().map(|row| row.replace(' ', ",") + ",note\n");
    format!("reference_id,target,note\n{}", rows.collect::<String>())
}

/// A phone number of a few, by its last digits.
fn number(last: u32) -> String {
    format!("+1512555{last:04}")
}

async fn load(app: &TestApp, name: &str, rows: &[&str]) -> Batch {
    app.drop_file(name, file(rows)).await;
    assert_eq!(app.settle().await, 0, "{name} is loaded");
    app.batch_of(name).await
}

/// Loads a file of rows, and tells of each its status, and what is said of it.
async fn loaded(app: &TestApp, name: &str, rows: &[&str]) -> Vec<String> {
    let batch = load(app, name, rows).await;
    let told = |row: &Request| match &row.error_message {
        Some(message) => format!("{}: {message}", row.request_status),
        None => row.request_status.clone(),
    };
    app.requests(&batch.batch_id).await.iter().map(told).collect()
}

/// Runs a statement of another program; `{ago DAYS}` is a time so many days ago.
async fn run(app: &TestApp, sql: &str) -> u64 {
    if app.store_url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(&app.store_url).await.expect("the file opens");
        let sql = sql.replace("{ago ", "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-").replace('}', " days')");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.expect("the statement runs").rows_affected()
    } else {
        let mut connection = PgConnection::connect(&app.store_url).await.expect("the server answers");
        let sql = sql.replace("{ago ", "clock_timestamp() - interval '").replace('}', " days'");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.expect("the statement runs").rows_affected()
    }
}

async fn count(app: &TestApp, table: &str) -> i64 {
    let sql = AssertSqlSafe(format!("select count(*) from {table}"));
    if app.store_url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(&app.store_url).await.expect("the file opens");
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a count")
    } else {
        let mut connection = PgConnection::connect(&app.store_url).await.expect("the server answers");
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a count")
    }
}

async fn cancel(app: &TestApp, batch: &Batch) {
    let sql = "update batches set status = 'CANCELED', deleted_at = {ago 0}, deleted_reason = 'a mistake'";
    assert_eq!(run(app, &format!("{sql} where batch_id = '{}'", batch.batch_id)).await, 1);
}

/// Makes a batch older than it is.
async fn age(app: &TestApp, batch: &Batch, days: f64) {
    let sql = format!("update batches set created_at = {{ago {days}}} where batch_id = '{}'", batch.batch_id);
    assert_eq!(run(app, &sql).await, 1);
}

async fn a_key_of_another_batch_is_a_duplicate_that_names_its_holder(to: To) {
    let app = app(to, WINDOW).await;
    let first = load(&app, "1.csv", &["A0 nobody", "A1 5125550101", "A2 5125550102"]).await;
    let second = load(&app, "2.csv", &["A2 5125550103", "A3 5125550103", "A3 5125550104"]).await;
    assert_eq!((second.count("PENDING"), second.count("DUPLICATE")), (1, 2));
    let rows = app.requests(&second.batch_id).await;
    let holder = |row: &Request| (row.duplicate_of_batch_id.clone(), row.duplicate_of_row);
    assert_eq!(holder(&rows[0]), (Some(first.batch_id.clone()), Some(3)));
    let message = format!("reference_id: the same as in row 3 of batch {}", first.batch_id);
    assert_eq!(rows[0].error_message.as_deref(), Some(message.as_str()));
    assert_eq!(rows[0].error_code.as_deref(), Some("DUPLICATE_REFERENCE"));
    assert_eq!((rows[1].request_status.as_str(), holder(&rows[1])), ("PENDING", (None, None)));
    assert_eq!(holder(&rows[2]), (Some(second.batch_id), Some(2)), "in its own batch");
}

async fn a_key_taken_in_one_field_claims_nothing_in_the_other(to: To) {
    let app = app(to, &format!("unique = ['reference_id', 'target']\n{WINDOW}")).await;
    let first = load(&app, "1.csv", &["A1 5125550101"]).await.batch_id;
    let told = loaded(&app, "2.csv", &["A1 5125550102", "A2 5125550102", "A3 (512)555-0101"]).await;
    let by_reference = format!("DUPLICATE: reference_id: the same as in row 1 of batch {first}");
    let by_target = format!("DUPLICATE: target: the same as in row 1 of batch {first}");
    assert_eq!(told, [by_reference, "PENDING".to_owned(), by_target]);
}

async fn the_window_ends_by_the_databases_clock(to: To) {
    let app = app(to, WINDOW).await;
    let first = load(&app, "1.csv", &["A1 5125550101"]).await;
    age(&app, &first, 29.99).await;
    assert!(loaded(&app, "2.csv", &["A1 5125550102"]).await[0].starts_with("DUPLICATE"), "still in the window");
    age(&app, &first, 30.01).await;
    assert_eq!(loaded(&app, "3.csv", &["A1 5125550109"]).await, ["PENDING"], "out of it");
    assert_eq!(count(&app, "unique_keys").await, 1, "what is out of the window is swept");
}

async fn a_canceled_batch_holds_no_key(to: To) {
    let app = app(to, WINDOW).await;
    let first = load(&app, "1.csv", &["A1 5125550101"]).await;
    cancel(&app, &first).await;
    assert_eq!(loaded(&app, "1.csv", &["A1 5125550101"]).await, ["PENDING"], "the same file goes through again");
    let again = app.batch_of("1.csv").await.batch_id;
    let told = loaded(&app, "3.csv", &["A1 5125550109"]).await;
    assert_eq!(told, [format!("DUPLICATE: reference_id: the same as in row 1 of batch {again}")]);
}

async fn a_failed_batch_holds_no_key(to: To) {
    let app = app(to, &format!("{WINDOW}\nmax_invalid_from_rows = 1")).await;
    app.drop_file("1.csv", file(&["A1 5125550101", "A2 nobody"])).await;
    assert_eq!(app.settle().await, 3);
    assert_eq!(app.batch_of("1.csv").await.rows_read, 2);
    assert_eq!(loaded(&app, "2.csv", &["A1 5125550101"]).await, ["PENDING"]);
}

async fn another_campaigns_keys_do_not_count(to: To) {
    let mut app = TestApp::new(In::Folder, to).await;
    let campaign = |name: &str, id: u32| format!("[campaigns.{name}]\nid = {id}\nfiles = '{name}*.csv'\n{WINDOW}\n");
    app.configure(&(campaign("a", 1) + &campaign("b", 2)));
    load(&app, "a.csv", &["A1 5125550101"]).await;
    assert_eq!(loaded(&app, "b.csv", &["A1 5125550101"]).await, ["PENDING"]);
    assert!(loaded(&app, "a2.csv", &["A1 5125550102"]).await[0].starts_with("DUPLICATE"));
}

async fn batches_of_before_count_when_the_window_is_set_later(to: To) {
    let mut app = app(to, "").await;
    let old = load(&app, "0.csv", &["A0 5125550100"]).await;
    age(&app, &old, 31.0).await;
    let first = load(&app, "1.csv", &["A1 5125550101", "A1 5125550102", "A2 nobody"]).await.batch_id;
    load(&app, "2.csv", &["A1 5125550103", "A3 5125550103"]).await;
    assert_eq!(count(&app, "unique_keys").await, 0, "nothing is kept for a campaign that does not ask");
    set(&mut app, WINDOW);
    let told = loaded(&app, "3.csv", &["A1 5125550104", "A2 5125550104", "A0 5125550104"]).await;
    let duplicate = format!("DUPLICATE: reference_id: the same as in row 1 of batch {first}");
    assert_eq!(told, [duplicate.as_str(), "PENDING", "PENDING"]);
}

async fn a_field_that_joins_later_counts_for_batches_of_before(to: To) {
    let mut app = app(to, WINDOW).await;
    let first = load(&app, "1.csv", &["A1 5125550101", "A2 5125550101"]).await.batch_id;
    set(&mut app, &format!("unique = ['target', 'reference_id']\n{WINDOW}"));
    let told = loaded(&app, "2.csv", &["A2 5125550101", "A2 5125550102"]).await;
    let by_target = format!("DUPLICATE: target: the same as in row 1 of batch {first}");
    let by_reference = format!("DUPLICATE: reference_id: the same as in row 2 of batch {first}");
    assert_eq!(told, [by_target, by_reference]);
}

async fn a_window_that_is_widened_brings_swept_keys_back(to: To) {
    let mut app = app(to, "unique_within = '7d'").await;
    let first = load(&app, "1.csv", &["A1 5125550101"]).await;
    age(&app, &first, 10.0).await;
    load(&app, "2.csv", &["A2 5125550101"]).await;
    assert_eq!(count(&app, "unique_keys").await, 1, "the first batch's key is swept");
    set(&mut app, WINDOW);
    assert!(loaded(&app, "3.csv", &["A1 5125550103"]).await[0].starts_with("DUPLICATE"));
}

/// Two batches from before may hold the same key; the second is a holder still when the first is not.
async fn the_next_holder_counts_when_the_first_is_canceled(to: To) {
    let mut app = app(to, "").await;
    let first = load(&app, "1.csv", &["A1 5125550101"]).await;
    let second = load(&app, "2.csv", &["A1 5125550102"]).await;
    set(&mut app, WINDOW);
    let told = |batch: &Batch| format!("DUPLICATE: reference_id: the same as in row 1 of batch {}", batch.batch_id);
    assert_eq!(loaded(&app, "3.csv", &["A1 5125550103"]).await, [told(&first)]);
    cancel(&app, &first).await;
    assert_eq!(loaded(&app, "4.csv", &["A1 5125550104"]).await, [told(&second)]);
}

/// By the file, by a batch of before, by one that was loaded with the window, and by a list.
async fn addresses_are_compared_without_regard_to_case_by_all(to: To) {
    let mut app = app(to, "channel = 'email'\nunique = ['target']").await;
    let before = load(&app, "1.csv", &["A1 ÉVA@example.com"]).await.batch_id;
    let settings = format!("channel = 'email'\nunique = ['target']\nsuppression = ['no']\n{WINDOW}");
    set(&mut app, &settings);
    run(&app, "insert into suppressed_targets (list, target) values ('no', 'zoé@example.com')").await;
    let second = load(&app, "2.csv", &["B1 Ann@Example.com", "B2 ann@example.com", "B3 éva@example.com"]).await;
    let rows = app.requests(&second.batch_id).await;
    assert_eq!(rows[0].target, "Ann@example.com", "stored as sent, but for its domain");
    assert_eq!(rows[1].duplicate_of_row, Some(1));
    assert_eq!(rows[2].duplicate_of_batch_id, Some(before));
    let told = loaded(&app, "3.csv", &["C1 ANN@example.com", "C2 ZOÉ@example.com"]).await;
    let duplicate = format!("DUPLICATE: target: the same as in row 1 of batch {}", second.batch_id);
    assert_eq!(told, [duplicate.as_str(), "SKIPPED: target: on the suppression list no"]);
}

async fn repeats_and_lists_go_by_the_number_without_its_extension(to: To) {
    let settings = format!("unique = ['reference_id', 'target']\nsuppression = ['do_not_call']\n{WINDOW}");
    let mut app = app(to, &settings).await;
    let fill = format!("insert into suppressed_targets (list, target) values ('do_not_call', '{}')", number(103));
    run(&app, &fill).await;
    let rows = ["A1 5125550101ext.45", "A2 5125550101x46", "A3 5125550102", "A4 5125550103x7"];
    let first = load(&app, "1.csv", &rows).await;
    let stored: Vec<_> = app.requests(&first.batch_id).await;
    let stored: Vec<_> = stored
        .iter()
        .map(|row| (row.target.as_str(), row.target_extension.as_deref(), row.request_status.as_str()))
        .collect();
    assert_eq!(
        stored,
        [
            ("+15125550101", Some("45"), "PENDING"),
            ("+15125550101", Some("46"), "DUPLICATE"),
            ("+15125550102", None, "PENDING"),
            ("+15125550103", Some("7"), "SKIPPED"),
        ]
    );
    let told = loaded(&app, "2.csv", &["B1 5125550101", "B2 5125550102x5"]).await;
    assert!(told.iter().all(|told| told.starts_with("DUPLICATE: target")), "{told:?}");

    set(&mut app, "extensions = 'refuse'");
    let told = loaded(&app, "3.csv", &["C1 5125550101x45", "C2 5125550102"]).await;
    let why = "INVALID: target: has an extension; write the number alone, and the extension in a column of its own";
    assert_eq!(told, [why, "PENDING"]);
}

async fn a_suppressed_target_is_skipped_before_duplicates_and_claims_nothing(to: To) {
    let app = app(to, &format!("unique = ['reference_id', 'target']\nsuppression = ['do_not_call']\n{WINDOW}")).await;
    let fill = format!("insert into suppressed_targets (list, target) values ('do_not_call', '{}')", number(101));
    run(&app, &fill).await;
    let rows = ["A1 (512)555-0101", "A1 5125550102", "A2 +15125550101", "A3 12", "A4 5125550102"];
    let told = loaded(&app, "1.csv", &rows).await;
    let skipped = "SKIPPED: target: on the suppression list do_not_call";
    assert_eq!(told[..3], [skipped, "PENDING", skipped]);
    assert!(told[3].starts_with("INVALID") && told[4].starts_with("DUPLICATE"), "{told:?}");
    let batch = app.batch_of("1.csv").await;
    assert_eq!(["PENDING", "SKIPPED", "INVALID", "DUPLICATE"].map(|status| batch.count(status)), [1, 2, 1, 1]);
    let findings = app.store.findings(&batch.batch_id).await.expect("findings");
    assert_eq!((findings[0].error_code.as_str(), findings[0].requests), ("SUPPRESSED", 2));
    // Off the list again, as its owner may decide: the number was never claimed.
    run(&app, "delete from suppressed_targets").await;
    assert_eq!(loaded(&app, "2.csv", &["A5 5125550101"]).await, ["PENDING"]);
}

async fn of_several_lists_the_first_named_is_told(to: To) {
    let app = app(to, "suppression = ['b', 'a']").await;
    for (list, last) in [("a", 101), ("b", 101), ("a", 102), ("c", 103)] {
        let row = format!("('{list}', '{}')", number(last));
        run(&app, &format!("insert into suppressed_targets (list, target) values {row}")).await;
    }
    let told = loaded(&app, "1.csv", &["A1 5125550101", "A2 5125550102", "A3 5125550103"]).await;
    let on = |list: &str| format!("SKIPPED: target: on the suppression list {list}");
    assert_eq!(told, [on("b"), on("a"), "PENDING".to_owned()], "a list that is not named does not count");
}
