-- $1 webhook; $2 new token; $3 lease in seconds.
-- The message that has been due longest: a new one, one whose next try is due, or one whose lease ended. The try is
-- counted here, before the work.
update webhook_messages
set token = $2, attempts = attempts + 1, due_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', $3 || ' seconds')
where message_id = (select message_id from webhook_messages
                    where webhook = $1 and due_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
                    order by due_at
                    limit 1)
returning message_id, event, data, created_at, attempts
