-- Expected files, as in PostgreSQL's migration of the same number, where it is told what they mean. Released: never edited again.

alter table uploads add column arrived_at text;

create table bucket_listings (
    bucket   text primary key,
    began_at text not null
) strict, without rowid;

create table expected_files (
    bucket         text    not null,
    campaign_id    integer not null,
    campaign_name  text    not null,
    due_at         text    not null,
    opens_at       text    not null,
    missing_from   text    not null,
    closes_at      text    not null,
    status         text    not null default 'EXPECTED'
                   check (status in ('EXPECTED', 'LATE', 'ARRIVED', 'FAILED', 'MISSING')),
    upload_id      integer references uploads,
    batch_id       text,
    arrived_at     text,
    missing_at     text,
    expected_since text    not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    primary key (bucket, campaign_id, due_at),
    check (opens_at < due_at and due_at <= missing_from and missing_from <= closes_at),
    check ((status in ('ARRIVED', 'FAILED')) = (upload_id is not null)),
    check ((upload_id is null) = (batch_id is null) and (upload_id is null) = (arrived_at is null)),
    check (status <> 'MISSING' or missing_at is not null)
) strict;
create index expected_files_closes on expected_files (bucket, closes_at);
create index expected_files_due on expected_files (due_at);
