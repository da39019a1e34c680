-- Steering: batches are held, resumed, canceled, given a time to expire. Released: never edited again.

-- Who published a batch, once others have changed it; until then last_updated_by says it.
alter table batches add column created_by text;

-- What operators did, one row a change, numbered within the batch. What the batch itself tells is not written here a second
-- time: people read the view batch_events.
create table batch_changes (
    batch_key  integer     not null references batches,
    sequence   integer     not null,
    at         timestamptz not null,
    event      text        not null check (event in ('HELD', 'RESUMED', 'CANCELED', 'EXPIRY_SET')),
    actor      text        not null,
    reason     text,
    expires_on timestamptz,
    primary key (batch_key, sequence)
);

-- A batch is EXPIRED because its time has come, and not because somebody ran to say so: the status is derived wherever it is
-- read. `at` is given, for what is current differs between a reader and a guard.
create function batch_status(status text, expires_on timestamptz, at timestamptz) returns text
    language sql immutable parallel safe as $$
    select case when status in ('ACTIVE', 'PAUSED') and expires_on <= at then 'EXPIRED' else status end
$$;

create or replace view batch_details as
select b.batch_id, b.campaign_id, b.expires_on, batch_status(b.status, b.expires_on, statement_timestamp()) = 'PAUSED' as paused,
       batch_status(b.status, b.expires_on, statement_timestamp()) as status, b.upload_filename,
       b.created_at, b.last_updated_at, b.deleted_at, b.deleted_reason, b.last_updated_by, b.error_message,
       (select coalesce(jsonb_object_agg(t.request_status, t.requests), '{}')
        from (select request_status, sum(change)::bigint as requests from request_tally
              where batch_key = b.batch_key group by request_status having sum(change) <> 0) as t) as status_counts,
       b.campaign_name, b.upload_id, b.error_code, b.rows_read, b.bytes_read, b.sha256, b.encoding, b.delimiter,
       b.filename_date, u.seen_at, b.claimed_at, b.received_on, b.number,
       b.quote, b.quote_escape, b.newline, b.compression, b.header_line
from batches b join uploads u using (upload_id);

comment on column batch_details.expires_on is 'When it becomes EXPIRED by itself; null for never.';
comment on column batch_details.status is 'ACTIVE, PAUSED (on hold), FAILED (error_message says why), CANCELED, EXPIRED (past expires_on).';

create or replace view requests as
select b.batch_id, r.row_number, r.line, r.reference_id, r.target,
       request_variables(b.variable_names, r.cells) as request_variables, r.request_status, r.error_code, r.error_message,
       case when r.duplicate_of_row is not null then coalesce(r.duplicate_of_batch, b.batch_id) end as duplicate_of_batch_id,
       r.duplicate_of_row, b.created_at, r.sent_at, coalesce(r.attempt_count, 0) as attempt_count, r.target_extension,
       batch_status(b.status, b.expires_on, statement_timestamp()) as batch_status
from request_rows r join batches b using (batch_key);

comment on column requests.batch_status is 'Status of the batch. PENDING requests can be taken while it is ACTIVE.';

create view batch_events as
select b.batch_id, 0 as sequence, b.created_at as at, case b.status when 'FAILED' then 'FAILED' else 'PUBLISHED' end as event,
       coalesce(b.created_by, b.last_updated_by) as actor, b.error_message as reason, null::timestamptz as expires_on
from batches b
union all
select b.batch_id, c.sequence, c.at, c.event, c.actor, c.reason, c.expires_on
from batch_changes c join batches b using (batch_key)
union all
select b.batch_id, (select count(*)::integer + 1 from batch_changes c where c.batch_key = b.batch_key), b.expires_on, 'EXPIRED',
       null, null, b.expires_on
from batches b
where b.status in ('ACTIVE', 'PAUSED') and b.expires_on <= statement_timestamp();

comment on view batch_events is 'What happened to batches, one row an event. Order by batch_id, sequence.';
comment on column batch_events.batch_id is 'The batch.';
comment on column batch_events.sequence is 'Place among the batch''s events, from 0.';
comment on column batch_events.at is 'When.';
comment on column batch_events.event is 'PUBLISHED or FAILED, then HELD, RESUMED, CANCELED, EXPIRY_SET, EXPIRED.';
comment on column batch_events.actor is 'Who, as an e-mail address; null for EXPIRED, which is time''s doing.';
comment on column batch_events.reason is 'Why, as the actor said; for FAILED, the error_message.';
comment on column batch_events.expires_on is 'EXPIRY_SET, EXPIRED: the time to expire; null where it was taken away.';

-- An update through the view. As before, the stored status must still be the one that the statement saw. New is that a
-- PENDING request is only taken while its batch is ACTIVE. Whoever steers a batch and whoever takes its requests exclude each
-- other, so that a taking is wholly before a cancel or finds it done: takers share the batch's turn and its row, and do not
-- wait for each other. The turn is an advisory lock since those are granted in the order of asking: a stream of takers could
-- keep a cancel waiting for the row alone for ever. The row is locked too, for who changes it by hand, and for takers whose
-- transaction reads an old snapshot: PostgreSQL then refuses them. 1265 is a number of ours, beside that of a campaign's turn.
create or replace function requests_update() returns trigger language plpgsql as $$
declare
    key integer;
begin
    if (new.batch_id, new.row_number, new.line, new.reference_id, new.target, new.request_variables, new.error_code,
        new.error_message, new.duplicate_of_batch_id, new.duplicate_of_row, new.created_at, new.target_extension, new.batch_status)
       is distinct from
       (old.batch_id, old.row_number, old.line, old.reference_id, old.target, old.request_variables, old.error_code,
        old.error_message, old.duplicate_of_batch_id, old.duplicate_of_row, old.created_at, old.target_extension, old.batch_status) then
        raise exception 'of a request, only request_status, sent_at and attempt_count may be changed'
            using errcode = 'feature_not_supported';
    end if;
    select b.batch_key into key from batches b where b.batch_id = old.batch_id;
    -- To write off a request that nobody will contact is no taking.
    if old.request_status = 'PENDING' and new.request_status not in ('PENDING', 'CANCELED') then
        perform pg_advisory_xact_lock_shared(1265, key);
        perform from batches b
        where b.batch_key = key and batch_status(b.status, b.expires_on, clock_timestamp()) = 'ACTIVE'
        for share;
        if not found then
            return null;
        end if;
    end if;
    update request_rows r
    set request_status = new.request_status, sent_at = new.sent_at, attempt_count = new.attempt_count
    where r.batch_key = key and r.row_number = old.row_number and r.request_status = old.request_status;
    if not found then
        return null;
    end if;
    return new;
end $$;
