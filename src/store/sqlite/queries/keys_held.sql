-- $1 campaign; $2 field; $3 seconds that the window is long; $4 keys as a JSON array. Who holds which of them: the row
-- of the oldest batch that counts.
select k.key, b.batch_id, k.row_number
from json_each($4) as asked
cross join unique_keys k on k.campaign_id = $1 and k.field = $2 and k.key = asked.value
join batches b on b.batch_key = k.batch_key
where b.status not in ('FAILED', 'CANCELED') and b.created_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', -$3 || ' seconds')
order by b.created_at, k.batch_key
