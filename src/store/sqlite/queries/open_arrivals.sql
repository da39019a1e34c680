-- $1 bucket. What is open: seen, and not settled.
select key, coalesce(arrived_at, modified_at) as arrived_at from uploads where bucket = $1 and available_at is not null
