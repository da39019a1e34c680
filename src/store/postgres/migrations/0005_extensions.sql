-- Extensions of phone numbers, kept apart from the number: E.164 has no place for them. Released: never edited again.

-- Null for none. Rows of before have none: their extensions were refused.
alter table request_rows add column target_extension text;

create or replace view requests as
select b.batch_id, r.row_number, r.line, r.reference_id, r.target,
       request_variables(b.variable_names, r.cells) as request_variables, r.request_status, r.error_code, r.error_message,
       case when r.duplicate_of_row is not null then coalesce(r.duplicate_of_batch, b.batch_id) end as duplicate_of_batch_id,
       r.duplicate_of_row, b.created_at, r.sent_at, coalesce(r.attempt_count, 0) as attempt_count, r.target_extension
from request_rows r join batches b using (batch_key);

comment on column requests.target_extension is 'Extension to dial behind target, digits; null for none. Personal data.';

create or replace function requests_update() returns trigger language plpgsql as $$
begin
    if (new.batch_id, new.row_number, new.line, new.reference_id, new.target, new.request_variables, new.error_code,
        new.error_message, new.duplicate_of_batch_id, new.duplicate_of_row, new.created_at, new.target_extension)
       is distinct from
       (old.batch_id, old.row_number, old.line, old.reference_id, old.target, old.request_variables, old.error_code,
        old.error_message, old.duplicate_of_batch_id, old.duplicate_of_row, old.created_at, old.target_extension) then
        raise exception 'of a request, only request_status, sent_at and attempt_count may be changed'
            using errcode = 'feature_not_supported';
    end if;
    update request_rows r
    set request_status = new.request_status, sent_at = new.sent_at, attempt_count = new.attempt_count
    from batches b
    where b.batch_id = old.batch_id and r.batch_key = b.batch_key and r.row_number = old.row_number
      and r.request_status = old.request_status;
    if not found then
        return null;
    end if;
    return new;
end $$;
