-- The ledger, batches and requests, as in PostgreSQL's migration of the same number; what a column means is told there
-- and in the README. Times are text, ISO 8601 in UTC with milliseconds, so that they sort. Released: never edited again.

create table uploads (
    upload_id     integer primary key autoincrement,
    bucket        text    not null,
    key           text    not null,
    version       text    not null,
    size_bytes    integer not null,
    modified_at   text    not null,
    seen_at       text    not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    status        text    not null default 'WAITING'
                  check (status in ('WAITING', 'CLAIMED', 'LOADED', 'FAILED', 'REJECTED', 'GONE')),
    attempts      integer not null default 0,
    available_at  text    default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    claim_token   text,
    claimed_by    text,
    claimed_at    text,
    batch_id      text,
    error_code    text,
    error_message text,
    settled_at    text,
    unique (bucket, key, version),
    check ((available_at is null) <> (settled_at is null))
) strict;
create index uploads_open on uploads (bucket, available_at) where available_at is not null;

create table batch_numbers (
    received_on text    primary key,
    last_number integer not null
) strict;

create table batches (
    batch_key       integer primary key,
    batch_id        text    not null unique,
    received_on     text    not null,
    number          integer not null,
    campaign_id     integer not null,
    campaign_name   text    not null,
    upload_id       integer not null references uploads,
    upload_filename text    not null,
    filename_date   text,
    status          text    not null check (status in ('PENDING', 'ACTIVE', 'PAUSED', 'FAILED', 'CANCELED', 'EXPIRED')),
    expires_on      text,
    created_at      text    not null,
    last_updated_at text    not null,
    last_updated_by text    not null,
    deleted_at      text,
    deleted_reason  text,
    error_code      text,
    error_message   text,
    rows_read       integer not null,
    bytes_read      integer not null,
    sha256          text,
    encoding        text,
    delimiter       text,
    claimed_at      text    not null,
    variable_names  text    not null,
    allow_repeats   integer not null,
    unique (received_on, number),
    check ((status = 'FAILED') = (error_message is not null)),
    check ((deleted_at is null) = (deleted_reason is null))
) strict;
create unique index batches_content on batches (campaign_id, sha256)
    where allow_repeats = 0 and status not in ('FAILED', 'CANCELED');
create index batches_upload on batches (upload_id);

-- `cells` is a JSON array of strings. Clustered by its key, and so written from front to back.
create table request_rows (
    batch_key          integer not null,
    row_number         integer not null,
    line               integer not null,
    request_status     text    not null,
    reference_id       text    not null,
    target             text    not null,
    cells              text    not null,
    error_code         text,
    error_message      text,
    duplicate_of_batch text,
    duplicate_of_row   integer,
    sent_at            text,
    attempt_count      integer,
    primary key (batch_key, row_number)
) strict, without rowid;
create index request_rows_findings on request_rows (batch_key, error_code, row_number) where error_code is not null;

create table request_tally (
    batch_key      integer not null,
    request_status text    not null,
    requests       integer not null,
    primary key (batch_key, request_status)
) strict, without rowid;

-- There is one writer at a time, so the counts are kept in place.
create trigger request_tally_follow after update of request_status on request_rows
when old.request_status is not new.request_status
begin
    update request_tally set requests = requests - 1
    where batch_key = old.batch_key and request_status = old.request_status;
    insert into request_tally (batch_key, request_status, requests)
    values (new.batch_key, new.request_status, 1)
    on conflict do update set requests = requests + 1;
end;

create view batch_details as
select b.batch_id, b.campaign_id, b.expires_on, b.status = 'PAUSED' as paused, b.status, b.upload_filename,
       b.created_at, b.last_updated_at, b.deleted_at, b.deleted_reason, b.last_updated_by, b.error_message,
       (select json_group_object(t.request_status, t.requests) from request_tally t
        where t.batch_key = b.batch_key and t.requests <> 0) as status_counts,
       b.campaign_name, b.upload_id, b.error_code, b.rows_read, b.bytes_read, b.sha256, b.encoding, b.delimiter,
       b.filename_date, u.seen_at, b.claimed_at, b.received_on, b.number
from batches b join uploads u using (upload_id);

create view requests as
select b.batch_id, r.row_number, r.line, r.reference_id, r.target,
       (select json_group_object(coalesce(name.value, '_extra_' || (cell.key + 1 - json_array_length(b.variable_names))), cell.value)
        from json_each(r.cells) as cell left join json_each(b.variable_names) as name on name.key = cell.key) as request_variables,
       r.request_status, r.error_code, r.error_message,
       case when r.duplicate_of_row is not null then coalesce(r.duplicate_of_batch, b.batch_id) end as duplicate_of_batch_id,
       r.duplicate_of_row, b.created_at, r.sent_at, coalesce(r.attempt_count, 0) as attempt_count
from request_rows r join batches b using (batch_key);

-- Senders may update three columns through the view; an update of any other is refused, and not left out in silence.
-- The status that the statement saw must still stand.
create trigger requests_update instead of update on requests
begin
    select raise(abort, 'of a request, only request_status, sent_at and attempt_count may be changed')
    where (new.batch_id, new.row_number, new.line, new.reference_id, new.target, new.request_variables, new.error_code,
           new.error_message, new.duplicate_of_batch_id, new.duplicate_of_row, new.created_at)
          is not
          (old.batch_id, old.row_number, old.line, old.reference_id, old.target, old.request_variables, old.error_code,
           old.error_message, old.duplicate_of_batch_id, old.duplicate_of_row, old.created_at);
    update request_rows
    set request_status = new.request_status, sent_at = new.sent_at, attempt_count = new.attempt_count
    where batch_key = (select batch_key from batches where batch_id = old.batch_id)
      and row_number = old.row_number and request_status = old.request_status;
end;
