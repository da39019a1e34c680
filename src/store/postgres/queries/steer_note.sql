-- $1 batch, which was just changed; $2 the event; $3 why, or null. Who and when stand in the batch.
insert into batch_changes (batch_key, sequence, at, event, actor, reason, expires_on)
select batch_key, (select coalesce(max(sequence), 0) + 1 from batch_changes where batch_key = $1), last_updated_at, $2,
       last_updated_by, $3, case when $2 = 'EXPIRY_SET' then expires_on end
from batches
where batch_key = $1
