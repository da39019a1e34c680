-- $1 message; $2 token. The try is not counted: the worker was asked to stop, nothing failed.
update webhook_messages
set due_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), token = null, attempts = attempts - 1
where message_id = $1 and token = $2 and due_at is not null
