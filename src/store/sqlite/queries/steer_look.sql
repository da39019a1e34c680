-- $1 batch_id; $2 a new expires_on, or null. Where the batch stands now, and whether that time has passed already.
-- Inside a write transaction, of which there is one at a time.
select batch_key,
       case when status in ('ACTIVE', 'PAUSED') and expires_on <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') then 'EXPIRED'
       else status end as status,
       expires_on,
       coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', $2) <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 0) as is_past
from batches
where batch_id = $1
