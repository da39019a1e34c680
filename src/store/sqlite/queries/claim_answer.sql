-- $1 bucket; $2 new token; $3 lease in seconds.
-- The answer that has been owed longest: a new one, one whose next try is due, or one whose lease ended. The try is
-- counted here, before the work.
update uploads
set answer_token = $2, answer_attempts = answer_attempts + 1, answer_due_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', $3 || ' seconds')
where upload_id = (select upload_id from uploads
                   where bucket = $1 and answer_due_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
                   order by answer_due_at, upload_id
                   limit 1)
returning upload_id, key, version, size_bytes, modified_at, status, batch_id, error_code, error_message, seen_at, settled_at,
          answer_attempts
