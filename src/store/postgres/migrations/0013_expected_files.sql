-- Expected files: what campaigns await, and what came of it. Released: never edited again.

-- Said by the one who enters it: only then is it known which listing did not show it yet.
alter table uploads add column arrived_at timestamptz;
comment on column uploads.arrived_at is 'When it was put into the bucket, as far as that is known: modified_at, yet not before the last listing that did not show it, nor after seen_at. Null for what was seen by a program that did not know this column.';

create table bucket_listings (
    bucket   text        primary key,
    began_at timestamptz not null
);
comment on table bucket_listings is 'When the last listing of a bucket that was complete began; noted every few seconds at most, where a campaign has due times.';

-- A row is made before its window opens, so that the first one tells since when a campaign's files are expected, and a worker that
-- was away knows where to go on. Whoever decides, decides by the status that it has seen.
create table expected_files (
    bucket        text        not null,
    campaign_id   integer     not null,
    campaign_name text        not null,
    due_at        timestamptz not null,
    opens_at      timestamptz not null,
    missing_from  timestamptz not null,
    closes_at     timestamptz not null,
    status        text        not null default 'EXPECTED'
                  check (status in ('EXPECTED', 'LATE', 'ARRIVED', 'FAILED', 'MISSING')),
    upload_id     bigint      references uploads,
    batch_id      text,
    arrived_at    timestamptz,
    missing_at    timestamptz,
    expected_since timestamptz not null default clock_timestamp(),
    primary key (bucket, campaign_id, due_at),
    check (opens_at < due_at and due_at <= missing_from and missing_from <= closes_at),
    check ((status in ('ARRIVED', 'FAILED')) = (upload_id is not null)),
    check ((upload_id is null) = (batch_id is null) and (upload_id is null) = (arrived_at is null)),
    check (status <> 'MISSING' or missing_at is not null)
);
create index expected_files_closes on expected_files (bucket, closes_at);
create index expected_files_due on expected_files (due_at);

comment on table expected_files is 'One row for each time at which a campaign''s file is due: the next one of each campaign, and all before. Rows are never deleted, but for those of due times that were taken back before they came.';
comment on column expected_files.bucket is 'The bucket that it is expected in, as in uploads.';
comment on column expected_files.campaign_id is 'The campaign.';
comment on column expected_files.campaign_name is 'Its name then.';
comment on column expected_files.due_at is 'When the file is due.';
comment on column expected_files.opens_at is 'From when on a file counts for it.';
comment on column expected_files.missing_from is 'When a file that is not there is no longer late, but missing.';
comment on column expected_files.closes_at is 'From when on a file counts for the next due time.';
comment on column expected_files.status is 'EXPECTED; LATE (it was due, and is not there); ARRIVED; FAILED (what came became a FAILED batch); MISSING.';
comment on column expected_files.upload_id is 'The upload that came: the first that became a good batch, else the last that failed.';
comment on column expected_files.batch_id is 'The batch that it became.';
comment on column expected_files.arrived_at is 'When it was put into the bucket; later than due_at: it was late.';
comment on column expected_files.missing_at is 'When it was found to be missing. Stays when it comes after all.';
comment on column expected_files.expected_since is 'Since when it has been expected.';
