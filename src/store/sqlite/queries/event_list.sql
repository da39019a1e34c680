-- $1 batch_id. The oldest first.
select batch_id, sequence, at, event, actor, reason, expires_on
from batch_events
where batch_id = $1
order by sequence
