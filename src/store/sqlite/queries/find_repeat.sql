-- $1 campaign; $2 SHA-256. The batch that holds this content, FAILED and CANCELED ones not counted.
select batch_id from batches
where campaign_id = $1 and sha256 = $2 and status not in ('FAILED', 'CANCELED')
order by received_on, number
limit 1
