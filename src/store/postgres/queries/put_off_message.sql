-- $1 message; $2 token; $3 what went wrong; $4 seconds to wait; $5 after how many seconds it is given up. No row:
-- another worker is at it.
update webhook_messages
set status = case when created_at + make_interval(secs => $5) <= statement_timestamp() then 'GIVEN_UP' else status end,
    due_at = case when created_at + make_interval(secs => $5) > statement_timestamp()
                  then statement_timestamp() + make_interval(secs => $4) end,
    ended_at = case when created_at + make_interval(secs => $5) <= statement_timestamp() then statement_timestamp() end,
    token = null, error_message = $3
where message_id = $1 and token = $2 and due_at is not null
returning status
