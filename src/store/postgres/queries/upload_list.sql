-- $1 status, or null; $2 how many. The newest first.
select upload_id, bucket, key, version, size_bytes, modified_at, seen_at, status, attempts, claimed_by, claimed_at, available_at, batch_id,
       error_code, error_message, settled_at, answer_due_at, answer_attempts, answer_error, answered_at
from uploads
where ($1::text is null or status = $1)
order by upload_id desc
limit $2
