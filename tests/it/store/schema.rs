//! The schema: how it comes about, and what people who read it find.

use std::borrow::Cow;

use batchdrop::store::ErrorKind;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};
use tokio::task::JoinSet;

use super::{Place, Pool, all_uploads, load_new, told};

every_store! {
    migrating_twice_applies_nothing_the_second_time
    several_that_migrate_at_once_all_find_the_schema_made
    a_newer_schema_is_refused_and_left_alone
    a_refused_migration_holds_up_nobody_else
    a_database_of_before_is_brought_up_to_date_with_its_rows
    the_views_have_the_documented_columns_in_order
}

const MIGRATIONS: [&str; 14] = [
    "0001 ledger, batches, requests",
    "0002 dialect",
    "0003 keys, suppression",
    "0004 answers",
    "0005 extensions",
    "0006 steering",
    "0007 webhooks",
    "0009 same content",
    "0010 tally",
    "0012 purge",
    "0013 expected files",
    "0014 expected open",
    "0015 retention",
    "0016 refused uploads",
];

async fn migrating_twice_applies_nothing_the_second_time(place: &Place) {
    let store = place.connect().await;
    assert_eq!(store.migrate().await.unwrap(), MIGRATIONS);
    load_new(&store, "a.csv").await;
    let before = place.dump().await;
    assert_eq!(store.migrate().await.unwrap(), [""; 0]);
    assert_eq!(place.connect().await.migrate().await.unwrap(), [""; 0], "nor does another process");
    assert_eq!(place.dump().await, before);
}

async fn several_that_migrate_at_once_all_find_the_schema_made(place: &Place) {
    // The file is there: here it is only the schema that they make at once.
    let mut stores = vec![];
    for _ in 0..8 {
        stores.push(place.connect().await);
    }
    let mut migrating = JoinSet::new();
    for store in stores {
        migrating.spawn(async move {
            let applied = store.migrate().await.unwrap_or_else(|error| panic!("{}", told(&error)));
            assert!(all_uploads(&store).await.is_empty());
            applied
        });
    }
    let applied: Vec<String> = migrating.join_all().await.into_iter().flatten().collect();
    assert_eq!(applied, MIGRATIONS, "one of them did it, and says so");
}

/// What the program after this one leaves behind.
async fn add_a_later_migration(place: &Place) {
    let later = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 select 9999, 'of a later program', success, checksum, execution_time from _sqlx_migrations
                 where version = 1";
    assert_eq!(place.run(later).await.unwrap(), 1);
}

async fn a_newer_schema_is_refused_and_left_alone(place: &Place) {
    place.store().await;
    add_a_later_migration(place).await;
    let book = "select cast(version as text) from _sqlx_migrations order by version";
    let error = place.connect().await.migrate().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert_eq!(
        error.to_string(),
        "the database's schema (version 9999) is newer than this program; upgrade batchdrop, it changes nothing before"
    );
    assert_eq!(place.texts(book).await.last().map(String::as_str), Some("9999"));
}

async fn a_refused_migration_holds_up_nobody_else(place: &Place) {
    place.store().await;
    add_a_later_migration(place).await;
    let refused = place.connect().await;
    refused.migrate().await.unwrap_err();
    place.run("delete from _sqlx_migrations where version = 9999").await.unwrap();
    // The refused one is still there, with its connections.
    let other = place.connect().await;
    let migrating = tokio::time::timeout(std::time::Duration::from_secs(10), other.migrate());
    assert_eq!(migrating.await.expect("the lock was given back").unwrap(), [""; 0]);
    assert_eq!(refused.migrate().await.unwrap(), [""; 0], "nor itself");
}

