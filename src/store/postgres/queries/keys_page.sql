-- $1 batch; $2 the row before; $3 how many. Rows that were PENDING at intake.
select row_number, target from request_rows
where batch_key = $1 and row_number > $2 and error_code is null
order by row_number
limit $3
