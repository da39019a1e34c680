-- $1 batch; $2 its new status; $3 its new expires_on, or null; $4 who; $5 why, where it is canceled.
update batches
set status = $2, expires_on = strftime('%Y-%m-%dT%H:%M:%fZ', $3), created_by = coalesce(created_by, last_updated_by),
    last_updated_by = $4, last_updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
    deleted_at = case when $5 is not null then strftime('%Y-%m-%dT%H:%M:%fZ', 'now') end, deleted_reason = $5
where batch_key = $1