/// The schema as the program had it that knew these migrations only.
async fn migrate_to(place: &Place, version: usize) {
    let folder = if place.is_sqlite() { "sqlite" } else { "postgres" };
    let migrations = MIGRATIONS[..version].iter().map(|migration| {
        let (number, name) = migration.split_once(' ').unwrap();
        let file = format!("{number}_{}.sql", name.replace(", ", "_").replace(' ', "_"));
        let path = format!("{}/src/store/{folder}/migrations/{file}", env!("CARGO_MANIFEST_DIR"));
        let sql = AssertSqlSafe(std::fs::read_to_string(path).unwrap()).into_sql_str();
        Migration::new(number.parse().unwrap(), Cow::Borrowed(name), MigrationType::Simple, sql, false)
    });
    let migrator = Migrator::with_migrations(migrations.collect());
    match &place.pool {
        Pool::Sqlite(pool) => migrator.run(pool).await.unwrap(),
        Pool::Postgres(pool) => migrator.run(pool).await.unwrap(),
    }
}

async fn a_database_of_before_is_brought_up_to_date_with_its_rows(place: &Place) {
    migrate_to(place, 4).await;
    let list = |items: &[&str]| match place.is_sqlite() {
        true => format!("'{}'", serde_json::json!(items)),
        false => {
            format!("array[{}]::text[]", items.iter().map(|item| format!("'{item}'")).collect::<Vec<_>>().join(","))
        }
    };
    let time = "'2025-08-12T12:00:00.000Z'";
    let count = if place.is_sqlite() { "requests" } else { "change" };
    if !place.is_sqlite() {
        assert_eq!(place.texts("select nextval('batch_keys')::text").await, ["1"]);
    }
    for statement in [
        "insert into batch_numbers (received_on, last_number) values ('2025-08-12', 1)".to_owned(),
        format!(
            "insert into uploads (bucket, key, version, size_bytes, modified_at, status, available_at, settled_at, batch_id)
             values ('b', 'a.csv', 'v', 1, {time}, 'LOADED', null, {time}, '20250812.1')"
        ),
        format!(
            "insert into batches (batch_key, batch_id, received_on, number, campaign_id, campaign_name, upload_id, upload_filename,
             status, created_at, last_updated_at, last_updated_by, rows_read, bytes_read, claimed_at, variable_names, allow_repeats)
             values (1, '20250812.1', '2025-08-12', 1, 1, 'default', 1, 'a.csv', 'ACTIVE', {time}, {time}, 'a@b.c', 3, 1, {time}, {},
             {})",
            list(&["name", "note"]),
            if place.is_sqlite() { "0" } else { "false" },
        ),
        format!("insert into request_tally (batch_key, request_status, {count}) values (1, 'PENDING', 2), (1, 'INVALID', 1)"),
        format!(
            "insert into request_rows (batch_key, row_number, line, request_status, reference_id, target, cells, error_code,
             error_message, sent_target) values (1, 1, 2, 'PENDING', 'A1', '+15125550100', {}, null, null, null),
             (1, 2, 3, 'INVALID', 'A2', '+15125550100 x5', {}, 'INVALID_PHONE', 'why', '+15125550100 x5 '),
             (1, 3, 4, 'PENDING', 'A3', '+15125550101', {}, null, null, null)",
            list(&["Zoë", "x"]),
            list(&["a", "b", "too many", "far too many"]),
            list(&["too few"]),
        ),
    ] {
        place.run(&statement).await.unwrap();
    }
    let row = match place.is_sqlite() {
        true => format!("json_array({})", OLD_REQUESTS.split_whitespace().collect::<Vec<_>>().join(", ")),
        false => "(to_jsonb(r) - 'target_extension' - 'batch_status')::text".to_owned(),
    };
    let all = format!("select {row} from requests as r order by row_number");
    let before = place.texts(&all).await;
    assert!(before.len() == 3 && before[1].contains("_extra_2"), "{before:?}");

    let store = place.connect().await;
    assert_eq!(store.migrate().await.unwrap(), MIGRATIONS[4..]);
    assert_eq!(place.texts(&all).await, before);
    let requests = store.requests("20250812.1", 0, 10).await.unwrap();
    assert!(requests.len() == 3 && requests.iter().all(|request| request.target_extension.is_none()));
    assert_eq!(store.rejects("20250812.1", 0, 10).await.unwrap()[0].target, "+15125550100 x5 ");
    let taken = "update requests set request_status = 'INITIATED' where row_number = 1 and request_status = 'PENDING'";
    place.run(taken).await.unwrap();
    let batch = store.batch("20250812.1").await.unwrap().expect("it is there");
    assert_eq!(batch.status_counts.get("INITIATED"), Some(&1));
    load_new(&store, "b.csv").await;
}

