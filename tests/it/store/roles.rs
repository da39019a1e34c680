//! The roles of `deploy/sql/roles.sql`: what each may do, and that it may do nothing else. PostgreSQL only.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

use super::{Place, load_new};

/// A database with a batch, and the roles under names of this test's own: roles are the whole server's.
async fn with_roles() -> (Place, String, [String; 2]) {
    let place = Place::postgres().await;
    let id = load_new(&place.store().await, "a.csv").await;
    let own = uuid::Uuid::new_v4().simple().to_string();
    let roles = ["reader", "sender"].map(|role| format!("batchdrop_{role}_{own}"));
    let sql = include_str!("../../../deploy/sql/roles.sql")
        .replace("batchdrop_reader", &roles[0])
        .replace("batchdrop_sender", &roles[1]);
    let mut owner = as_user(&place, "test").await;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut owner).await.unwrap();
    (place, id, roles)
}

async fn as_user(place: &Place, user: &str) -> PgConnection {
    let options: PgConnectOptions = place.url.parse().unwrap();
    let options = if user == "test" { options } else { options.username(user) };
    options.connect().await.unwrap()
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<u64, sqlx::Error> {
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(connection).await.map(|done| done.rows_affected())
}

async fn assert_refused(connection: &mut PgConnection, sql: &str) {
    let error = run(connection, sql).await.expect_err(sql).to_string();
    assert!(error.contains("permission denied"), "{sql}: {error}");
}

/// Everything that a role may do with any table, view, sequence or column of the schema.
async fn rights(place: &Place, role: &str) -> Vec<String> {
    place
        .texts(&format!(
            "select right_name || ' ' || relname
             from pg_class, unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as right_name
             where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'm', 'p') and has_table_privilege('{role}', oid, right_name)
             union all
             select right_name || ' ' || relname || '.' || attname
             from pg_class join pg_attribute on attrelid = pg_class.oid, unnest(array['INSERT', 'UPDATE', 'REFERENCES']) as right_name
             where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'm', 'p') and attnum > 0 and not attisdropped
               and has_column_privilege('{role}', pg_class.oid, attnum, right_name)
             union all
             select 'USAGE ' || seqrelid::regclass from pg_sequence
             where has_sequence_privilege('{role}', seqrelid, 'USAGE, SELECT, UPDATE')
             union all
             select 'CREATE in the schema' where has_schema_privilege('{role}', 'public', 'CREATE')
             order by 1"
        ))
        .await
}

#[tokio::test]
async fn the_reader_reads_what_is_documented_and_nothing_else() {
    let (place, id, [role, _]) = with_roles().await;
    let readable = ["batch_details", "batch_events", "expected_files", "requests", "suppression_lists", "uploads"];
    assert_eq!(rights(&place, &role).await, readable.map(|name| format!("SELECT {name}")));

    let mut reader = as_user(&place, &role).await;
    let sql = format!("select request_variables ->> 'name' from requests where batch_id = '{id}' order by row_number");
    let names: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut reader).await.unwrap();
    assert_eq!(names, ["Zoë", "Max", ""]);
    let counts: Vec<String> =
        sqlx::query_scalar("select status_counts::text from batch_details").fetch_all(&mut reader).await.unwrap();
    assert_eq!(counts, [r#"{"PENDING": 3}"#]);
    for name in ["batch_events", "expected_files", "uploads", "suppression_lists"] {
        run(&mut reader, &format!("select * from {name}")).await.unwrap();
    }
    for name in ["batches", "request_rows", "request_tally", "suppressed_targets", "unique_keys", "_sqlx_migrations"] {
        assert_refused(&mut reader, &format!("select * from {name}")).await;
    }
}

#[tokio::test]
async fn the_reader_writes_nothing_whatever_it_tries() {
    let (place, _, [role, _]) = with_roles().await;
    let before = place.dump().await;
    let mut reader = as_user(&place, &role).await;
    let error = run(&mut reader, "update requests set request_status = 'COMPLETED'").await.unwrap_err().to_string();
    assert!(error.contains("read-only transaction") || error.contains("permission denied"), "{error}");
    // A setting that it may change back.
    run(&mut reader, "set default_transaction_read_only = off").await.unwrap();
    for sql in [
        "update requests set request_status = 'COMPLETED'",
        "delete from uploads",
        "insert into suppression_lists select * from suppression_lists",
        "create table public.of_the_reader ()",
    ] {
        assert_refused(&mut reader, sql).await;
    }
    // A view of its own, under the trigger that writes for senders.
    run(&mut reader, "create temporary view mine as select * from requests").await.unwrap();
    let trigger =
        "create trigger mine instead of update on mine for each row execute function public.requests_update()";
    assert_refused(&mut reader, trigger).await;
    assert_eq!(place.dump().await, before);
}

#[tokio::test]
async fn the_sender_reports_through_the_view_and_does_nothing_else() {
    let (place, id, [_, role]) = with_roles().await;
    assert_eq!(
        rights(&place, &role).await,
        [
            "SELECT batch_details",
            "SELECT requests",
            "UPDATE requests.attempt_count",
            "UPDATE requests.request_status",
            "UPDATE requests.sent_at"
        ]
    );
    let mut sender = as_user(&place, &role).await;
    // Its own tables of these names are not taken for ours.
    for name in ["request_rows", "batches", "request_tally"] {
        run(&mut sender, &format!("create temporary table {name} (batch_id text, batch_key integer)")).await.unwrap();
    }
    let take = format!(
        "update requests set request_status = 'INITIATED' where batch_id = '{id}' and row_number = 2 and request_status = 'PENDING'"
    );
    assert_eq!(run(&mut sender, &take).await.unwrap(), 1);
    assert_eq!(run(&mut sender, &take).await.unwrap(), 0, "taken already");
    run(
        &mut sender,
        "update requests set request_status = 'COMPLETED', sent_at = now(), attempt_count = 1 where row_number = 2",
    )
    .await
    .unwrap();
    let counts = place.store().await.batch(&id).await.unwrap().unwrap().status_counts;
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [("COMPLETED".to_owned(), 1), ("PENDING".to_owned(), 2)]);

    let before = place.dump().await;
    for sql in [
        "update requests set target = '+15125550199'",
        "update public.request_rows set request_status = 'COMPLETED'",
        "insert into public.request_tally (batch_key, request_status, change) values (1, 'COMPLETED', 1)",
        "update public.batches set status = 'CANCELED'",
        "select * from public.suppressed_targets",
    ] {
        assert_refused(&mut sender, sql).await;
    }
    assert_eq!(place.dump().await, before);
}
