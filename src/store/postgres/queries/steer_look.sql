-- $1 batch_id; $2 a new expires_on, or null. Where the batch stands now, and whether that time has passed already. The
-- row is taken until the transaction ends.
select batch_key, batch_status(status, expires_on, clock_timestamp()) as status, expires_on,
       coalesce($2 <= clock_timestamp(), false) as is_past
from batches
where batch_id = $1
for update
