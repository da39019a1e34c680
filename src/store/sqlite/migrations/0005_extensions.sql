-- Extensions of phone numbers, as in PostgreSQL's migration of the same number. Released: never edited again.

alter table request_rows add column target_extension text;

-- The name of a cell is taken out of the batch's names by its place. A join with the names went through all of them, row by
-- row, for each cell: seconds for one request of a file with thousands of columns.
drop view requests;
create view requests as
select b.batch_id, r.row_number, r.line, r.reference_id, r.target,
       (select json_group_object(coalesce(b.variable_names ->> cell.key, '_extra_' || (cell.key + 1 - json_array_length(b.variable_names))), cell.value)
        from json_each(r.cells) as cell) as request_variables,
       r.request_status, r.error_code, r.error_message,
       case when r.duplicate_of_row is not null then coalesce(r.duplicate_of_batch, b.batch_id) end as duplicate_of_batch_id,
       r.duplicate_of_row, b.created_at, r.sent_at, coalesce(r.attempt_count, 0) as attempt_count, r.target_extension
from request_rows r join batches b using (batch_key);

-- As before; the view's trigger went with it.
create trigger requests_update instead of update on requests
begin
    select raise(abort, 'of a request, only request_status, sent_at and attempt_count may be changed')
    where (new.batch_id, new.row_number, new.line, new.reference_id, new.target, new.request_variables, new.error_code,
           new.error_message, new.duplicate_of_batch_id, new.duplicate_of_row, new.created_at, new.target_extension)
          is not
          (old.batch_id, old.row_number, old.line, old.reference_id, old.target, old.request_variables, old.error_code,
           old.error_message, old.duplicate_of_batch_id, old.duplicate_of_row, old.created_at, old.target_extension);
    update request_rows
    set request_status = new.request_status, sent_at = new.sent_at, attempt_count = new.attempt_count
    where batch_key = (select batch_key from batches where batch_id = old.batch_id)
      and row_number = old.row_number and request_status = old.request_status;
end;
