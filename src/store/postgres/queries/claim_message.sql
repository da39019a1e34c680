-- $1 webhook; $2 new token; $3 lease in seconds.
-- The message that has been due longest: a new one, one whose next try is due, or one whose lease ended. The try is
-- counted here, before the work.
with next as (
    select message_id from webhook_messages
    where webhook = $1 and due_at <= clock_timestamp()
    order by due_at
    limit 1
    for no key update skip locked
)
update webhook_messages m
set token = $2, attempts = attempts + 1, due_at = clock_timestamp() + make_interval(secs => $3)
from next
where m.message_id = next.message_id
returning m.message_id, m.event, m.data, m.created_at, m.attempts
