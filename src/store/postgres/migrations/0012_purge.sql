-- Retention: a batch outlives its requests. Released: never edited again.

-- A table of its own: what a batch was is not changed by it, and it says which batches have no requests left though they count
-- some.
create table purged_batches (
    batch_id  text        primary key references batches (batch_id),
    purged_at timestamptz not null,
    requests  bigint      not null
);
comment on table purged_batches is 'Batches whose requests were deleted since they had been kept for as long as they may be. The batch, its counts and its SHA-256 stay.';
comment on column purged_batches.batch_id is 'The batch.';
comment on column purged_batches.purged_at is 'When its last request was deleted.';
comment on column purged_batches.requests is 'How many requests it had.';
