-- $1 bucket; $2 campaign; $3 its name; $4 when it is due; $5 opens; $6 missing from; $7 closes.
insert into expected_files (bucket, campaign_id, campaign_name, due_at, opens_at, missing_from, closes_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing
