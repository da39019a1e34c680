-- $1 status, or null; $2 webhook, or null; $3 how many. The newest first.
select message_id, webhook, event, upload_id, batch_id, data ->> 'campaign_name' as campaign_name,
       data ->> 'due_at' as expected_at, status, attempts, created_at, due_at, error_message, ended_at
from webhook_messages
where ($1 is null or status = $1) and ($2 is null or webhook = $2)
order by created_at desc, message_id
limit $3
