-- $1 campaign; $2 field; $3 batch; $4 a JSON array of {key, row_number}.
insert into unique_keys (campaign_id, field, key, batch_key, row_number)
select $1, $2, e.key, $3, e.row_number
from jsonb_to_recordset($4::jsonb) as e (key text, row_number integer)
order by e.row_number
on conflict do nothing
