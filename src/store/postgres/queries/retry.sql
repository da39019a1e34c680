-- $1 upload; $2 token; $3 what went wrong; $4 seconds to wait.
update uploads
set status = 'WAITING', available_at = clock_timestamp() + make_interval(secs => $4), claim_token = null,
    error_code = 'INTERNAL_ERROR', error_message = $3
where upload_id = $1 and claim_token = $2 and status = 'CLAIMED'
