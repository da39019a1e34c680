-- $1 upload; $2 token; $3 lease in seconds. No row: the claim was lost.
update uploads
set available_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', $3 || ' seconds')
where upload_id = $1 and claim_token = $2 and status = 'CLAIMED'
