//! Suppression lists, once for both databases, as in `sql.rs`.

macro_rules! lists_sql {
    () => {
        /// A list's new targets, written beside nobody: readers see those of before until the commit.
        struct TargetsLoad {
            transaction: Transaction<'static, Db>,
            list: String,
            written: u64,
        }

        async fn begin_list(
            pool: &Pool<Db>,
            claim: &Claim,
            list: &str,
        ) -> Result<Option<Box<dyn ListProtocol>>, Error> {
            let failed = || Error::while_doing("begin to replace a suppression list");
            let mut transaction = begin(pool).await?;
            // Takes the list's row, which another load of the list waits for.
            let is_newer: bool = sqlx::query_scalar(query_file!("list_begin"))
                .bind(list)
                .bind(claim.upload_id)
                .fetch_one(&mut *transaction)
                .await
                .map_err(failed())?;
            if !is_newer {
                transaction.rollback().await.map_err(failed())?;
                return Ok(None);
            }
            sqlx::query(query_file!("list_clear")).bind(list).execute(&mut *transaction).await.map_err(failed())?;
            Ok(Some(Box::new(TargetsLoad { transaction, list: list.to_owned(), written: 0 })))
        }

        #[async_trait::async_trait]
        impl ListProtocol for TargetsLoad {
            async fn targets(&mut self, targets: Vec<String>) -> Result<(), Error> {
                let written = sqlx::query(query_file!("list_targets"))
                    .bind(&self.list)
                    .bind(serde_json::json!(targets).to_string())
                    .execute(&mut *self.transaction)
                    .await
                    .map_err(Error::while_doing("take a suppression list's targets"))?;
                self.written += written.rows_affected();
                Ok(())
            }

            async fn publish(self: Box<Self>, claim: &Claim, verdicts: Verdicts) -> Result<String, Error> {
                let Self { mut transaction, list, written } = *self;
                sqlx::query(query_file!("list_publish"))
                    .bind(&list)
                    .bind(claim.upload_id)
                    .bind(written as i64)
                    .bind(verdicts.invalid as i64)
                    .execute(&mut *transaction)
                    .await
                    .map_err(Error::while_doing("put a suppression list in force"))?;
                let rows = if verdicts.invalid == 1 { "row" } else { "rows" };
                let told = format!(
                    "suppression list {list}: {written} targets in force; {} {rows} could not be used",
                    verdicts.invalid
                );
                settle(&mut *transaction, claim, UploadStatus::Loaded, None, Some((None, &told))).await?;
                transaction.commit().await.map_err(Error::commit_unknown)?;
                Ok(told)
            }

            async fn discard(self: Box<Self>) -> Result<(), Error> {
                self.transaction.rollback().await.map_err(Error::while_doing("roll back"))
            }
        }

        async fn name_lists(pool: &Pool<Db>, bucket: &str, lists: &[(&Object, &str)]) -> Result<(), Error> {
            let rows = lists.iter().map(|(object, list)| {
                serde_json::json!({ "key": object.key, "version": object.version, "list": list })
            });
            let named = sqlx::query(query_file!("list_name"))
                .bind(bucket)
                .bind(serde_json::Value::from_iter(rows).to_string())
                .execute(pool)
                .await;
            named.map(|_| ()).map_err(Error::while_doing("note which uploads are suppression lists"))
        }

        async fn waiting_list(pool: &Pool<Db>, lists: &[&str]) -> Result<Option<String>, Error> {
            sqlx::query_scalar(query_file!("list_waiting"))
                .bind(serde_json::json!(lists).to_string())
                .fetch_optional(pool)
                .await
                .map_err(Error::while_doing("look for lists that are to be loaded"))
        }

        async fn suppression_lists(pool: &Pool<Db>) -> Result<Vec<ListState>, Error> {
            let what = "read the suppression lists";
            let rows = sqlx::query(query_file!("list_states")).fetch_all(pool).await;
            let read = |row: &<Db as sqlx::Database>::Row| {
                Ok(ListState {
                    name: row.try_get("list")?,
                    targets: unsigned(row.try_get("targets")?),
                    invalid_rows: unsigned(row.try_get("invalid_rows")?),
                    loaded_at: row.try_get("loaded_at")?,
                    age_seconds: row.try_get("age_seconds")?,
                    key: row.try_get("key")?,
                })
            };
            let rows = rows.map_err(Error::while_doing(what))?;
            rows.iter().map(read).collect::<Result<_, _>>().map_err(Error::while_doing(what))
        }
    };
}
