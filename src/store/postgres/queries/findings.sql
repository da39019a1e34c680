-- $1 batch_id. Why rows were not PENDING at intake: each code with its count and the first row and line it stands on.
select error_code, count(*) as requests, min(row_number)::bigint as first_row, min(line)::bigint as first_line
from request_rows
where batch_key = (select batch_key from batches where batch_id = $1) and error_code is not null
group by error_code
order by requests desc, error_code
