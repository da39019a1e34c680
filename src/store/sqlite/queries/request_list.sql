-- $1 batch_id; $2 the last row_number already read; $3 how many are looked at; $4 reference_id, or null; $5 status, or
-- null.
select r.batch_id, r.row_number, r.line, r.reference_id, r.target, r.target_extension, r.request_variables as request_variables,
       r.request_status, r.error_code, r.error_message, r.duplicate_of_batch_id, r.duplicate_of_row, r.created_at,
       r.sent_at, r.attempt_count
from requests r
where r.batch_id = $1 and r.row_number > $2 and r.row_number <= $2 + $3
  and ($4 is null or r.reference_id = $4) and ($5 is null or r.request_status = $5)
order by r.row_number
