-- $1 batch; $2 its new status; $3 its new expires_on, or null; $4 who; $5 why, where it is canceled.
update batches
set status = $2, expires_on = $3, created_by = coalesce(created_by, last_updated_by), last_updated_by = $4,
    last_updated_at = clock.at, deleted_at = case when $5::text is not null then clock.at end, deleted_reason = $5
from (select clock_timestamp() as at) as clock
where batch_key = $1
