-- $1 batch; $2 how many at most.
with piece as (select row_number from request_rows where batch_key = $1 order by row_number limit $2 for update)
delete from request_rows r using piece where r.batch_key = $1 and r.row_number = piece.row_number
