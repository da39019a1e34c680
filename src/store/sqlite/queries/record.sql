-- $1 bucket; $2 objects as a JSON array of {key, version, size_bytes, modified_at}.
-- When it was put there: a file that is moved into a folder keeps its old date, but the last listing did not have it
-- yet.
insert into uploads (bucket, key, version, size_bytes, modified_at, arrived_at)
select $1, seen.value ->> 'key', seen.value ->> 'version', seen.value ->> 'size_bytes', seen.value ->> 'modified_at',
       min(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
           max(seen.value ->> 'modified_at', coalesce((select began_at from bucket_listings where bucket = $1), '')))
from json_each($2) as seen
where not exists (select 1 from uploads u
                  where u.bucket = $1 and u.key = seen.value ->> 'key' and u.version = seen.value ->> 'version')
order by seen.value ->> 'modified_at', seen.value ->> 'key'
on conflict do nothing
