//! Keys that count across batches, and suppression lists: once for both databases, as in `sql.rs`.
//!
//! A key stands in `unique_keys` with the batch and row that claimed it; whether that batch still counts (its status,
//! its age) is looked at when the key is. So nothing has to be mended when a batch is canceled or leaves the window:
//! what does not count is only swept out when the next load of the campaign begins. `kept_keys` tells of which batches,
//! and for which field, the keys stand there; what is missing of it is how a scope that was set later, widened, or
//! given another field gets the keys of the batches before.

/// Rows read at once where keys must be folded here.
pub(super) const KEYS_A_PIECE: u32 = 5000;

macro_rules! keys_sql {
    () => {
        /// See [`super::Store::known`]. One query for each field, whatever the number of keys.
        async fn known(pool: &Pool<Db>, lookup: &Lookup, questions: &Questions) -> Result<Known, Error> {
            let what = "look up keys and targets";
            let mut known = Known::default();
            if let Some(scope) = &lookup.scope {
                for (field, keys) in questions.keys.iter().filter(|(_, keys)| !keys.is_empty()) {
                    let rows = sqlx::query(query_file!("keys_held"))
                        .bind(scope.campaign_id)
                        .bind(field.as_str())
                        .bind(scope.window.as_secs_f64())
                        .bind(serde_json::json!(keys).to_string())
                        .fetch_all(pool)
                        .await
                        .map_err(Error::while_doing(what))?;
                    for row in rows {
                        let read = || {
                            let row_number = row.try_get::<i32, _>("row_number")?.unsigned_abs();
                            Ok((row.try_get("key")?, Holder { batch_id: row.try_get("batch_id")?, row_number }))
                        };
                        let (key, holder) = read().map_err(Error::while_doing(what))?;
                        known.hold(*field, key, holder);
                    }
                }
            }
            if !questions.targets.is_empty() {
                let rows = sqlx::query(query_file!("suppressed"))
                    .bind(serde_json::json!(lookup.lists).to_string())
                    .bind(serde_json::json!(questions.targets).to_string())
                    .fetch_all(pool)
                    .await
                    .map_err(Error::while_doing(what))?;
                for row in rows {
                    let read = || Ok((row.try_get("target")?, row.try_get("list")?));
                    let (target, list) = read().map_err(Error::while_doing(what))?;
                    known.suppress(target, list);
                }
            }
            Ok(known)
        }

        /// Keeps the keys of a stored batch's rows that were PENDING at intake.
        async fn keep_keys(
            connection: &mut <Db as sqlx::Database>::Connection,
            scope: &KeyScope,
            field: KeyField,
            batch_key: i32,
        ) -> Result<(), Error> {
            let failed = || Error::while_doing("keep keys");
            if field == KeyField::Target && scope.folds_target_case {
                keep_folded_targets(connection, scope, batch_key).await.map_err(failed())?;
            } else {
                sqlx::query(query_file!("keys_keep"))
                    .bind(scope.campaign_id)
                    .bind(field.as_str())
                    .bind(batch_key)
                    .execute(&mut *connection)
                    .await
                    .map_err(failed())?;
            }
            sqlx::query(query_file!("keys_mark"))
                .bind(scope.campaign_id)
                .bind(field.as_str())
                .bind(batch_key)
                .execute(connection)
                .await
                .map_err(failed())?;
            Ok(())
        }

        /// The databases fold letters by rules of their own; here it is done by ours, for all the same.
        async fn keep_folded_targets(
            connection: &mut <Db as sqlx::Database>::Connection,
            scope: &KeyScope,
            batch_key: i32,
        ) -> Result<(), sqlx::Error> {
            let mut after = 0;
            loop {
                let rows: Vec<(i32, String)> = sqlx::query_as(query_file!("keys_page"))
                    .bind(batch_key)
                    .bind(after)
                    .bind(i64::from(KEYS_A_PIECE))
                    .fetch_all(&mut *connection)
                    .await?;
                let Some((last, _)) = rows.last() else { return Ok(()) };
                after = *last;
                let fold = |(row_number, target): &(i32, String)| {
                    let mut key = String::new();
                    fold_address(target, &mut key);
                    serde_json::json!({ "key": key, "row_number": row_number })
                };
                sqlx::query(query_file!("keys_insert"))
                    .bind(scope.campaign_id)
                    .bind(KeyField::Target.as_str())
                    .bind(batch_key)
                    .bind(serde_json::Value::from_iter(rows.iter().map(fold)).to_string())
                    .execute(&mut *connection)
                    .await?;
            }
        }

        /// Brings the kept keys in line with what counts now; false where nothing was to be done.
        async fn align_keys(
            connection: &mut <Db as sqlx::Database>::Connection,
            scope: &KeyScope,
        ) -> Result<bool, Error> {
            let failed = || Error::while_doing("bring keys in line");
            let window = scope.window.as_secs_f64();
            let stale: Vec<i32> = sqlx::query_scalar(query_file!("keys_stale"))
                .bind(scope.campaign_id)
                .bind(window)
                .fetch_all(&mut *connection)
                .await
                .map_err(failed())?;
            for &batch_key in &stale {
                for statement in [query_file!("keys_forget"), query_file!("keys_unmark")] {
                    sqlx::query(statement).bind(batch_key).execute(&mut *connection).await.map_err(failed())?;
                }
            }
            let mut is_changed = !stale.is_empty();
            for &field in &scope.fields {
                let missing: Vec<i32> = sqlx::query_scalar(query_file!("keys_missing"))
                    .bind(scope.campaign_id)
                    .bind(field.as_str())
                    .bind(window)
                    .fetch_all(&mut *connection)
                    .await
                    .map_err(failed())?;
                is_changed |= !missing.is_empty();
                for batch_key in missing {
                    keep_keys(connection, scope, field, batch_key).await?;
                }
            }
            Ok(is_changed)
        }
    };
}
