//! The outbox of webhooks: messages written by the transaction whose doing they tell of, then claimed and delivered one
//! by one; bound once for both databases, as in `sql.rs`.
//!
//! A message is claimed as an upload is: one worker at a time, under a lease by the database's clock, fenced by a
//! token.

use serde_json::json;

use crate::model::{BatchDraft, Claim, Event, FileCode, Verdicts};

/// What a message tells of an upload that was settled: the facts of its receipt, under the same names.
pub(super) fn upload_data(
    claim: &Claim,
    batch: Option<(&str, &BatchDraft, Verdicts)>,
    fault: Option<(FileCode, &str)>,
) -> (Event, String) {
    let (event, status) = match (batch, fault) {
        (Some(_), None) => (Event::BatchLoaded, "LOADED"),
        (Some(_), Some(_)) => (Event::BatchFailed, "FAILED"),
        (None, _) => (Event::UploadRejected, "REJECTED"),
    };
    let draft = batch.map(|(_, draft, _)| draft);
    let data = json!({
        "status": status,
        "batch_id": batch.map(|(batch_id, ..)| batch_id),
        "campaign_id": draft.map(|draft| draft.campaign_id),
        "campaign_name": draft.map(|draft| &draft.campaign_name),
        "paused": event == Event::BatchLoaded && draft.is_some_and(|draft| draft.hold),
        "upload": {
            "upload_id": claim.upload_id,
            "key": claim.object.key,
            "version": claim.object.version,
            "size_bytes": claim.object.size,
            "sha256": draft.and_then(|draft| draft.sha256.as_deref()),
            "modified_at": claim.object.modified,
            "seen_at": claim.seen_at,
        },
        "rows_read": draft.map_or(0, |draft| draft.rows_read),
        "status_counts": batch.map(|(_, _, verdicts)| verdicts.by_status()).unwrap_or_default(),
        "error_code": fault.map(|(code, _)| code.as_str()),
        "error_message": fault.map(|(_, message)| message),
    });
    (event, data.to_string())
}

