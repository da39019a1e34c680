-- $1 upload; $2 token; $3 lease in seconds. No row: another worker answers.
update uploads
set answer_due_at = clock_timestamp() + make_interval(secs => $3)
where upload_id = $1 and answer_token = $2 and answer_due_at is not null
