//! Binding the statements, once for both databases.
//!
//! PostgreSQL and SQLite have the same queries under the same names, with the same parameters and result columns; sqlx
//! gives each database types of its own. `ledger_sql!` is therefore a macro and no generic function: inside the module
//! of one database it writes the whole `Protocol`. The module brings what differs: `Db` (its sqlx database),
//! `MIGRATIONS`, `BEGIN`, `MAX_LOADS`, `risks`, `fold`, `begin`, `begin_load` and `begin_load_among`, and a struct of
//! two pools, `writer` and `reader`.

use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use sqlx::{Connection as _, SqlSafeStr as _, SqlStr};

use crate::model::{BatchDraft, Verdicts};

use super::Error;

/// `YYYYMMDD.N`.
pub(super) fn batch_id(received_on: chrono::NaiveDate, number: i32) -> String {
    format!("{}.{number}", received_on.format("%Y%m%d"))
}

/// The promise that every data row becomes exactly one request, checked inside the transaction.
pub(super) fn check_conservation(draft: &BatchDraft, verdicts: Verdicts, written: u64) -> Result<(), Error> {
    if draft.rows_read == verdicts.total() && draft.rows_read == written {
        return Ok(());
    }
    Err(Error::permanent(format!(
        "rows do not add up: {} read, {} judged, {written} written; nothing was stored",
        draft.rows_read,
        verdicts.total()
    )))
}

/// A count that the database keeps as a signed number and never lets fall below zero.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

