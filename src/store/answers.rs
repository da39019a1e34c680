//! What the ledger knows of answers, and what is written into them; bound once for both databases, as in `sql.rs`.
//!
//! An answer is claimed as an upload is: one worker at a time, under a lease by the database's clock, fenced by a
//! token.

macro_rules! answers_sql {
    ($Store:ident) => {
        fn for_answer<'q>(
            sql: &'static str,
            owed: &'q OwedAnswer,
        ) -> sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments> {
            sqlx::query(sql).bind(owed.upload_id).bind(&owed.token)
        }

        fn read_owed(row: &<Db as sqlx::Database>::Row, token: String) -> Result<OwedAnswer, sqlx::Error> {
            Ok(OwedAnswer {
                upload_id: row.try_get("upload_id")?,
                object: Object {
                    key: row.try_get("key")?,
                    version: row.try_get("version")?,
                    size: unsigned(row.try_get("size_bytes")?),
                    modified: row.try_get("modified_at")?,
                },
                status: read_upload_status(row)?,
                batch_id: row.try_get("batch_id")?,
                error_code: row.try_get("error_code")?,
                error_message: row.try_get("error_message")?,
                seen_at: row.try_get("seen_at")?,
                settled_at: row.try_get("settled_at")?,
                token,
                attempt: row.try_get::<i32, _>("answer_attempts")?.unsigned_abs(),
            })
        }

        fn read_reject(row: &<Db as sqlx::Database>::Row) -> Result<Reject, sqlx::Error> {
            let number = |column: &str| row.try_get::<i32, _>(column).map(i32::unsigned_abs);
            Ok(Reject {
                row_number: number("row_number")?,
                line: number("line")?,
                code: row.try_get("error_code")?,
                message: row.try_get("error_message")?,
                reference_id: row.try_get("reference_id")?,
                target: row.try_get("target")?,
                cells: super::answers::list("cells", row.try_get("cells")?)?,
            })
        }

        fn read_sent_columns(row: &<Db as sqlx::Database>::Row) -> Result<SentColumns, sqlx::Error> {
            let names: Option<String> = row.try_get("column_names")?;
            let column = |name: &str| row.try_get::<Option<i32>, _>(name).map(|number| number.map(i32::unsigned_abs));
            Ok(SentColumns {
                names: names.map(|names| super::answers::list("column_names", names)).transpose()?.unwrap_or_default(),
                reference_id: column("reference_column")?,
                target: column("target_column")?,
                variable_names: super::answers::list("variable_names", row.try_get("variable_names")?)?,
                delimiter: row.try_get("delimiter")?,
            })
        }

        #[async_trait::async_trait]
        impl Answers for $Store {
            async fn claim_answer(&self, bucket: &str, lease: Duration) -> Result<Option<OwedAnswer>, Error> {
                let token = uuid::Uuid::new_v4().to_string();
                let query =
                    sqlx::query(query_file!("claim_answer")).bind(bucket).bind(&token).bind(lease.as_secs_f64());
                let row = query.fetch_all(&self.writer).await.map_err(Error::while_doing("claim an answer"))?.pop();
                row.map(|row| read_owed(&row, token)).transpose().map_err(Error::while_doing("read a claim"))
            }

            async fn renew_answer(&self, owed: &OwedAnswer, lease: Duration) -> Result<(), Error> {
                let statement = for_answer(query_file!("renew_answer"), owed).bind(lease.as_secs_f64());
                fenced(statement, &self.writer, "renew a lease").await
            }

            async fn give_back_answer(&self, owed: &OwedAnswer) -> Result<(), Error> {
                fenced(for_answer(query_file!("give_back_answer"), owed), &self.writer, "give an answer back").await
            }

            async fn put_off_answer(&self, owed: &OwedAnswer, trouble: &str, wait: Duration) -> Result<(), Error> {
                let statement = for_answer(query_file!("put_off_answer"), owed).bind(trouble).bind(wait.as_secs_f64());
                fenced(statement, &self.writer, "put an answer off").await
            }

            async fn answered(&self, owed: &OwedAnswer) -> Result<(), Error> {
                fenced(for_answer(query_file!("answered"), owed), &self.writer, "settle an answer").await
            }

            async fn sent_columns(&self, batch_id: &str) -> Result<Option<SentColumns>, Error> {
                let what = "read a batch's columns";
                let row = sqlx::query(query_file!("sent_columns")).bind(batch_id).fetch_optional(&self.reader).await;
                let row = row.map_err(Error::while_doing(what))?;
                row.map(|row| read_sent_columns(&row)).transpose().map_err(Error::while_doing(what))
            }

            async fn rejects(&self, batch_id: &str, after: u32, limit: u32) -> Result<Vec<Reject>, Error> {
                let query = sqlx::query(query_file!("reject_list"))
                    .bind(batch_id)
                    .bind(i64::from(after))
                    .bind(i64::from(limit));
                let rows = query.fetch_all(&self.reader).await.map_err(Error::while_doing("list rejects"))?;
                rows.iter().map(read_reject).collect::<Result<_, _>>().map_err(Error::while_doing("list rejects"))
            }
        }
    };
}

/// A list that comes as a JSON array of strings.
pub(super) fn list(column: &str, json: String) -> Result<Vec<String>, sqlx::Error> {
    serde_json::from_str(&json)
        .map_err(|source| sqlx::Error::ColumnDecode { index: column.to_owned(), source: source.into() })
}
