-- $1 batch_id.
select purged_at from purged_batches where batch_id = $1
