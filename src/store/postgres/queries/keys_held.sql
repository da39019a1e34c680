-- $1 campaign; $2 field; $3 seconds that the window is long; $4 keys as a JSON array. Who holds which of them: the row
-- of the oldest batch that counts. `offset 0` keeps the planner from turning this into a join that reads all of the
-- campaign's keys, which it does where it has no statistics yet.
select k.key, b.batch_id, k.row_number
from jsonb_array_elements_text($4::jsonb) as asked(key)
cross join lateral (select k.key, k.batch_key, k.row_number from unique_keys k
                    where k.campaign_id = $1 and k.field = $2 and k.key = asked.key
                    offset 0) as k
join batches b on b.batch_key = k.batch_key
where b.status not in ('FAILED', 'CANCELED') and b.created_at > clock_timestamp() - make_interval(secs => $3)
order by b.created_at, k.batch_key
