-- $1 bucket. The open uploads: how many wait, how many are worked on, and in how many seconds the next is due.
select count(*) filter (where status = 'WAITING') as waiting, count(*) filter (where status = 'CLAIMED') as claimed, extract(epoch from min(available_at) - clock_timestamp())::float8 as next_due_seconds
from uploads
where bucket = $1 and available_at is not null
