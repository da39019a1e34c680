-- $1 upload; $2 token; $3 final status; $4 batch, where there is one; $5 code; $6 message.
-- The token stays: who lost the answer to a commit finds here whether it was its own.
update uploads
set status = $3, available_at = null, settled_at = clock_timestamp(), batch_id = $4, error_code = $5, error_message = $6
where upload_id = $1 and claim_token = $2 and status = 'CLAIMED'
