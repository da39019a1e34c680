-- $1 upload; $2 token. The upload, if the claim on it still stands.
select upload_id from uploads
where upload_id = $1 and claim_token = $2 and status = 'CLAIMED'
