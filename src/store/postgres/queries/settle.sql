-- $1 upload; $2 token; $3 final status; $4 batch, where there is one; $5 code; $6 message.
-- Whoever dropped the file is owed an answer, unless it is gone; that is written here so that no crash forgets it.
-- The token stays: who lost the answer to a commit finds here whether it was its own.
update uploads
set status = $3, available_at = null, settled_at = clock_timestamp(), batch_id = $4, error_code = $5, error_message = $6,
    answer_due_at = case when $3 <> 'GONE' then clock_timestamp() end
where upload_id = $1 and claim_token = $2 and status = 'CLAIMED'
