-- $1 campaign; $2 field; $3 batch; $4 a JSON array of {key, row_number}.
insert into unique_keys (campaign_id, field, key, batch_key, row_number)
select $1, $2, json_extract(value, '$.key'), $3, json_extract(value, '$.row_number')
from json_each($4)
where true
order by 5
on conflict do nothing
