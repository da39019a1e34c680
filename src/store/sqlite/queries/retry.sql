-- $1 upload; $2 token; $3 what went wrong; $4 seconds to wait.
update uploads
set status = 'WAITING', available_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', $4 || ' seconds'), claim_token = null,
    error_code = 'INTERNAL_ERROR', error_message = $3
where upload_id = $1 and claim_token = $2 and status = 'CLAIMED'
