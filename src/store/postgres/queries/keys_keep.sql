-- $1 campaign; $2 field; $3 batch. Of rows with the same key, which a batch has that was loaded before the field was
-- unique, the first. In the order of the index, which takes them faster so.
insert into unique_keys (campaign_id, field, key, batch_key, row_number)
select distinct on (key) $1, $2, key, $3, row_number
from (select case when $2 = 'reference_id' then reference_id else target end collate "C" as key, row_number
      from request_rows
      where batch_key = $3 and error_code is null) as kept
order by key, row_number
