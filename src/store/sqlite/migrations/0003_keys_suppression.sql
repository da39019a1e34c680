-- Keys that count across batches, and suppression lists, as in PostgreSQL's migration of the same number; what a table and a
-- column mean is told there.

create table unique_keys (
    campaign_id integer not null,
    field       text    not null check (field in ('reference_id', 'target')),
    key         text    not null,
    batch_key   integer not null,
    row_number  integer not null,
    primary key (campaign_id, field, key, batch_key)
) strict, without rowid;
-- Keys leave a batch at a time.
create index unique_keys_batch on unique_keys (batch_key);

create table kept_keys (
    campaign_id integer not null,
    field       text    not null,
    batch_key   integer not null,
    primary key (campaign_id, field, batch_key)
) strict, without rowid;

create index batches_campaign on batches (campaign_id, created_at);

create table suppressed_targets (
    list   text not null,
    target text not null,
    primary key (list, target)
) strict, without rowid;

create table suppression_lists (
    list         text    primary key,
    loaded_at    text    not null,
    targets      integer not null,
    invalid_rows integer not null,
    upload_id    integer not null references uploads
) strict, without rowid;

alter table uploads add column list text;
create index uploads_lists on uploads (list) where available_at is not null and list is not null;
