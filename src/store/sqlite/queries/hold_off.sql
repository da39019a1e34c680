-- $1 upload; $2 token; $3 what it waits for; $4 seconds to wait. The attempt is not counted: nothing failed.
update uploads
set status = 'WAITING', available_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', $4 || ' seconds'), claim_token = null,
    attempts = attempts - 1, error_code = 'WAITS_FOR_LIST', error_message = $3
where upload_id = $1 and claim_token = $2 and status = 'CLAIMED'
