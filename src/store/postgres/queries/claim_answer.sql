-- $1 bucket; $2 new token; $3 lease in seconds.
-- The answer that has been owed longest: a new one, one whose next try is due, or one whose lease ended. The try is
-- counted here, before the work.
with next as (
    select upload_id from uploads
    where bucket = $1 and answer_due_at <= clock_timestamp()
    order by answer_due_at, upload_id
    limit 1
    for no key update skip locked
)
update uploads u
set answer_token = $2, answer_attempts = answer_attempts + 1, answer_due_at = clock_timestamp() + make_interval(secs => $3)
from next
where u.upload_id = next.upload_id
returning u.upload_id, u.key, u.version, u.size_bytes, u.modified_at, u.status, u.batch_id, u.error_code, u.error_message,
          u.seen_at, u.settled_at, u.answer_attempts
