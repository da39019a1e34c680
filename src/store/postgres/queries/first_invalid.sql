-- $1 batch_ids, $2 error_codes, both as JSON arrays. Of each of these batches the first row with one of these codes.
-- The rows that were not PENDING are read in order up to that one.
select b.batch_id, first.line, first.error_message
from jsonb_array_elements_text($1::jsonb) as wanted (batch_id)
join batches b using (batch_id)
cross join lateral (select r.line, r.error_message from request_rows r
                    where r.batch_key = b.batch_key and r.error_code is not null
                      and r.error_code = any (array(select jsonb_array_elements_text($2::jsonb)))
                    order by r.row_number
                    limit 1) as first
