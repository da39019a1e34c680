-- $1 campaign; $2 field; $3 seconds that the window is long; $4 keys as a JSON array. Who holds which of them: the row of
-- the oldest batch that counts.
select k.key, b.batch_id, k.row_number
from jsonb_array_elements_text($4::jsonb) as asked(key)
join unique_keys k on k.campaign_id = $1 and k.field = $2 and k.key = asked.key
join batches b on b.batch_key = k.batch_key
where b.status not in ('FAILED', 'CANCELED') and b.created_at > clock_timestamp() - make_interval(secs => $3)
order by b.created_at, k.batch_key
