//! Deleting people's data once it is old, once for both databases, as in `sql.rs`.
//!
//! The requests of a batch are deleted in pieces, each in a transaction of its own: loads and senders never wait long,
//! and who is killed in the middle leaves a batch that is still due. The batch, its counts and the ledger stay.

/// Requests that one transaction deletes.
pub(super) const ROWS_A_PIECE: i64 = 5_000;

macro_rules! purging_sql {
    ($Store:ident) => {
        #[async_trait::async_trait]
        impl PurgingProtocol for $Store {
            async fn due_for_purge(&self, age: Duration) -> Result<Vec<DueForPurge>, Error> {
                let what = "look for old batches";
                let rows = sqlx::query(query_file!("purge_due")).bind(age.as_secs_f64()).fetch_all(&self.reader).await;
                let read = |row: &<Db as sqlx::Database>::Row| {
                    Ok(DueForPurge {
                        batch_key: row.try_get("batch_key")?,
                        batch_id: row.try_get("batch_id")?,
                        requests: unsigned(row.try_get("requests")?),
                        unfinished: unsigned(row.try_get("unfinished")?),
                        unanswered: row.try_get("unanswered")?,
                    })
                };
                let rows = rows.map_err(Error::while_doing(what))?;
                rows.iter().map(read).collect::<Result<_, _>>().map_err(Error::while_doing(what))
            }

            async fn purge_piece(&self, due: &DueForPurge) -> Result<PurgedPiece, Error> {
                let failed = || Error::while_doing("delete old requests");
                let rows =
                    sqlx::query(query_file!("purge_rows")).bind(due.batch_key).bind(super::purging::ROWS_A_PIECE);
                let deleted = rows.execute(&self.writer).await.map_err(failed())?.rows_affected();
                if deleted > 0 {
                    return Ok(PurgedPiece { deleted, is_done: false });
                }
                let note = sqlx::query(query_file!("purge_note")).bind(due.batch_key).bind(due.requests as i64);
                let is_done = note.execute(&self.writer).await.map_err(failed())?.rows_affected() > 0;
                Ok(PurgedPiece { deleted, is_done })
            }

            async fn campaigns_with_keys(&self) -> Result<Vec<i32>, Error> {
                let campaigns = sqlx::query_scalar(query_file!("keys_campaigns")).fetch_all(&self.reader).await;
                campaigns.map_err(Error::while_doing("look for kept keys"))
            }

            async fn forget_keys(&self, campaign_id: i32, age: Duration) -> Result<(), Error> {
                let failed = || Error::while_doing("forget old keys");
                let stale = sqlx::query_scalar(query_file!("keys_stale")).bind(campaign_id).bind(age.as_secs_f64());
                let stale: Vec<i32> = stale.fetch_all(&self.reader).await.map_err(failed())?;
                for batch_key in stale {
                    let mut transaction = begin(&self.writer).await?;
                    for statement in [query_file!("keys_forget"), query_file!("keys_unmark")] {
                        sqlx::query(statement).bind(batch_key).execute(&mut *transaction).await.map_err(failed())?;
                    }
                    transaction.commit().await.map_err(failed())?;
                }
                Ok(())
            }

            async fn take_chore(&self, chore: &str, turn: Duration) -> Result<bool, Error> {
                let take = sqlx::query(query_file!("chore_take")).bind(chore).bind(turn.as_secs_f64());
                let taken = take.execute(&self.writer).await.map_err(Error::while_doing("take the turn of a chore"))?;
                Ok(taken.rows_affected() > 0)
            }

            async fn keep_chore(&self, chore: &str, turn: Duration) -> Result<(), Error> {
                let keep = sqlx::query(query_file!("chore_keep")).bind(chore).bind(turn.as_secs_f64());
                keep.execute(&self.writer).await.map_err(Error::while_doing("keep the turn of a chore"))?;
                Ok(())
            }
        }
    };
}
