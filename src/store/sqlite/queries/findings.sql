-- $1 batch_id. Why rows were not PENDING at intake: each code with its count and the first row and line it stands on.
-- The index is named, since the table itself begins with the batch too, and would be read through.
select error_code, count(*) as requests, min(row_number) as first_row, min(line) as first_line
from request_rows indexed by request_rows_rejects
where batch_key = (select batch_key from batches where batch_id = $1) and error_code is not null
group by error_code
order by requests desc, error_code
