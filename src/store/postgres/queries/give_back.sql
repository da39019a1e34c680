-- $1 upload; $2 token. The attempt is not counted: the worker was asked to stop, nothing failed.
update uploads
set status = 'WAITING', available_at = clock_timestamp(), claim_token = null, attempts = attempts - 1
where upload_id = $1 and claim_token = $2 and status = 'CLAIMED'
