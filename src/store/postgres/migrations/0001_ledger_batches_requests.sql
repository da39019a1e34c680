-- The ledger, batches and requests. Released: never edited again; a change is a new file.

-- ---------------------------------------------------------------------------------------------------------------
-- The ledger: one row a version of an object ever seen in a bucket, whatever becomes of it. It never forgets, and
-- it alone decides what is new.
create table uploads (
    upload_id     bigint generated always as identity primary key,
    bucket        text        not null,
    key           text        not null,
    version       text        not null,
    size_bytes    bigint      not null,
    modified_at   timestamptz not null,
    seen_at       timestamptz not null default now(),
    status        text        not null default 'WAITING'
                  check (status in ('WAITING', 'CLAIMED', 'LOADED', 'FAILED', 'REJECTED', 'GONE')),
    attempts      integer     not null default 0,
    available_at  timestamptz default now(),
    claim_token   text,
    claimed_by    text,
    claimed_at    timestamptz,
    batch_id      text,
    error_code    text,
    error_message text,
    settled_at    timestamptz,
    unique (bucket, key, version),
    check ((available_at is null) <> (settled_at is null))
);
-- Claiming reads only this: it holds the open uploads, however many millions are settled.
create index uploads_open on uploads (bucket, available_at) where available_at is not null;

comment on table uploads is 'The ledger: every version of every object seen in a bucket, and what became of it. Rows are never deleted.';
comment on column uploads.upload_id is 'Number in the ledger.';
comment on column uploads.bucket is 'Address of the bucket: a folder''s path, or s3://bucket/prefix.';
comment on column uploads.key is 'The object''s full key.';
comment on column uploads.version is 'Tells this version from others under the same key: ETag@last-modified (S3), size-mtime-inode (folder).';
comment on column uploads.size_bytes is 'Size as listed.';
comment on column uploads.modified_at is 'When the bucket says that this version was written.';
comment on column uploads.seen_at is 'When it was first seen. Its day in the configured time zone is the day of receipt.';
comment on column uploads.status is 'WAITING, CLAIMED (a worker holds it), LOADED, FAILED (a batch with an error_message), REJECTED (no campaign takes it), GONE (deleted or replaced before it was read).';
comment on column uploads.attempts is 'How often it was claimed; counted before the work.';
comment on column uploads.available_at is 'WAITING: when the next attempt may start. CLAIMED: when the lease ends. Null once settled.';
comment on column uploads.claim_token is 'Fences: a worker whose token is no longer here changes nothing.';
comment on column uploads.claimed_by is 'Identity of the worker that claimed it last.';
comment on column uploads.claimed_at is 'When it was claimed last.';
comment on column uploads.batch_id is 'The batch it became.';
comment on column uploads.error_code is 'Code of the fault, or INTERNAL_ERROR.';
comment on column uploads.error_message is 'The fault; while WAITING, what went wrong on our side in the last attempt.';
comment on column uploads.settled_at is 'When it reached its final status.';

-- ---------------------------------------------------------------------------------------------------------------
-- The last number given to a batch on each day. A batch's number is taken in the transaction that publishes it, so
-- that numbers have no gap and are never reused.
create table batch_numbers (
    received_on date    primary key,
    last_number integer not null
);

-- Short keys for the stored rows, drawn when loading starts; a load that is rolled back leaves a gap here, which
-- nobody sees.
create sequence batch_keys as integer;

create table batches (
    batch_key       integer     primary key,
    batch_id        text        not null unique,
    received_on     date        not null,
    number          integer     not null,
    campaign_id     integer     not null,
    campaign_name   text        not null,
    upload_id       bigint      not null references uploads,
    upload_filename text        not null,
    filename_date   date,
    status          text        not null check (status in ('PENDING', 'ACTIVE', 'PAUSED', 'FAILED', 'CANCELED', 'EXPIRED')),
    expires_on      timestamptz,
    created_at      timestamptz not null,
    last_updated_at timestamptz not null,
    last_updated_by text        not null,
    deleted_at      timestamptz,
    deleted_reason  text,
    error_code      text,
    error_message   text,
    rows_read       bigint      not null,
    bytes_read      bigint      not null,
    sha256          text,
    encoding        text,
    delimiter       text,
    claimed_at      timestamptz not null,
    variable_names  text[]      not null,
    allow_repeats   boolean     not null,
    unique (received_on, number),
    check ((status = 'FAILED') = (error_message is not null)),
    check ((deleted_at is null) = (deleted_reason is null))
);
-- The promise that nobody is contacted twice by the same content, kept by the database itself: two workers that load
-- the same content at once cannot both publish it. FAILED and CANCELED batches do not count, so that a correction
-- goes through.
create unique index batches_content on batches (campaign_id, sha256)
    where not allow_repeats and status not in ('FAILED', 'CANCELED');
