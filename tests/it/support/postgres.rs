//! A database of a test's own on the PostgreSQL server that `tests/run` starts.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// Creates an empty database and returns its URL.
pub async fn fresh_database() -> String {
    let server = std::env::var("BATCHDROP_TEST_POSTGRES_URL")
        .expect("BATCHDROP_TEST_POSTGRES_URL is not set: run tests/run, which starts PostgreSQL");
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&server).await.expect("the test server answers");
    connection.execute(AssertSqlSafe(format!("create database {name}"))).await.expect("a fresh database");
    let (address, _) = server.rsplit_once('/').expect("a URL with a database");
    format!("{address}/{name}")
}
