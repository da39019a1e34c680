-- Steering, as in PostgreSQL's migration of the same number, where it is told why. Released: never edited again.

alter table batches add column created_by text;

create table batch_changes (
    batch_key  integer not null references batches,
    sequence   integer not null,
    at         text    not null,
    event      text    not null check (event in ('HELD', 'RESUMED', 'CANCELED', 'EXPIRY_SET')),
    actor      text    not null,
    reason     text,
    expires_on text,
    primary key (batch_key, sequence)
) strict, without rowid;

drop view batch_details;
create view batch_details as
select b.batch_id, b.campaign_id, b.expires_on,
       b.status = 'PAUSED' and (b.expires_on is null or b.expires_on > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) as paused,
       case when b.status in ('ACTIVE', 'PAUSED') and b.expires_on <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') then 'EXPIRED'
       else b.status end as status,
       b.upload_filename, b.created_at, b.last_updated_at, b.deleted_at, b.deleted_reason, b.last_updated_by, b.error_message,
       (select json_group_object(t.request_status, t.requests) from request_tally t
        where t.batch_key = b.batch_key and t.requests <> 0) as status_counts,
       b.campaign_name, b.upload_id, b.error_code, b.rows_read, b.bytes_read, b.sha256, b.encoding, b.delimiter,
       b.filename_date, u.seen_at, b.claimed_at, b.received_on, b.number,
       b.quote, b.quote_escape, b.newline, b.compression, b.header_line
from batches b join uploads u using (upload_id);

drop view requests;
create view requests as
select b.batch_id, r.row_number, r.line, r.reference_id, r.target,
       (select json_group_object(coalesce(b.variable_names ->> cell.key, '_extra_' || (cell.key + 1 - json_array_length(b.variable_names))), cell.value)
        from json_each(r.cells) as cell) as request_variables,
       r.request_status, r.error_code, r.error_message,
       case when r.duplicate_of_row is not null then coalesce(r.duplicate_of_batch, b.batch_id) end as duplicate_of_batch_id,
       r.duplicate_of_row, b.created_at, r.sent_at, coalesce(r.attempt_count, 0) as attempt_count, r.target_extension,
       case when b.status in ('ACTIVE', 'PAUSED') and b.expires_on <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') then 'EXPIRED'
       else b.status end as batch_status
from request_rows r join batches b using (batch_key);

create view batch_events as
select b.batch_id, 0 as sequence, b.created_at as at, case b.status when 'FAILED' then 'FAILED' else 'PUBLISHED' end as event,
       coalesce(b.created_by, b.last_updated_by) as actor, b.error_message as reason, null as expires_on
from batches b
union all
select b.batch_id, c.sequence, c.at, c.event, c.actor, c.reason, c.expires_on
from batch_changes c join batches b using (batch_key)
union all
select b.batch_id, (select count(*) + 1 from batch_changes c where c.batch_key = b.batch_key), b.expires_on, 'EXPIRED',
       null, null, b.expires_on
from batches b
where b.status in ('ACTIVE', 'PAUSED') and b.expires_on <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now');

-- There is one writer at a time, so that what is read here still stands when the row is changed. A row that is left as it is
-- does not come back by `returning` either.
create trigger requests_update instead of update on requests
begin
    select raise(abort, 'of a request, only request_status, sent_at and attempt_count may be changed')
    where (new.batch_id, new.row_number, new.line, new.reference_id, new.target, new.request_variables, new.error_code,
           new.error_message, new.duplicate_of_batch_id, new.duplicate_of_row, new.created_at, new.target_extension, new.batch_status)
          is not
          (old.batch_id, old.row_number, old.line, old.reference_id, old.target, old.request_variables, old.error_code,
           old.error_message, old.duplicate_of_batch_id, old.duplicate_of_row, old.created_at, old.target_extension, old.batch_status);
    -- To write off a request that nobody will contact is no taking.
    select raise(ignore)
    where old.request_status = 'PENDING' and new.request_status not in ('PENDING', 'CANCELED')
      and not exists (select 1 from batches
                      where batch_id = old.batch_id and status = 'ACTIVE'
                        and (expires_on is null or expires_on > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')));
    update request_rows
    set request_status = new.request_status, sent_at = new.sent_at, attempt_count = new.attempt_count
    where batch_key = (select batch_key from batches where batch_id = old.batch_id)
      and row_number = old.row_number and request_status = old.request_status;
end;
