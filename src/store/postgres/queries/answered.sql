-- $1 upload; $2 token.
update uploads
set answer_due_at = null, answer_token = null, answer_error = null, answered_at = clock_timestamp()
where upload_id = $1 and answer_token = $2 and answer_due_at is not null
