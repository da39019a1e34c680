-- $1 batch_id; $2 the last row_number already read; $3 how many. The rows that were not PENDING at intake, with what
-- was sent.
select row_number, line, error_code, error_message, coalesce(sent_reference_id, reference_id) as reference_id,
       coalesce(sent_target, target) as target, to_json(cells)::text as cells
from request_rows
where batch_key = (select batch_key from batches where batch_id = $1) and error_code is not null and row_number > $2
order by row_number
limit $3