create index batches_upload on batches (upload_id);

-- ---------------------------------------------------------------------------------------------------------------
-- Requests as stored. The column names of the file stand once on the batch, the cells here as an array: that halves
-- the bytes and the time of a load against an object in each row. People read the view `requests`.
-- There is no foreign key to batches: its check a row would cost more than the row, and rows and batch are written
-- by one transaction only.
create table request_rows (
    batch_key          integer  not null,
    row_number         integer  not null,
    line               integer  not null,
    request_status     text     not null,
    reference_id       text     not null,
    target             text     not null,
    cells              text[]   not null,
    error_code         text,
    error_message      text,
    -- null where the key is held by a row of the same batch, whose id is not known yet when rows are written
    duplicate_of_batch text,
    duplicate_of_row   integer,
    sent_at            timestamptz,
    attempt_count      integer,
    primary key (batch_key, row_number)
);
-- The primary key is the only index over all rows: an index of reference_id would cost as much as everything else about a
-- row, and one over request_status would be touched by each update of a sender. Whoever looks for a reference_id names
-- the batch; whoever looks for one in all batches makes an index of their own (the README tells how, and what it costs).

-- The rows that were not PENDING at intake: few, and what people look for first.
create index request_rows_findings on request_rows (batch_key, error_code, row_number) where error_code is not null;

-- Counts by status, as changes that add up: a loader writes its counts, an update of request_status writes minus one
-- and plus one. Nothing here is ever updated in place, so that senders working on one batch never wait for each other.
create table request_tally (
    batch_key      integer not null,
    request_status text    not null,
    change         bigint  not null
);
create index request_tally_batch on request_tally (batch_key);

create function request_tally_follow() returns trigger language plpgsql as $$
begin
    insert into request_tally (batch_key, request_status, change)
    select batch_key, request_status, sum(change)
    from (select batch_key, request_status, -1 as change from before_rows
          union all
          select batch_key, request_status, 1 from after_rows) as moved
    group by batch_key, request_status
    having sum(change) <> 0;
    return null;
end $$;

create trigger request_tally_follow after update on request_rows
    referencing old table as before_rows new table as after_rows
    for each statement execute function request_tally_follow();

-- ---------------------------------------------------------------------------------------------------------------
-- What people and dashboards read.

-- The cells under their names. A row with too many cells has the rest under _extra_1, _extra_2, …
create function request_variables(names text[], cells text[]) returns jsonb
    language sql immutable parallel safe as $$
    select case when cardinality(names) = cardinality(cells) then jsonb_object(names, cells)
           else (select coalesce(jsonb_object_agg(coalesce(names[i], '_extra_' || i - cardinality(names)), cells[i]), '{}')
                 from generate_subscripts(cells, 1) as i)
           end
$$;

create view batch_details as
select b.batch_id, b.campaign_id, b.expires_on, b.status = 'PAUSED' as paused, b.status, b.upload_filename,
       b.created_at, b.last_updated_at, b.deleted_at, b.deleted_reason, b.last_updated_by, b.error_message,
       (select coalesce(jsonb_object_agg(t.request_status, t.requests), '{}')
        from (select request_status, sum(change)::bigint as requests from request_tally
              where batch_key = b.batch_key group by request_status having sum(change) <> 0) as t) as status_counts,
       b.campaign_name, b.upload_id, b.error_code, b.rows_read, b.bytes_read, b.sha256, b.encoding, b.delimiter,
       b.filename_date, u.seen_at, b.claimed_at, b.received_on, b.number
from batches b join uploads u using (upload_id);

