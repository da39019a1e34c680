-- $1 batch; $2 who; $3 how many requests, and why.
insert into batch_changes (batch_key, sequence, at, event, actor, reason)
select $1, coalesce(max(sequence), 0) + 1, clock_timestamp(), 'FORGOTTEN', $2, $3
from batch_changes
where batch_key = $1
