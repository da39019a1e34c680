-- $1 upload; $2 token; $3 what went wrong; $4 seconds to wait.
update uploads
set answer_due_at = clock_timestamp() + make_interval(secs => $4), answer_token = null, answer_error = $3
where upload_id = $1 and answer_token = $2 and answer_due_at is not null
