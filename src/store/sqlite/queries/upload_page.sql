-- What is read of the uploads of a page; `upload_filter`, the order and the page follow.
select upload_id, bucket, key, version, size_bytes, modified_at, seen_at, status, attempts, claimed_by, claimed_at, available_at, batch_id,
       error_code, error_message, settled_at, answer_due_at, answer_attempts, answer_error, answered_at
