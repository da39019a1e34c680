-- Keys that count across batches, and suppression lists.

-- Which row of which batch claimed a key, for campaigns that have unique_within. A row stands here as long as its batch may
-- count; whether it does is asked of the batch. Normally one row a key: more than one where batches were loaded before the
-- campaign looked at others, or where a holder was canceled or grew old.
create table unique_keys (
    campaign_id integer not null,
    field       text    not null check (field in ('reference_id', 'target')),
    key         text    collate "C" not null,
    batch_key   integer not null,
    row_number  integer not null,
    primary key (campaign_id, field, key, batch_key)
);
-- Keys leave a batch at a time. Rows of a batch lie together, so that this index is a few pages.
create index unique_keys_batch on unique_keys using brin (batch_key) with (pages_per_range = 16);

comment on table unique_keys is 'Keys claimed by rows of batches, for campaigns with unique_within. Kept by batchdrop.';
comment on column unique_keys.campaign_id is 'The campaign.';
comment on column unique_keys.field is 'reference_id or target.';
comment on column unique_keys.key is 'The value as it is compared: targets normalised, addresses in lower case. Personal data.';
comment on column unique_keys.batch_key is 'The batch, as in batches.batch_key.';
comment on column unique_keys.row_number is 'The row that claimed it.';

-- Of which batches the keys of which field stand in unique_keys.
create table kept_keys (
    campaign_id integer not null,
    field       text    not null,
    batch_key   integer not null,
    primary key (campaign_id, field, batch_key)
);
comment on table kept_keys is 'Of which batches the keys of a field stand in unique_keys. Kept by batchdrop.';
comment on column kept_keys.campaign_id is 'The campaign.';
comment on column kept_keys.field is 'reference_id or target.';
comment on column kept_keys.batch_key is 'The batch, as in batches.batch_key.';

-- The batches of a campaign's window.
create index batches_campaign on batches (campaign_id, created_at);

-- Who is not to be contacted.
create table suppressed_targets (
    list   text not null,
    target text collate "C" not null,
    primary key (list, target)
);
comment on table suppressed_targets is 'Suppression lists: targets that campaigns which name the list do not contact. A list that has no files is filled here, by others.';
comment on column suppressed_targets.list is 'Name of the list, as campaigns name it in their suppression.';
comment on column suppressed_targets.target is 'E.164 number, or an e-mail address in lower case. Personal data.';

-- The lists that are loaded from files.
create table suppression_lists (
    list         text        primary key,
    loaded_at    timestamptz not null,
    targets      bigint      not null,
    invalid_rows bigint      not null,
    upload_id    bigint      not null references uploads
);
comment on table suppression_lists is 'Suppression lists that are loaded from files, and how old they are.';
comment on column suppression_lists.list is 'Name of the list.';
comment on column suppression_lists.loaded_at is 'When its targets were last replaced.';
comment on column suppression_lists.targets is 'How many targets are on it.';
comment on column suppression_lists.invalid_rows is 'How many rows of its file could not be used.';
comment on column suppression_lists.upload_id is 'The upload that it was loaded from.';

alter table uploads add column list text;
comment on column uploads.list is 'The suppression list that it is a file of.';
comment on column uploads.error_code is 'Code of the fault, or INTERNAL_ERROR; WAITS_FOR_LIST while it waits for a suppression list.';
create index uploads_lists on uploads (list) where available_at is not null and list is not null;
