-- $1 campaign's name, or null for any. Batches that may hold requests, the oldest first, and what they were made of.
select b.batch_key, b.batch_id, b.campaign_name, u.bucket, u.key
from batches b join uploads u using (upload_id)
where b.status <> 'FAILED' and ($1 is null or b.campaign_name = $1)
  and not exists (select 1 from purged_batches p where p.batch_id = b.batch_id)
order by b.batch_key
