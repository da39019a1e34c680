-- $1 batch_ids, $2 error_codes, both as JSON arrays. Of each of these batches the first row with one of these codes.
-- The rows that were not PENDING are read in order up to that one.
select b.batch_id, r.line, r.error_message
from json_each($1) as wanted
join batches b on b.batch_id = wanted.value
join request_rows r on r.batch_key = b.batch_key and r.row_number = (
    select f.row_number from request_rows f indexed by request_rows_rejects
    where f.batch_key = b.batch_key and f.error_code is not null and f.error_code in (select value from json_each($2))
    order by f.row_number
    limit 1)
