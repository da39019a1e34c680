-- $1 upload; $2 token. The batch that a claim came to, if its commit took place, and the code of one that FAILED.
select batch_id, error_code from uploads
where upload_id = $1 and claim_token = $2 and status in ('LOADED', 'FAILED')
