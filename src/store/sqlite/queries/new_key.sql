-- Inside a write transaction, of which there is one at a time.
select coalesce(max(batch_key), 0) + 1 from batches
