-- $1 bucket. The open uploads: how many wait, for a worker or for a list, how many are worked on, and in how many
-- seconds the next is due; since when the first of those that wait is known; then how many answers are due now, how
-- many messages webhooks are still to be told, of any bucket, and how often the one was tried, of those in nobody's
-- hands, that was tried least.
select count(*) filter (where status = 'WAITING' and error_code is distinct from 'WAITS_FOR_LIST') as waiting,
       count(*) filter (where status = 'WAITING' and error_code = 'WAITS_FOR_LIST') as held,
       count(*) filter (where status = 'CLAIMED') as claimed, (julianday(min(available_at)) - julianday('now')) * 86400.0 as next_due_seconds,
       (julianday('now') - julianday(min(seen_at) filter (where status = 'WAITING'))) * 86400.0 as oldest_waiting_seconds,
       (select count(*) from uploads where bucket = $1 and answer_due_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) as answers_due,
       (select count(*) from webhook_messages where due_at is not null) as messages_due,
       (select min(answer_attempts) from uploads where bucket = $1 and answer_due_at is not null and answer_token is null) as fewest_tries
from uploads
where bucket = $1 and available_at is not null