comment on view batch_details is 'Batches, one row each: what one upload became.';
comment on column batch_details.batch_id is 'YYYYMMDD.N: the day of receipt, and a counter from 1. Text: sort by received_on, number.';
comment on column batch_details.campaign_id is 'Number of the campaign that the file''s name chose.';
comment on column batch_details.expires_on is 'When the batch expires; null where the campaign sets no time.';
comment on column batch_details.paused is 'On hold: nobody is contacted.';
comment on column batch_details.status is 'ACTIVE, PAUSED, FAILED, CANCELED or EXPIRED.';
comment on column batch_details.upload_filename is 'Base name of the object.';
comment on column batch_details.created_at is 'When its requests were published, or when it was recorded as FAILED.';
comment on column batch_details.last_updated_at is 'When it changed last.';
comment on column batch_details.deleted_at is 'When it was canceled.';
comment on column batch_details.deleted_reason is 'Why it was canceled.';
comment on column batch_details.last_updated_by is 'Who changed it last, as an e-mail address.';
comment on column batch_details.error_message is 'Why the upload failed, for a person to act on.';
comment on column batch_details.status_counts is 'Requests by request_status; {} for a FAILED batch.';
comment on column batch_details.campaign_name is 'Name of the campaign.';
comment on column batch_details.upload_id is 'Number of the upload in the ledger.';
comment on column batch_details.error_code is 'Machine-readable code of error_message.';
comment on column batch_details.rows_read is 'Data rows read from the file.';
comment on column batch_details.bytes_read is 'Bytes read from the bucket.';
comment on column batch_details.sha256 is 'SHA-256 of the file in hex.';
comment on column batch_details.encoding is 'Encoding that the file was read in.';
comment on column batch_details.delimiter is 'Character between two cells; \t is a tab.';
comment on column batch_details.filename_date is 'Date found in the file''s name.';
comment on column batch_details.seen_at is 'When the upload was first seen.';
comment on column batch_details.claimed_at is 'When the worker that made this batch started on it.';
comment on column batch_details.received_on is 'Day of receipt in the configured time zone.';
comment on column batch_details.number is 'Counter of the day.';

create view requests as
select b.batch_id, r.row_number, r.line, r.reference_id, r.target,
       request_variables(b.variable_names, r.cells) as request_variables, r.request_status, r.error_code, r.error_message,
       case when r.duplicate_of_row is not null then coalesce(r.duplicate_of_batch, b.batch_id) end as duplicate_of_batch_id,
       r.duplicate_of_row, b.created_at, r.sent_at, coalesce(r.attempt_count, 0) as attempt_count
from request_rows r join batches b using (batch_key);

comment on view requests is 'Requests, one row each: what one data row of a file became. Senders may update request_status, sent_at and attempt_count here.';
comment on column requests.batch_id is 'The batch.';
comment on column requests.row_number is 'Place among the file''s data rows, from 1.';
comment on column requests.line is 'Line of the file on which the row starts.';
comment on column requests.reference_id is 'The sender''s id; unique in the batch among rows that are not DUPLICATE, INVALID or SKIPPED.';
comment on column requests.target is 'E.164 number or e-mail address; for an INVALID row, what the file said. Personal data.';
comment on column requests.request_variables is 'Every other column under its header. Personal data.';
comment on column requests.request_status is 'PENDING, DUPLICATE, INVALID or SKIPPED at intake; others later. An open set.';
comment on column requests.error_code is 'Why it was not PENDING at intake.';
comment on column requests.error_message is 'The same for a person.';
comment on column requests.duplicate_of_batch_id is 'Batch of the row that holds the key.';
comment on column requests.duplicate_of_row is 'Row that holds the key.';
comment on column requests.created_at is 'When it was published.';
comment on column requests.sent_at is 'When it was sent, as the sender recorded it.';
comment on column requests.attempt_count is 'How often it was tried, as the sender recorded it.';

-- An update through the view. Two senders that read the same PENDING row must not both take it: the change is made
-- only while the stored status is still the one that the statement saw, and is not counted otherwise.
create function requests_update() returns trigger language plpgsql as $$
begin
    if (new.batch_id, new.row_number, new.line, new.reference_id, new.target, new.request_variables, new.error_code,
        new.error_message, new.duplicate_of_batch_id, new.duplicate_of_row, new.created_at)
       is distinct from
       (old.batch_id, old.row_number, old.line, old.reference_id, old.target, old.request_variables, old.error_code,
        old.error_message, old.duplicate_of_batch_id, old.duplicate_of_row, old.created_at) then
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

create trigger requests_update instead of update on requests
    for each row execute function requests_update();
