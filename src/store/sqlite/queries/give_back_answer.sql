-- $1 upload; $2 token. The try is not counted: the worker was asked to stop, nothing failed.
update uploads
set answer_due_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), answer_token = null, answer_attempts = answer_attempts - 1
where upload_id = $1 and answer_token = $2 and answer_due_at is not null