macro_rules! webhooks_sql {
    ($Store:ident) => {
        /// Writes a message to each of these webhooks.
        async fn tell(
            connection: &mut <Db as sqlx::Database>::Connection,
            webhooks: &[String],
            event: Event,
            data: &str,
            upload_id: Option<i64>,
            batch_id: Option<&str>,
        ) -> Result<(), Error> {
            for webhook in webhooks {
                sqlx::query(query_file!("message_insert"))
                    .bind(format!("msg_{}", uuid::Uuid::new_v4().simple()))
                    .bind(webhook)
                    .bind(event.as_str())
                    .bind(data)
                    .bind(upload_id)
                    .bind(batch_id)
                    .execute(&mut *connection)
                    .await
                    .map_err(Error::while_doing("write a webhook's message"))?;
            }
            Ok(())
        }

        /// Tells the batch's webhooks of it.
        async fn tell_of_batch(
            connection: &mut <Db as sqlx::Database>::Connection,
            claim: &Claim,
            batch_id: &str,
            draft: &BatchDraft,
            verdicts: Verdicts,
            fault: Option<(FileCode, &str)>,
        ) -> Result<(), Error> {
            if draft.webhooks.is_empty() {
                return Ok(());
            }
            let (event, data) = super::webhooks::upload_data(claim, Some((batch_id, draft, verdicts)), fault);
            tell(connection, &draft.webhooks, event, &data, Some(claim.upload_id), Some(batch_id)).await
        }

        fn for_message<'q>(
            sql: &'static str,
            message: &'q Message,
        ) -> sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments> {
            sqlx::query(sql).bind(&message.message_id).bind(&message.token)
        }

        fn read_message_state(row: &<Db as sqlx::Database>::Row) -> Result<MessageState, sqlx::Error> {
            Ok(MessageState {
                message_id: row.try_get("message_id")?,
                webhook: row.try_get("webhook")?,
                event: row.try_get("event")?,
                upload_id: row.try_get("upload_id")?,
                batch_id: row.try_get("batch_id")?,
                campaign_name: row.try_get("campaign_name")?,
                expected_at: row.try_get("expected_at")?,
                status: row.try_get("status")?,
                attempts: row.try_get::<i32, _>("attempts")?.unsigned_abs(),
                created_at: row.try_get("created_at")?,
                due_at: row.try_get("due_at")?,
                error_message: row.try_get("error_message")?,
                ended_at: row.try_get("ended_at")?,
            })
        }

        #[async_trait::async_trait]
        impl Webhooks for $Store {
            async fn reject(
                &self,
                claim: &Claim,
                code: FileCode,
                message: &str,
                webhooks: &[String],
            ) -> Result<(), Error> {
                let fault = Some((Some(code), message));
                if webhooks.is_empty() {
                    return settle(&self.writer, claim, UploadStatus::Rejected, None, fault).await;
                }
                let mut transaction = begin(&self.writer).await?;
                let (event, data) = super::webhooks::upload_data(claim, None, Some((code, message)));
                tell(&mut transaction, webhooks, event, &data, Some(claim.upload_id), None).await?;
                settle(&mut *transaction, claim, UploadStatus::Rejected, None, fault).await?;
                transaction.commit().await.map_err(Error::commit_unknown)
            }

            async fn claim_message(&self, webhook: &str, lease: Duration) -> Result<Option<Message>, Error> {
                let token = uuid::Uuid::new_v4().to_string();
                let query =
                    sqlx::query(query_file!("claim_message")).bind(webhook).bind(&token).bind(lease.as_secs_f64());
                let row = query.fetch_all(&self.writer).await.map_err(Error::while_doing("claim a message"))?.pop();
                let Some(row) = row else { return Ok(None) };
                let read = || {
                    Ok(Message {
                        message_id: row.try_get("message_id")?,
                        event: row.try_get("event")?,
                        data: row.try_get("data")?,
                        created_at: row.try_get("created_at")?,
                        token,
                        attempt: row.try_get::<i32, _>("attempts")?.unsigned_abs(),
                    })
                };
                read().map(Some).map_err(Error::while_doing("read a claim"))
            }

            async fn give_back_message(&self, message: &Message) -> Result<(), Error> {
                let statement = for_message(query_file!("give_back_message"), message);
                fenced(statement, &self.writer, "give a message back").await
            }

            async fn put_off_message(
                &self,
                message: &Message,
                trouble: &str,
                wait: Duration,
                patience: Duration,
            ) -> Result<bool, Error> {
                let what = "put a message off";
                let rows = for_message(query_file!("put_off_message"), message)
                    .bind(trouble)
                    .bind(wait.as_secs_f64())
                    .bind(patience.as_secs_f64())
                    .fetch_all(&self.writer)
                    .await
                    .map_err(Error::while_doing(what))?;
                let row = rows.first().ok_or_else(Error::fenced)?;
                let status: String = row.try_get("status").map_err(Error::while_doing(what))?;
                Ok(status == "GIVEN_UP")
            }

            async fn end_message(&self, message: &Message, given_up: Option<&str>) -> Result<(), Error> {
                let status = if given_up.is_some() { "GIVEN_UP" } else { "DELIVERED" };
                let statement = for_message(query_file!("end_message"), message).bind(status).bind(given_up);
                fenced(statement, &self.writer, "end a message").await
            }

            async fn messages(
                &self,
                status: Option<&str>,
                webhook: Option<&str>,
                limit: u32,
            ) -> Result<Vec<MessageState>, Error> {
                let what = "list messages";
                let query = sqlx::query(query_file!("message_list")).bind(status).bind(webhook).bind(i64::from(limit));
                let rows = query.fetch_all(&self.reader).await.map_err(Error::while_doing(what))?;
                rows.iter().map(read_message_state).collect::<Result<_, _>>().map_err(Error::while_doing(what))
            }
        }
    };
}
