//! Steering batches, and reading what happened to them: once for both databases, as in `sql.rs`.
//!
//! What is allowed is told by `model::Action::step`. Here it is asked of the batch inside the transaction that changes
//! it, with the batch taken, so that of two operators one finds what the other did. Whoever takes requests of the batch
//! is excluded meanwhile by the trigger of the view `requests`: see the migration `0006_steering`.

macro_rules! steering_sql {
    ($Store:ident) => {
        /// Everything of [`super::Store::steer`] between the beginning of the transaction and its end.
        async fn steer(
            transaction: &mut Transaction<'static, Db>,
            batch_id: &str,
            steering: &Steering,
        ) -> Result<Steered, Error> {
            let failed = || Error::while_doing("steer a batch");
            let Steering { action, by, reason } = steering;
            let wanted = if let Action::Expire(time) = action { *time } else { None };
            steer_turn(transaction, batch_id).await?;
            let row = sqlx::query(query_file!("steer_look")).bind(batch_id).bind(wanted);
            let row = row.fetch_optional(&mut **transaction).await.map_err(failed())?;
            let Some(row) = row else { return Ok(Steered::Unknown) };
            let read = || Ok((read_status(&row)?, row.try_get("expires_on")?, row.try_get("is_past")?));
            let (status, expires_on, is_past) = read().map_err(failed())?;
            let step = action.step(status, expires_on);
            if let Step::Change { status, expires_on, event } = step {
                if is_past {
                    let why = "the time to expire is over already; to end a batch now, cancel it".to_owned();
                    return Ok(Steered::Invalid { why });
                }
                let batch_key: i32 = row.try_get("batch_key").map_err(failed())?;
                let change = sqlx::query(query_file!("steer"))
                    .bind(batch_key)
                    .bind(status.as_str())
                    .bind(expires_on)
                    .bind(by)
                    .bind(reason.as_ref().filter(|_| status == BatchStatus::Canceled));
                let note = sqlx::query(query_file!("steer_note")).bind(batch_key).bind(event).bind(reason);
                for statement in [change, note] {
                    statement.execute(&mut **transaction).await.map_err(failed())?;
                }
            }
            let row = sqlx::query(BATCH).bind(batch_id).fetch_one(&mut **transaction).await;
            let batch = row.and_then(|row| read_batch(&row)).map_err(failed())?;
            Ok(match step {
                Step::Change { .. } => Steered::Done(batch),
                Step::Nothing => Steered::Unchanged(batch),
                Step::Refuse => Steered::Refused { status: batch.status, why: refusal(&batch) },
            })
        }

        #[async_trait::async_trait]
        impl SteeringProtocol for $Store {
            async fn steer(&self, batch_id: &str, steering: &Steering) -> Result<Steered, Error> {
                let steering = match steering.checked() {
                    Ok(checked) => checked,
                    Err(why) => return Ok(Steered::Invalid { why }),
                };
                let mut transaction = begin(&self.writer).await?;
                let steered = steer(&mut transaction, batch_id, &steering).await?;
                match steered {
                    Steered::Done(_) => transaction.commit().await.map_err(Error::commit_unknown)?,
                    _ => transaction.rollback().await.map_err(Error::while_doing("roll back"))?,
                }
                Ok(steered)
            }

            async fn events(&self, batch_id: &str) -> Result<Vec<BatchEvent>, Error> {
                let what = "read what happened to a batch";
                let rows = sqlx::query(query_file!("event_list")).bind(batch_id).fetch_all(&self.reader).await;
                let read = |row: &<Db as sqlx::Database>::Row| {
                    Ok(BatchEvent {
                        batch_id: row.try_get("batch_id")?,
                        sequence: row.try_get::<i32, _>("sequence")?.unsigned_abs(),
                        at: row.try_get("at")?,
                        event: row.try_get("event")?,
                        actor: row.try_get("actor")?,
                        reason: row.try_get("reason")?,
                        expires_on: row.try_get("expires_on")?,
                    })
                };
                let rows = rows.map_err(Error::while_doing(what))?;
                rows.iter().map(read).collect::<Result<_, _>>().map_err(Error::while_doing(what))
            }
        }
    };
}
