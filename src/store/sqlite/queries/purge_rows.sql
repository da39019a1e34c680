-- $1 batch; $2 how many at most.
delete from request_rows
where batch_key = $1
  and row_number in (select row_number from request_rows where batch_key = $1 order by row_number limit $2)
