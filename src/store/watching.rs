//! What people who watch ask of the store beside batches and uploads themselves: once for both databases, as in
//! `sql.rs`.

macro_rules! watching_sql {
    ($Store:ident) => {
        #[async_trait::async_trait]
        impl super::protocol::Watching for $Store {
            async fn neglected(
                &self,
                bucket: &str,
                grace: Duration,
                limit: u32,
            ) -> Result<Vec<super::protocol::Neglected>, Error> {
                let what = "look for uploads that nobody takes care of";
                let query =
                    sqlx::query(query_file!("neglected")).bind(bucket).bind(grace.as_secs_f64()).bind(i64::from(limit));
                let rows = query.fetch_all(&self.reader).await.map_err(Error::while_doing(what))?;
                let read = |row: &<Db as sqlx::Database>::Row| {
                    Ok(super::protocol::Neglected {
                        upload_id: row.try_get("upload_id")?,
                        key: row.try_get("key")?,
                        status: read_upload_status(row)?,
                        claimed_by: row.try_get("claimed_by")?,
                        seconds: row.try_get("seconds")?,
                    })
                };
                rows.iter().map(read).collect::<Result<_, _>>().map_err(Error::while_doing(what))
            }

            async fn first_invalid(&self, batch_ids: &[&str]) -> Result<Vec<super::protocol::FirstInvalid>, Error> {
                let what = "look for the first rows that cannot be used";
                let codes: Vec<_> = $crate::model::RowCode::ALL
                    .iter()
                    .filter(|code| code.status() == $crate::model::IntakeStatus::Invalid)
                    .map(|code| code.as_str())
                    .collect();
                let rows = sqlx::query(query_file!("first_invalid"))
                    .bind(serde_json::json!(batch_ids).to_string())
                    .bind(serde_json::json!(codes).to_string())
                    .fetch_all(&self.reader)
                    .await
                    .map_err(Error::while_doing(what))?;
                let read = |row: &<Db as sqlx::Database>::Row| {
                    Ok(super::protocol::FirstInvalid {
                        batch_id: row.try_get("batch_id")?,
                        line: row.try_get::<i32, _>("line")?.unsigned_abs(),
                        message: row.try_get("error_message")?,
                    })
                };
                rows.iter().map(read).collect::<Result<_, _>>().map_err(Error::while_doing(what))
            }

            async fn same_content(&self, batch_id: &str, limit: u32) -> Result<Vec<Batch>, Error> {
                let what = "look for batches with the same content";
                let query = sqlx::query(concat!(query_file!("batch_columns"), query_file!("same_content")));
                let query = query.bind(batch_id).bind(i64::from(limit));
                let rows = query.fetch_all(&self.reader).await.map_err(Error::while_doing(what))?;
                rows.iter().map(read_batch).collect::<Result<_, _>>().map_err(Error::while_doing(what))
            }
        }
    };
}
