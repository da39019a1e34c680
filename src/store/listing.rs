//! Lists of batches and uploads: filtered, in an order, page by page; bound once for both databases, as in `sql.rs`.
//!
//! Each order is a fixed text of this file. What a user typed is only ever a parameter.

macro_rules! listing_sql {
    ($Store:ident) => {
        /// The statement of a page in an order. The page is cut from the batches alone; only what is on it is then
        /// looked at more closely, its uploads and its counts.
        fn batch_page(order: BatchOrder, direction: Direction) -> &'static str {
            macro_rules! ordered {
                ($order:expr) => {
                    concat!(
                        query_file!("batch_columns"),
                        query_file!("batch_page"),
                        query_file!("batch_filter"),
                        " order by ",
                        $order,
                        " limit $11 offset $12) order by ",
                        $order
                    )
                };
            }
            /// Which of the two by the direction; the same by day and number.
            macro_rules! by {
                ($column:literal) => {
                    match direction {
                        Direction::Ascending => {
                            ordered!(concat!($column, " asc nulls last, received_on asc, number asc"))
                        }
                        Direction::Descending => {
                            ordered!(concat!($column, " desc nulls last, received_on desc, number desc"))
                        }
                    }
                };
            }
            match (order, direction) {
                (BatchOrder::BatchId, Direction::Ascending) => ordered!("received_on asc, number asc"),
                (BatchOrder::BatchId, Direction::Descending) => ordered!("received_on desc, number desc"),
                (BatchOrder::CampaignId, _) => by!("campaign_id"),
                (BatchOrder::CampaignName, _) => by!("campaign_name"),
                (BatchOrder::Status, _) => by!("status"),
                (BatchOrder::Filename, _) => by!("upload_filename"),
                (BatchOrder::RowsRead, _) => by!("rows_read"),
                (BatchOrder::CreatedAt, _) => by!("created_at"),
                (BatchOrder::LastUpdatedAt, _) => by!("last_updated_at"),
                (BatchOrder::ExpiresOn, _) => by!("expires_on"),
            }
        }

        /// A number for a statement; beyond what the database can count, there is nothing anyway.
        fn signed(number: u64) -> i64 {
            i64::try_from(number).unwrap_or(i64::MAX)
        }

        /// Binds what batches are filtered by.
        macro_rules! filtered {
            ($query:expr, $asked:ident) => {
                $query
                    .bind($asked.batch_id.as_deref())
                    .bind($asked.campaign_id)
                    .bind($asked.campaign_name.as_deref())
                    .bind($asked.status.map(BatchStatus::as_str))
                    .bind($asked.filename.as_deref())
                    .bind($asked.last_updated_by.as_deref())
                    .bind($asked.created_from)
                    .bind($asked.created_before)
                    .bind($asked.expires_on)
                    .bind($asked.last_updated_at)
            };
        }

        /// Whether only open uploads are asked for: few among all that ever were. They are found by the index of those,
        /// if its condition is named, and if the order is none that another index gives.
        fn are_open(asked: &UploadQuery) -> bool {
            matches!(asked.status, Some(UploadStatus::Waiting | UploadStatus::Claimed))
        }

        const UPLOADS: &str = concat!(
            query_file!("upload_page"),
            query_file!("upload_filter"),
            " order by upload_id desc limit $3 offset $4"
        );
        const OPEN_UPLOADS: &str = concat!(
            query_file!("upload_page"),
            query_file!("upload_filter"),
            " and available_at is not null order by upload_id + 0 desc limit $3 offset $4"
        );
        const UPLOAD_COUNT: &str = concat!("select count(*) ", query_file!("upload_filter"));
        const OPEN_UPLOAD_COUNT: &str =
            concat!("select count(*) ", query_file!("upload_filter"), " and available_at is not null");

        #[async_trait::async_trait]
        impl Listing for $Store {
            async fn list_batches(&self, asked: &BatchQuery) -> Result<Vec<Batch>, Error> {
                let page = filtered!(sqlx::query(batch_page(asked.order, asked.direction)), asked)
                    .bind(i64::from(asked.limit))
                    .bind(signed(asked.offset));
                let rows = page.fetch_all(&self.reader).await.map_err(Error::while_doing("list batches"))?;
                rows.iter().map(read_batch).collect::<Result<_, _>>().map_err(Error::while_doing("list batches"))
            }

            async fn count_batches(&self, asked: &BatchQuery) -> Result<u64, Error> {
                let count = concat!("select count(*) ", query_file!("batch_filter"));
                let count = filtered!(sqlx::query_scalar(count), asked).fetch_one(&self.reader).await;
                count.map(unsigned).map_err(Error::while_doing("count batches"))
            }

            async fn list_uploads(&self, asked: &UploadQuery) -> Result<Vec<Upload>, Error> {
                let page = sqlx::query(if are_open(asked) { OPEN_UPLOADS } else { UPLOADS })
                    .bind(asked.status.map(UploadStatus::as_str))
                    .bind(asked.key.as_deref())
                    .bind(i64::from(asked.limit))
                    .bind(signed(asked.offset));
                let rows = page.fetch_all(&self.reader).await.map_err(Error::while_doing("list uploads"))?;
                rows.iter().map(read_upload).collect::<Result<_, _>>().map_err(Error::while_doing("list uploads"))
            }

            async fn count_uploads(&self, asked: &UploadQuery) -> Result<u64, Error> {
                let count = sqlx::query_scalar(if are_open(asked) { OPEN_UPLOAD_COUNT } else { UPLOAD_COUNT })
                    .bind(asked.status.map(UploadStatus::as_str))
                    .bind(asked.key.as_deref());
                count.fetch_one(&self.reader).await.map(unsigned).map_err(Error::while_doing("count uploads"))
            }

            async fn refused_uploads(&self, limit: u32) -> Result<Vec<Upload>, Error> {
                let failed = || Error::while_doing("list refused uploads");
                let refused = concat!(query_file!("upload_page"), query_file!("refused_uploads"));
                let rows = sqlx::query(refused).bind(i64::from(limit)).fetch_all(&self.reader).await;
                rows.map_err(failed())?.iter().map(read_upload).collect::<Result<_, _>>().map_err(failed())
            }

            async fn upload(&self, upload_id: i64) -> Result<Option<Upload>, Error> {
                let one = concat!(query_file!("upload_page"), " from uploads where upload_id = $1");
                let row = sqlx::query(one).bind(upload_id).fetch_optional(&self.reader).await;
                let row = row.map_err(Error::while_doing("read an upload"))?;
                row.as_ref().map(read_upload).transpose().map_err(Error::while_doing("read an upload"))
            }
        }
    };
}
