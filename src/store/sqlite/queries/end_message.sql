-- $1 message; $2 token; $3 DELIVERED or GIVEN_UP; $4 why it is given up.
update webhook_messages
set status = $3, due_at = null, token = null, error_message = $4, ended_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
where message_id = $1 and token = $2 and due_at is not null