macro_rules! ledger_sql {
    ($Store:ident, $queries:literal) => {
        /// The text of one of this database's queries. Those that follow in other files have it from here.
        macro_rules! query_file {
            ($name:literal) => {
                include_str!(concat!($queries, "/", $name, ".sql"))
            };
        }

        const BATCH: &str = concat!(query_file!("batch_columns"), query_file!("batch"));

        /// Enters objects; see [`super::Store::record`].
        async fn record(pool: &Pool<Db>, bucket: &str, objects: &[Object]) -> Result<u64, Error> {
            let rows: Vec<_> = objects
                .iter()
                .map(|object| {
                    serde_json::json!({
                        "key": object.key, "version": object.version, "size_bytes": object.size,
                        "modified_at": object.modified.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
                    })
                })
                .collect();
            let done = sqlx::query(query_file!("record"))
                .bind(bucket)
                .bind(serde_json::Value::from(rows).to_string())
                .execute(pool)
                .await
                .map_err(Error::while_doing("record uploads"))?;
            Ok(done.rows_affected())
        }

        // Read to its end, as every statement that changes something and gives it back: SQLite hands out the row before
        // it has stored it, and the trouble that it then has, such as a full disk, comes after the row.
        async fn claim(
            pool: &Pool<Db>,
            bucket: &str,
            worker: &str,
            lease: Duration,
            largest: Option<u64>,
        ) -> Result<Option<Claim>, Error> {
            let token = uuid::Uuid::new_v4().to_string();
            let row = sqlx::query(query_file!("claim"))
                .bind(bucket)
                .bind(&token)
                .bind(worker)
                .bind(lease.as_secs_f64())
                .bind(largest.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)))
                .fetch_all(pool)
                .await
                .map_err(Error::while_doing("claim an upload"))?
                .pop();
            let Some(row) = row else { return Ok(None) };
            let read = || {
                Ok(Claim {
                    upload_id: row.try_get("upload_id")?,
                    object: Object {
                        key: row.try_get("key")?,
                        version: row.try_get("version")?,
                        size: unsigned(row.try_get("size_bytes")?),
                        modified: row.try_get("modified_at")?,
                    },
                    token: token.clone(),
                    attempt: row.try_get::<i32, _>("attempts")?.unsigned_abs(),
                    seen_at: row.try_get("seen_at")?,
                    claimed_at: row.try_get("claimed_at")?,
                    last_trouble: row.try_get("error_message")?,
                    was_dropped: row.try_get("was_dropped")?,
                })
            };
            read().map(Some).map_err(Error::while_doing("read a claim"))
        }

        /// Runs a statement about a claim; one that changes no row means that the claim was lost.
        async fn fenced(
            statement: sqlx::query::Query<'_, Db, <Db as sqlx::Database>::Arguments>,
            executor: impl sqlx::Executor<'_, Database = Db>,
            what: &'static str,
        ) -> Result<(), Error> {
            match statement.execute(executor).await.map_err(Error::while_doing(what))?.rows_affected() {
                0 => Err(Error::fenced()),
                _ => Ok(()),
            }
        }

        fn for_claim<'q>(
            sql: &'static str,
            claim: &'q Claim,
        ) -> sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments> {
            sqlx::query(sql).bind(claim.upload_id).bind(&claim.token)
        }

        /// Ends the upload; the last statement of every transaction that does.
        async fn settle(
            executor: impl sqlx::Executor<'_, Database = Db>,
            claim: &Claim,
            status: UploadStatus,
            batch_id: Option<&str>,
            fault: Option<(Option<FileCode>, &str)>,
        ) -> Result<(), Error> {
            let statement = for_claim(query_file!("settle"), claim)
                .bind(status.as_str())
                .bind(batch_id)
                .bind(fault.and_then(|(code, _)| code).map(FileCode::as_str))
                .bind(fault.map(|(_, message)| message));
            fenced(statement, executor, "settle an upload").await
        }

        /// Writes the batch's row under the next number of its day. `None`: the content is in another batch already.
        async fn insert_batch(
            connection: &mut <Db as sqlx::Database>::Connection,
            batch_key: i32,
            claim: &Claim,
            draft: &BatchDraft,
            fault: Option<(FileCode, &str)>,
        ) -> Result<Option<String>, Error> {
            let number: i32 = sqlx::query_scalar(query_file!("next_number"))
                .bind(draft.received_on)
                .fetch_one(&mut *connection)
                .await
                .map_err(Error::while_doing("number a batch"))?;
            let batch_id = batch_id(draft.received_on, number);
            let status = match (fault, draft.hold) {
                (Some(_), _) => BatchStatus::Failed,
                (None, true) => BatchStatus::Paused,
                (None, false) => BatchStatus::Active,
            };
            let json = |names: &[String]| serde_json::Value::from(names.to_vec()).to_string();
            let names = json(&draft.variable_names);
            let columns = (!draft.column_names.is_empty()).then(|| json(&draft.column_names));
            let dialect = draft.dialect.as_ref();
            let inserted: Option<i32> = sqlx::query_scalar(query_file!("insert_batch"))
                .bind(batch_key)
                .bind(&batch_id)
                .bind(draft.received_on)
                .bind(number)
                .bind(draft.campaign_id)
                .bind(&draft.campaign_name)
                .bind(claim.upload_id)
                .bind(&draft.upload_filename)
                .bind(draft.filename_date)
                .bind(status.as_str())
                .bind(draft.expires_after.map(|time| time.as_secs_f64()))
                .bind(&draft.last_updated_by)
                .bind(fault.map(|(code, _)| code.as_str()))
                .bind(fault.map(|(_, message)| message))
                .bind(draft.rows_read as i64)
                .bind(draft.bytes_read as i64)
                .bind(&draft.sha256)
                .bind(dialect.map(|dialect| dialect.encoding))
                .bind(dialect.map($crate::model::Dialect::delimiter_text))
                .bind(claim.claimed_at)
                .bind(names)
                .bind(draft.allow_repeats)
                .bind(dialect.map($crate::model::Dialect::quote_text))
                .bind(dialect.map($crate::model::Dialect::escape_text))
                .bind(dialect.map(|dialect| dialect.newline))
                .bind(dialect.and_then(|dialect| dialect.compression))
                .bind(dialect.and_then(|dialect| dialect.header_line).map(u32::cast_signed))
                .bind(columns)
                .bind(draft.reference_column.map(u32::cast_signed))
                .bind(draft.target_column.map(u32::cast_signed))
                .fetch_optional(connection)
                .await
                .map_err(Error::while_doing("write a batch"))?;
            Ok(inserted.map(|_| batch_id))
        }

        async fn new_key(connection: &mut <Db as sqlx::Database>::Connection) -> Result<i32, Error> {
            sqlx::query_scalar(query_file!("new_key"))
                .fetch_one(connection)
                .await
                .map_err(Error::while_doing("draw a key"))
        }

        /// See [`super::Store::fail`].
        async fn fail(
            pool: &Pool<Db>,
            claim: &Claim,
            draft: &BatchDraft,
            code: FileCode,
            message: &str,
        ) -> Result<String, Error> {
            let mut transaction = begin(pool).await?;
            let key = new_key(&mut transaction).await?;
            let batch_id = insert_batch(&mut transaction, key, claim, draft, Some((code, message)))
                .await?
                .ok_or_else(|| Error::permanent("a FAILED batch met the rule on repeats, which leaves it out"))?;
            let fault = Some((Some(code), message));
            tell_of_batch(&mut transaction, claim, &batch_id, draft, Verdicts::default(), Some((code, message))).await?;
            settle(&mut *transaction, claim, UploadStatus::Failed, Some(&batch_id), fault).await?;
            transaction.commit().await.map_err(Error::commit_unknown)?;
            Ok(batch_id)
        }

        /// Everything of [`super::Load::publish`] that follows the rows.
        async fn publish(
            mut transaction: Transaction<'static, Db>,
            batch_key: i32,
            written: u64,
            scope: Option<&KeyScope>,
            claim: &Claim,
            draft: &BatchDraft,
            verdicts: Verdicts,
        ) -> Result<Published, Error> {
            check_conservation(draft, verdicts, written)?;
            // Before the batch takes its number: from there on others wait for this transaction.
            if let Some(scope) = scope {
                for &field in &scope.fields {
                    keep_keys(&mut transaction, scope, field, batch_key).await?;
                }
            }
            let Some(batch_id) = insert_batch(&mut transaction, batch_key, claim, draft, None).await? else {
                // The batch that is met may be this very upload's, of the worker that took it over.
                let held: Option<i64> = sqlx::query_scalar(query_file!("held"))
                    .bind(claim.upload_id)
                    .bind(&claim.token)
                    .fetch_optional(&mut *transaction)
                    .await
                    .map_err(Error::while_doing("look for a claim"))?;
                if held.is_none() {
                    return Err(Error::fenced());
                }
                let of_batch_id = sqlx::query_scalar(query_file!("find_repeat"))
                    .bind(draft.campaign_id)
                    .bind(&draft.sha256)
                    .fetch_one(&mut *transaction)
                    .await
                    .map_err(Error::while_doing("find the batch with the same content"))?;
                transaction.rollback().await.map_err(Error::while_doing("roll back"))?;
                return Ok(Published::Repeat { of_batch_id });
            };
            for (status, count) in verdicts.by_status() {
                sqlx::query(query_file!("tally"))
                    .bind(batch_key)
                    .bind(status)
                    .bind(count as i64)
                    .execute(&mut *transaction)
                    .await
                    .map_err(Error::while_doing("count a batch's requests"))?;
            }
            tell_of_batch(&mut transaction, claim, &batch_id, draft, verdicts, None).await?;
            // The fence comes last: until here another worker could take the claim over, from here on it waits for
            // this row, and finds it settled.
            settle(&mut *transaction, claim, UploadStatus::Loaded, Some(&batch_id), None).await?;
            transaction.commit().await.map_err(Error::commit_unknown)?;
            Ok(Published::Batch { batch_id })
        }

        fn read_status(row: &<Db as sqlx::Database>::Row) -> Result<BatchStatus, sqlx::Error> {
            let status: String = row.try_get("status")?;
            BatchStatus::parse(&status).ok_or_else(|| sqlx::Error::ColumnDecode {
                index: "status".to_owned(),
                source: format!("unknown status {status}").into(),
            })
        }

        fn read_batch(row: &<Db as sqlx::Database>::Row) -> Result<Batch, sqlx::Error> {
            let counts: String = row.try_get("status_counts")?;
            Ok(Batch {
                batch_id: row.try_get("batch_id")?,
                campaign_id: row.try_get("campaign_id")?,
                expires_on: row.try_get("expires_on")?,
                paused: row.try_get("paused")?,
                status: read_status(row)?,
                upload_filename: row.try_get("upload_filename")?,
                created_at: row.try_get("created_at")?,
                last_updated_at: row.try_get("last_updated_at")?,
                deleted_at: row.try_get("deleted_at")?,
                deleted_reason: row.try_get("deleted_reason")?,
                last_updated_by: row.try_get("last_updated_by")?,
                error_message: row.try_get("error_message")?,
                status_counts: serde_json::from_str(&counts).map_err(|source| sqlx::Error::ColumnDecode {
                    index: "status_counts".to_owned(),
                    source: source.into(),
                })?,
                campaign_name: row.try_get("campaign_name")?,
                upload_id: row.try_get("upload_id")?,
                error_code: row.try_get("error_code")?,
                rows_read: unsigned(row.try_get("rows_read")?),
                bytes_read: unsigned(row.try_get("bytes_read")?),
                sha256: row.try_get("sha256")?,
                encoding: row.try_get("encoding")?,
                delimiter: row.try_get("delimiter")?,
                quote: row.try_get("quote")?,
                quote_escape: row.try_get("quote_escape")?,
                newline: row.try_get("newline")?,
                compression: row.try_get("compression")?,
                header_line: row.try_get::<Option<i32>, _>("header_line")?.map(i32::unsigned_abs),
                filename_date: row.try_get("filename_date")?,
                seen_at: row.try_get("seen_at")?,
                claimed_at: row.try_get("claimed_at")?,
                purged_at: row.try_get("purged_at")?,
            })
        }

        fn read_upload_status(row: &<Db as sqlx::Database>::Row) -> Result<UploadStatus, sqlx::Error> {
            let status: String = row.try_get("status")?;
            UploadStatus::parse(&status).ok_or_else(|| sqlx::Error::ColumnDecode {
                index: "status".to_owned(),
                source: format!("unknown status {status}").into(),
            })
        }

        fn read_upload(row: &<Db as sqlx::Database>::Row) -> Result<Upload, sqlx::Error> {
            Ok(Upload {
                upload_id: row.try_get("upload_id")?,
                bucket: row.try_get("bucket")?,
                key: row.try_get("key")?,
                version: row.try_get("version")?,
                size_bytes: unsigned(row.try_get("size_bytes")?),
                modified_at: row.try_get("modified_at")?,
                seen_at: row.try_get("seen_at")?,
                status: read_upload_status(row)?,
                attempts: row.try_get::<i32, _>("attempts")?.unsigned_abs(),
                claimed_by: row.try_get("claimed_by")?,
                claimed_at: row.try_get("claimed_at")?,
                available_at: row.try_get("available_at")?,
                batch_id: row.try_get("batch_id")?,
                error_code: row.try_get("error_code")?,
                error_message: row.try_get("error_message")?,
                settled_at: row.try_get("settled_at")?,
                answer_due_at: row.try_get("answer_due_at")?,
                answer_attempts: row.try_get::<i32, _>("answer_attempts")?.unsigned_abs(),
                answer_error: row.try_get("answer_error")?,
                answered_at: row.try_get("answered_at")?,
            })
        }

        fn read_request(row: &<Db as sqlx::Database>::Row) -> Result<Request, sqlx::Error> {
            let variables: String = row.try_get("request_variables")?;
            let number = |column: &str| row.try_get::<i32, _>(column).map(i32::unsigned_abs);
            Ok(Request {
                batch_id: row.try_get("batch_id")?,
                row_number: number("row_number")?,
                line: number("line")?,
                reference_id: row.try_get("reference_id")?,
                target: row.try_get("target")?,
                target_extension: row.try_get("target_extension")?,
                request_variables: serde_json::from_str(&variables).map_err(|source| sqlx::Error::ColumnDecode {
                    index: "request_variables".to_owned(),
                    source: source.into(),
                })?,
                request_status: row.try_get("request_status")?,
                error_code: row.try_get("error_code")?,
                error_message: row.try_get("error_message")?,
                duplicate_of_batch_id: row.try_get("duplicate_of_batch_id")?,
                duplicate_of_row: row.try_get::<Option<i32>, _>("duplicate_of_row")?.map(i32::unsigned_abs),
                created_at: row.try_get("created_at")?,
                sent_at: row.try_get("sent_at")?,
                attempt_count: number("attempt_count")?,
            })
        }

        #[async_trait::async_trait]
        impl Protocol for $Store {
            async fn migrate(&self) -> Result<Vec<String>, Error> {
                super::sql::migrate(&self.writer, BEGIN, MIGRATIONS).await
            }

            async fn risks(&self) -> Result<Vec<String>, Error> {
                risks(&self.reader).await
            }

            fn max_loads(&self) -> usize {
                MAX_LOADS
            }

            async fn begin_load(&self) -> Result<Box<dyn LoadProtocol>, Error> {
                begin_load(&self.writer).await
            }

            async fn begin_load_among(
                &self,
                claim: &Claim,
                scope: &KeyScope,
            ) -> Result<Option<Box<dyn LoadProtocol>>, Error> {
                begin_load_among(&self.writer, claim, scope).await
            }

            async fn begin_list(&self, claim: &Claim, list: &str) -> Result<Option<Box<dyn ListProtocol>>, Error> {
                begin_list(&self.writer, claim, list).await
            }

            async fn name_lists(&self, bucket: &str, lists: &[(&Object, &str)]) -> Result<(), Error> {
                name_lists(&self.writer, bucket, lists).await
            }

            async fn waiting_list(&self, lists: &[&str]) -> Result<Option<String>, Error> {
                waiting_list(&self.reader, lists).await
            }

            async fn hold_off(&self, claim: &Claim, trouble: &str, wait: Duration) -> Result<(), Error> {
                let statement = for_claim(query_file!("hold_off"), claim).bind(trouble).bind(wait.as_secs_f64());
                fenced(statement, &self.writer, "put an upload off").await
            }

            async fn wake_held(&self, bucket: &str) -> Result<(), Error> {
                let woken = sqlx::query(query_file!("wake_held")).bind(bucket).execute(&self.writer).await;
                woken.map(|_| ()).map_err(Error::while_doing("wake uploads that wait for a list"))
            }

            async fn suppression_lists(&self) -> Result<Vec<ListState>, Error> {
                suppression_lists(&self.reader).await
            }

            async fn known(&self, lookup: &Lookup, questions: &Questions) -> Result<Known, Error> {
                known(&self.reader, lookup, questions).await
            }

            async fn record(&self, bucket: &str, objects: &[Object]) -> Result<u64, Error> {
                record(&self.writer, bucket, objects).await
            }

            async fn claim(
                &self,
                bucket: &str,
                worker: &str,
                lease: Duration,
                largest: Option<u64>,
            ) -> Result<Option<Claim>, Error> {
                claim(&self.writer, bucket, worker, lease, largest).await
            }

            async fn renew(&self, claim: &Claim, lease: Duration) -> Result<(), Error> {
                let statement = for_claim(query_file!("renew"), claim).bind(lease.as_secs_f64());
                fenced(statement, &self.writer, "renew a lease").await
            }

            async fn give_back(&self, claim: &Claim) -> Result<(), Error> {
                fenced(for_claim(query_file!("give_back"), claim), &self.writer, "give an upload back").await
            }

            async fn retry(&self, claim: &Claim, trouble: &str, wait: Duration) -> Result<(), Error> {
                let statement = for_claim(query_file!("retry"), claim).bind(trouble).bind(wait.as_secs_f64());
                fenced(statement, &self.writer, "put an upload off").await
            }

            async fn end(
                &self,
                claim: &Claim,
                status: UploadStatus,
                code: Option<FileCode>,
                message: &str,
            ) -> Result<(), Error> {
                settle(&self.writer, claim, status, None, Some((code, message))).await
            }

            async fn fail(
                &self,
                claim: &Claim,
                draft: &BatchDraft,
                code: FileCode,
                message: &str,
            ) -> Result<String, Error> {
                fail(&self.writer, claim, draft, code, message).await
            }

            async fn close(&self) {
                self.writer.close().await;
                self.reader.close().await;
            }

            async fn outcome(&self, claim: &Claim) -> Result<Option<Outcome>, Error> {
                let what = "read what a claim came to";
                let row = for_claim(query_file!("outcome"), claim).fetch_optional(&self.writer).await;
                let Some(row) = row.map_err(Error::while_doing(what))? else { return Ok(None) };
                let read = || {
                    let code: Option<String> = row.try_get("error_code")?;
                    let batch_id: Option<String> = row.try_get("batch_id")?;
                    Ok(match batch_id {
                        Some(batch_id) => Outcome::Batch { batch_id, failed: code.as_deref().and_then(FileCode::parse) },
                        None => Outcome::List { told: row.try_get("error_message")? },
                    })
                };
                read().map(Some).map_err(Error::while_doing(what))
            }

            async fn batch(&self, batch_id: &str) -> Result<Option<Batch>, Error> {
                let what = "read a batch";
                let row = sqlx::query(BATCH).bind(batch_id).fetch_optional(&self.reader).await;
                row.map_err(Error::while_doing(what))?
                    .map(|row| read_batch(&row).map_err(Error::while_doing(what)))
                    .transpose()
            }

            async fn findings(&self, batch_id: &str) -> Result<Vec<Finding>, Error> {
                let rows = sqlx::query(query_file!("findings")).bind(batch_id).fetch_all(&self.reader).await;
                let rows = rows.map_err(Error::while_doing("count a batch's findings"))?;
                let read = |row: &<Db as sqlx::Database>::Row| {
                    Ok(Finding {
                        error_code: row.try_get("error_code")?,
                        requests: unsigned(row.try_get("requests")?),
                        first_row: unsigned(row.try_get("first_row")?),
                        first_line: unsigned(row.try_get("first_line")?),
                    })
                };
                rows.iter().map(read).collect::<Result<_, _>>().map_err(Error::while_doing("count a batch's findings"))
            }

            async fn results(
                &self,
                batch_id: &str,
                asked: &RequestQuery,
                after: u32,
                limit: u32,
            ) -> Result<Vec<Request>, Error> {
                let query = sqlx::query(query_file!("request_list"))
                    .bind(batch_id)
                    .bind(i64::from(after))
                    .bind(i64::from(limit))
                    .bind(asked.reference_id.as_deref())
                    .bind(asked.status.as_deref());
                let rows = query.fetch_all(&self.reader).await.map_err(Error::while_doing("list requests"))?;
                rows.iter().map(read_request).collect::<Result<_, _>>().map_err(Error::while_doing("list requests"))
            }

            async fn requeue(&self, which: &Requeued) -> Result<Vec<i64>, Error> {
                let (upload_id, code) = match which {
                    Requeued::Upload(id) => (Some(*id), None),
                    Requeued::WithCode(code) => (None, Some(code.as_str())),
                };
                let query = sqlx::query_scalar(query_file!("requeue")).bind(upload_id).bind(code);
                query.fetch_all(&self.writer).await.map_err(Error::while_doing("requeue uploads"))
            }

            async fn fold(&self) -> Result<bool, Error> {
                fold(&self.writer).await
            }

            async fn backlog(&self, bucket: &str) -> Result<Backlog, Error> {
                let what = "count the open uploads";
                let row = sqlx::query(query_file!("backlog")).bind(bucket).fetch_one(&self.reader).await;
                let row = row.map_err(Error::while_doing(what))?;
                let read = || {
                    Ok(Backlog {
                        waiting: unsigned(row.try_get("waiting")?),
                        held: unsigned(row.try_get("held")?),
                        claimed: unsigned(row.try_get("claimed")?),
                        next_due_seconds: row.try_get("next_due_seconds")?,
                        oldest_waiting_seconds: row.try_get("oldest_waiting_seconds")?,
                        answers_due: unsigned(row.try_get("answers_due")?),
                        messages_due: unsigned(row.try_get("messages_due")?),
                        fewest_tries: row.try_get::<Option<i32>, _>("fewest_tries")?.map(i32::unsigned_abs),
                    })
                };
                read().map_err(Error::while_doing(what))
            }
        }
    };
}

