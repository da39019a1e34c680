-- $1 bucket; $2 objects as a JSON array of {key, version, size_bytes, modified_at}.
-- Known ones are left out before the insert, so that a sweep of a million of them draws no numbers and writes nothing;
-- the conflict clause stands for the worker that sweeps at the same instant.
-- When it was put there: a file that is moved into a folder keeps its old date, but the last listing did not have it
-- yet.
insert into uploads (bucket, key, version, size_bytes, modified_at, arrived_at)
select $1, seen.key, seen.version, seen.size_bytes, seen.modified_at,
       least(now(), greatest(seen.modified_at, (select began_at from bucket_listings where bucket = $1)))
from jsonb_to_recordset($2::jsonb) as seen (key text, version text, size_bytes bigint, modified_at timestamptz)
where not exists (select from uploads u where u.bucket = $1 and u.key = seen.key and u.version = seen.version)
order by seen.modified_at, seen.key
on conflict do nothing
