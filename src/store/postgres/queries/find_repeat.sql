-- $1 campaign; $2 SHA-256. The batch that a new one of this content met in the index `batches_content`. The condition
-- is the index's own: without it, the batches are read from end to end.
select batch_id from batches
where campaign_id = $1 and sha256 = $2 and not allow_repeats and status not in ('FAILED', 'CANCELED')
