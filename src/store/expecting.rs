//! Expected files: the due times of campaigns, and what became of each; bound once for both databases, as in `sql.rs`.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use crate::model::{ExpectedStatus, OpenExpected};

/// What a message tells of a file that did not come.
pub(super) fn missing_data(expected: &OpenExpected, campaign_name: &str, missing_at: DateTime<Utc>) -> String {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let occurrence = &expected.occurrence;
    json!({
        "status": ExpectedStatus::Missing.as_str(),
        "campaign_id": expected.campaign_id,
        "campaign_name": campaign_name,
        "due_at": time(occurrence.due_at),
        "opens_at": time(occurrence.opens_at),
        "missing_from": time(occurrence.missing_from),
        "missing_at": time(missing_at),
    })
    .to_string()
}

macro_rules! expecting_sql {
    ($Store:ident) => {
        fn read_expected_status(
            row: &<Db as sqlx::Database>::Row,
        ) -> Result<$crate::model::ExpectedStatus, sqlx::Error> {
            let status: String = row.try_get("status")?;
            $crate::model::ExpectedStatus::parse(&status).ok_or_else(|| sqlx::Error::ColumnDecode {
                index: "status".to_owned(),
                source: format!("unknown status {status}").into(),
            })
        }

        fn read_occurrence(row: &<Db as sqlx::Database>::Row) -> Result<$crate::model::Occurrence, sqlx::Error> {
            Ok($crate::model::Occurrence {
                due_at: row.try_get("due_at")?,
                opens_at: row.try_get("opens_at")?,
                missing_from: row.try_get("missing_from")?,
                closes_at: row.try_get("closes_at")?,
            })
        }

        fn read_open_expected(row: &<Db as sqlx::Database>::Row) -> Result<$crate::model::OpenExpected, sqlx::Error> {
            let upload_id: Option<i64> = row.try_get("upload_id")?;
            let arrival = match upload_id {
                None => None,
                Some(upload_id) => Some($crate::model::Arrival {
                    upload_id,
                    batch_id: row.try_get("batch_id")?,
                    arrived_at: row.try_get("arrived_at")?,
                    is_failed: row.try_get("is_failed")?,
                }),
            };
            Ok($crate::model::OpenExpected {
                campaign_id: row.try_get("campaign_id")?,
                occurrence: read_occurrence(row)?,
                status: read_expected_status(row)?,
                known_batch_id: row.try_get("known_batch_id")?,
                arrival,
            })
        }

        fn read_expected_file(row: &<Db as sqlx::Database>::Row) -> Result<$crate::model::ExpectedFile, sqlx::Error> {
            Ok($crate::model::ExpectedFile {
                bucket: row.try_get("bucket")?,
                campaign_id: row.try_get("campaign_id")?,
                campaign_name: row.try_get("campaign_name")?,
                due_at: row.try_get("due_at")?,
                opens_at: row.try_get("opens_at")?,
                missing_from: row.try_get("missing_from")?,
                closes_at: row.try_get("closes_at")?,
                status: read_expected_status(row)?,
                upload_id: row.try_get("upload_id")?,
                key: row.try_get("key")?,
                batch_id: row.try_get("batch_id")?,
                arrived_at: row.try_get("arrived_at")?,
                missing_at: row.try_get("missing_at")?,
                expected_since: row.try_get("expected_since")?,
                error_code: row.try_get("error_code")?,
                error_message: row.try_get("error_message")?,
            })
        }

        /// Binds what expected files are filtered by.
        macro_rules! expected {
            ($query:expr, $asked:ident) => {
                $query
                    .bind($asked.status.map($crate::model::ExpectedStatus::as_str))
                    .bind($asked.campaign_name.as_deref())
                    .bind($asked.bucket.as_deref())
            };
        }

        #[async_trait::async_trait]
        impl super::protocol::Expecting for $Store {
            async fn clock(&self) -> Result<chrono::DateTime<chrono::Utc>, Error> {
                let asked = sqlx::query_scalar(query_file!("clock")).fetch_one(&self.reader).await;
                asked.map_err(Error::while_doing("tell the time"))
            }

            async fn note_listing(&self, bucket: &str, began_at: chrono::DateTime<chrono::Utc>) -> Result<(), Error> {
                let noted = sqlx::query(query_file!("listing_note")).bind(bucket).bind(began_at);
                let noted = noted.execute(&self.writer).await;
                noted.map(|_| ()).map_err(Error::while_doing("note a listing"))
            }

            async fn expect(
                &self,
                bucket: &str,
                campaign_id: i32,
                campaign_name: &str,
                occurrence: &$crate::model::Occurrence,
            ) -> Result<(), Error> {
                let statement = sqlx::query(query_file!("expected_insert"))
                    .bind(bucket)
                    .bind(campaign_id)
                    .bind(campaign_name)
                    .bind(occurrence.due_at)
                    .bind(occurrence.opens_at)
                    .bind(occurrence.missing_from)
                    .bind(occurrence.closes_at);
                let written = statement.execute(&self.writer).await;
                written.map(|_| ()).map_err(Error::while_doing("write an expected file"))
            }

            async fn no_longer_expect(
                &self,
                bucket: &str,
                campaign_id: i32,
                due_at: chrono::DateTime<chrono::Utc>,
            ) -> Result<(), Error> {
                let statement = sqlx::query(query_file!("expected_forget")).bind(bucket).bind(campaign_id).bind(due_at);
                let deleted = statement.execute(&self.writer).await;
                deleted.map(|_| ()).map_err(Error::while_doing("take back an expected file"))
            }

            async fn open_expected(&self, bucket: &str) -> Result<Vec<$crate::model::OpenExpected>, Error> {
                let what = "look for expected files";
                let rows = sqlx::query(query_file!("expected_open")).bind(bucket).fetch_all(&self.reader).await;
                let rows = rows.map_err(Error::while_doing(what))?;
                rows.iter().map(read_open_expected).collect::<Result<_, _>>().map_err(Error::while_doing(what))
            }

            async fn open_arrivals(&self, bucket: &str) -> Result<Vec<(String, chrono::DateTime<chrono::Utc>)>, Error> {
                let asked = sqlx::query_as(query_file!("open_arrivals")).bind(bucket).fetch_all(&self.reader).await;
                asked.map_err(Error::while_doing("look for uploads that are open"))
            }

            async fn decide_expected(
                &self,
                bucket: &str,
                expected: &$crate::model::OpenExpected,
                status: $crate::model::ExpectedStatus,
                campaign_name: &str,
                webhooks: &[String],
            ) -> Result<bool, Error> {
                let what = "write what became of an expected file";
                let mut transaction = begin(&self.writer).await?;
                let arrival = expected.arrival.as_ref();
                let rows = sqlx::query(query_file!("expected_decide"))
                    .bind(bucket)
                    .bind(expected.campaign_id)
                    .bind(expected.occurrence.due_at)
                    .bind(expected.status.as_str())
                    .bind(status.as_str())
                    .bind(arrival.map(|arrival| arrival.upload_id))
                    .bind(arrival.map(|arrival| arrival.batch_id.as_str()))
                    .bind(arrival.map(|arrival| arrival.arrived_at))
                    .fetch_all(&mut *transaction)
                    .await
                    .map_err(Error::while_doing(what))?;
                let Some(row) = rows.first() else { return Ok(false) };
                if status == $crate::model::ExpectedStatus::Missing {
                    let missing_at = row.try_get("missing_at").map_err(Error::while_doing(what))?;
                    let data = super::expecting::missing_data(expected, campaign_name, missing_at);
                    tell(&mut transaction, webhooks, Event::FileMissing, &data, None, None).await?;
                }
                transaction.commit().await.map_err(Error::commit_unknown)?;
                Ok(true)
            }

            async fn list_expected(
                &self,
                asked: &$crate::model::ExpectedQuery,
            ) -> Result<Vec<$crate::model::ExpectedFile>, Error> {
                let what = "list expected files";
                let page = sqlx::query(concat!(
                    query_file!("expected_page"),
                    query_file!("expected_filter"),
                    " order by e.due_at desc, e.campaign_name, e.bucket limit $4 offset $5"
                ));
                let page = expected!(page, asked).bind(i64::from(asked.limit)).bind(signed(asked.offset));
                let rows = page.fetch_all(&self.reader).await.map_err(Error::while_doing(what))?;
                rows.iter().map(read_expected_file).collect::<Result<_, _>>().map_err(Error::while_doing(what))
            }

            async fn count_expected(&self, asked: &$crate::model::ExpectedQuery) -> Result<u64, Error> {
                let count = concat!("select count(*) ", query_file!("expected_filter"));
                let count = expected!(sqlx::query_scalar(count), asked).fetch_one(&self.reader).await;
                count.map(unsigned).map_err(Error::while_doing("count expected files"))
            }

            async fn expected_now(&self, bucket: &str) -> Result<Vec<$crate::model::ExpectedNow>, Error> {
                let what = "look where expected files stand";
                let rows = sqlx::query(query_file!("expected_now")).bind(bucket).fetch_all(&self.reader).await;
                let rows = rows.map_err(Error::while_doing(what))?;
                let read = |row: &<Db as sqlx::Database>::Row| {
                    let status: Option<String> = row.try_get("status")?;
                    Ok($crate::model::ExpectedNow {
                        campaign_name: row.try_get("campaign_name")?,
                        status: status.as_deref().and_then($crate::model::ExpectedStatus::parse),
                        next_due_at: row.try_get("next_due_at")?,
                    })
                };
                rows.iter().map(read).collect::<Result<_, _>>().map_err(Error::while_doing(what))
            }
        }
    };
}
