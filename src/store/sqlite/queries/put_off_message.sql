-- $1 message; $2 token; $3 what went wrong; $4 seconds to wait; $5 after how many seconds it is given up. No row:
-- another worker is at it.
update webhook_messages
set status = case when julianday(created_at) + $5 / 86400.0 <= julianday('now') then 'GIVEN_UP' else status end,
    due_at = case when julianday(created_at) + $5 / 86400.0 > julianday('now')
                  then strftime('%Y-%m-%dT%H:%M:%fZ', 'now', $4 || ' seconds') end,
    ended_at = case when julianday(created_at) + $5 / 86400.0 <= julianday('now')
                    then strftime('%Y-%m-%dT%H:%M:%fZ', 'now') end,
    token = null, error_message = $3
where message_id = $1 and token = $2 and due_at is not null
returning status
