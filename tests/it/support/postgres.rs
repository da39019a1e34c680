//! A fresh database on the PostgreSQL server that `tests/run` starts.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use uuid::Uuid;

/// The address of a database that no other test knows of. It is not dropped: the whole server is, at the end of the
/// run.
pub async fn fresh_database() -> String {
    let server = std::env::var("BATCHDROP_TEST_POSTGRES_URL")
        .unwrap_or_else(|_| panic!("BATCHDROP_TEST_POSTGRES_URL is not set: run tests/run, which starts PostgreSQL"));
    let options: PgConnectOptions = server.parse().expect("BATCHDROP_TEST_POSTGRES_URL is an address");
    let name = format!("test_{}", Uuid::new_v4().simple());
    let mut connection = options.connect().await.expect("PostgreSQL answers");
    // The name is made of letters and digits only.
    let create = sqlx::query(AssertSqlSafe(format!("create database {name}")));
    create.execute(&mut connection).await.expect("the test's database is created");
    connection.close().await.expect("the connection is closed");
    options.database(&name).to_url_lossy().to_string()
}