/// Contract, section 2, then ours.
const BATCH_DETAILS: &str = "batch_id campaign_id expires_on paused status upload_filename created_at last_updated_at \
    deleted_at deleted_reason last_updated_by error_message status_counts \
    campaign_name upload_id error_code rows_read bytes_read sha256 encoding delimiter filename_date seen_at claimed_at \
    received_on number quote quote_escape newline compression header_line";

/// Contract, section 4, then ours.
const REQUESTS: &str = "batch_id row_number line reference_id target request_variables request_status error_code \
    error_message duplicate_of_batch_id duplicate_of_row created_at sent_at attempt_count target_extension \
    batch_status";

/// Before migration 5.
const OLD_REQUESTS: &str = "batch_id row_number line reference_id target request_variables request_status error_code \
    error_message duplicate_of_batch_id duplicate_of_row created_at sent_at attempt_count";

const UPLOADS: &str = "upload_id bucket key version size_bytes modified_at seen_at status attempts available_at \
    claim_token claimed_by claimed_at batch_id error_code error_message settled_at list \
    answer_due_at answer_attempts answer_token answer_error answered_at arrived_at";

const BATCH_EVENTS: &str = "batch_id sequence at event actor reason expires_on";

const EXPECTED_FILES: &str = "bucket campaign_id campaign_name due_at opens_at missing_from closes_at status upload_id \
    batch_id arrived_at missing_at expected_since";

async fn the_views_have_the_documented_columns_in_order(place: &Place) {
    place.store().await;
    for (name, documented) in [
        ("batch_details", BATCH_DETAILS),
        ("requests", REQUESTS),
        ("uploads", UPLOADS),
        ("batch_events", BATCH_EVENTS),
        ("expected_files", EXPECTED_FILES),
    ] {
        let columns = if place.is_sqlite() {
            format!("select name from pragma_table_info('{name}') order by cid")
        } else {
            format!(
                "select column_name::text from information_schema.columns where table_name = '{name}' \
                 order by ordinal_position"
            )
        };
        assert_eq!(place.texts(&columns).await, documented.split_whitespace().collect::<Vec<_>>(), "{name}");
    }
}

#[tokio::test]
async fn every_column_that_people_read_has_a_comment_in_postgresql() {
    let place = Place::postgres().await;
    place.store().await;
    let with_comment = |has: &str| {
        format!(
            "select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid \
             where c.relnamespace = 'public'::regnamespace and c.relname in ('batch_details', 'requests', 'uploads', 'batch_events', 'expected_files') \
             and a.attnum > 0 and not a.attisdropped and coalesce(col_description(c.oid, a.attnum), '') {has} ''"
        )
    };
    assert_eq!(place.texts(&with_comment("=")).await, [""; 0]);
    let all = [BATCH_DETAILS, REQUESTS, UPLOADS, BATCH_EVENTS, EXPECTED_FILES]
        .map(|columns| columns.split_whitespace().count());
    assert_eq!(place.texts(&with_comment("<>")).await.len(), all.iter().sum::<usize>());
}

#[tokio::test]
async fn times_in_sqlite_are_all_of_one_form_so_that_they_sort() {
    let place = Place::sqlite();
    let store = place.store().await;
    load_new(&store, "a.csv").await;
    for (table, columns) in [
        ("uploads", "modified_at seen_at claimed_at settled_at"),
        ("batches", "created_at last_updated_at claimed_at"),
        ("batch_details", "created_at last_updated_at seen_at claimed_at"),
    ] {
        for column in columns.split_whitespace() {
            let time = place.texts(&format!("select {column} from {table}")).await.remove(0);
            let form: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            assert_eq!(form, "0000-00-00T00:00:00.000Z", "{table}.{column} is {time}");
        }
    }
}
