-- $1 campaign; $2 field; $3 batch. Of rows with the same key, which a batch has that was loaded before the field was
-- unique, the first. In the order of the keys, which the index takes faster.
insert into unique_keys (campaign_id, field, key, batch_key, row_number)
select $1, $2, case when $2 = 'reference_id' then reference_id else target end as key, batch_key, row_number
from request_rows
where batch_key = $3 and error_code is null
order by key, row_number
on conflict do nothing
