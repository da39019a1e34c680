-- $1 upload; $2 token.
update uploads
set answer_due_at = null, answer_token = null, answer_error = null, answered_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
where upload_id = $1 and answer_token = $2 and answer_due_at is not null
