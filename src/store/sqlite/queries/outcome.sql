-- $1 upload; $2 token. What a claim came to, if its commit took place: a batch, and the code of one that FAILED; or no
-- batch and what is told of it, for the file of a suppression list.
select batch_id, error_code, error_message from uploads
where upload_id = $1 and claim_token = $2 and status in ('LOADED', 'FAILED')
