-- $1 status, or null; $2 campaign's name, or null; $3 bucket, or null for all.
from expected_files e
left join uploads u on u.upload_id = e.upload_id
left join batches b on b.batch_id = e.batch_id
where ($1::text is null or e.status = $1) and ($2::text is null or e.campaign_name = $2)
  and ($3::text is null or e.bucket = $3)
