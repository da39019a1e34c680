//! Forgetting one person, once for both databases, as in `sql.rs`.
//!
//! The batches are searched one after the other, without a lock, since which rows a batch has never changes. What was
//! found is emptied by its number, in one transaction a batch that also keeps whoever takes requests of it away, and
//! tells that it was.

macro_rules! forgetting_sql {
    ($Store:ident) => {
        #[async_trait::async_trait]
        impl ForgettingProtocol for $Store {
            async fn searched(&self, campaign: Option<&str>) -> Result<Vec<Searched>, Error> {
                let what = "look for batches";
                let rows = sqlx::query(query_file!("forget_batches")).bind(campaign).fetch_all(&self.reader).await;
                let read = |row: &<Db as sqlx::Database>::Row| {
                    Ok(Searched {
                        batch_key: row.try_get("batch_key")?,
                        batch_id: row.try_get("batch_id")?,
                        campaign_name: row.try_get("campaign_name")?,
                        bucket: row.try_get("bucket")?,
                        key: row.try_get("key")?,
                    })
                };
                let rows = rows.map_err(Error::while_doing(what))?;
                rows.iter().map(read).collect::<Result<_, _>>().map_err(Error::while_doing(what))
            }

            async fn find_person(&self, batch: &Searched, person: &Person) -> Result<Vec<FoundRow>, Error> {
                let what = "look for a person";
                let rows = sqlx::query(query_file!("forget_find"))
                    .bind(batch.batch_key)
                    .bind(serde_json::json!(person.targets).to_string())
                    .bind(serde_json::json!(person.digits).to_string())
                    .bind(&person.reference_id)
                    .fetch_all(&self.reader)
                    .await;
                let read = |row: &<Db as sqlx::Database>::Row| {
                    let row_number = row.try_get::<i32, _>("row_number")?.unsigned_abs();
                    Ok(FoundRow { row_number, was_rejected: row.try_get("was_rejected")? })
                };
                let rows = rows.map_err(Error::while_doing(what))?;
                rows.iter().map(read).collect::<Result<_, _>>().map_err(Error::while_doing(what))
            }

            async fn forget_rows(
                &self,
                batch: &Searched,
                rows: &[FoundRow],
                by: &str,
                reason: &str,
            ) -> Result<(), Error> {
                let failed = || Error::while_doing("empty a person's requests");
                let numbers: Vec<u32> = rows.iter().map(|row| row.row_number).collect();
                let numbers = serde_json::json!(numbers).to_string();
                let mut transaction = begin(&self.writer).await?;
                steer_turn(&mut transaction, &batch.batch_id).await?;
                for statement in [query_file!("forget_rows"), query_file!("forget_row_keys")] {
                    let emptied = sqlx::query(statement).bind(batch.batch_key).bind(&numbers);
                    emptied.execute(&mut *transaction).await.map_err(failed())?;
                }
                let note = sqlx::query(query_file!("forget_note")).bind(batch.batch_key).bind(by).bind(reason);
                note.execute(&mut *transaction).await.map_err(failed())?;
                transaction.commit().await.map_err(Error::commit_unknown)
            }

            async fn forget_keys_of(&self, person: &Person, campaign: Option<&str>) -> Result<u64, Error> {
                let gone = sqlx::query(query_file!("forget_keys_of"))
                    .bind(serde_json::json!(person.targets).to_string())
                    .bind(&person.reference_id)
                    .bind(campaign);
                let gone = gone.execute(&self.writer).await.map_err(Error::while_doing("forget a person's keys"))?;
                Ok(gone.rows_affected())
            }
        }
    };
}
