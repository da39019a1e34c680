-- $1 upload; $2 error_code, or null: exactly one of them is given.
-- Works on uploads that came to nothing as if they had just been seen; one that waits for its next attempt need not
-- wait. What is loaded, or being worked on, stays as it is. A FAILED batch stays too, and a new one comes beside it.
update uploads
set status = 'WAITING', available_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), settled_at = null, attempts = 0, claim_token = null, batch_id = null,
    error_code = null, error_message = null, answer_due_at = null, answer_attempts = 0, answer_token = null,
    answer_error = null, answered_at = null
where status in ('WAITING', 'FAILED', 'REJECTED', 'GONE') and (upload_id = $1 or error_code = $2)
returning upload_id