/// Applies what is missing of the migrations, (version, name, statements) each, all of them or none; sqlx keeps the
/// book.
///
/// One at a time: PostgreSQL has sqlx's lock for that, SQLite, for which sqlx has none, the write lock that `begin`
/// takes.
pub(super) async fn migrate<DB>(
    pool: &sqlx::Pool<DB>,
    begin: &'static str,
    migrations: &[(i64, &'static str, &'static str)],
) -> Result<Vec<String>, Error>
where
    DB: sqlx::Database,
    DB::Connection: Migrate,
{
    let all = migrations.iter().map(|&(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(all.collect());
    migrator.set_locking(false); // it is locked already
    let mut connection = pool.acquire().await.map_err(Error::while_doing("reach its database"))?;
    let before = match apply::<DB>(&mut connection, begin.into_sql_str(), &migrator).await {
        Ok(before) => before,
        Err(error) => {
            // The lock is the connection's and would stay with it in the pool, in everybody's way.
            let _ = connection.close().await;
            return Err(error);
        }
    };
    let names = migrations.iter().filter(|(version, ..)| !before.contains(version));
    Ok(names.map(|(version, name, _)| format!("{version:04} {name}")).collect())
}

/// Returns the versions that were there before.
async fn apply<DB>(connection: &mut DB::Connection, begin: SqlStr, migrator: &Migrator) -> Result<Vec<i64>, Error>
where
    DB: sqlx::Database,
    DB::Connection: Migrate,
{
    // Before anything is created: two that create the same table at once fail, `if not exists` notwithstanding.
    connection.lock().await.map_err(Error::migration)?;
    let mut transaction = connection.begin_with(begin).await.map_err(Error::while_doing("begin a transaction"))?;
    transaction.ensure_migrations_table(&migrator.table_name).await.map_err(Error::migration)?;
    let list = transaction.list_applied_migrations(&migrator.table_name).await.map_err(Error::migration)?;
    migrator.run_direct(None, &mut *transaction, false).await.map_err(Error::migration)?;
    transaction.commit().await.map_err(Error::while_doing("bring its schema up to date"))?;
    connection.unlock().await.map_err(Error::migration)?;
    Ok(list.into_iter().map(|migration| migration.version).collect())
}
