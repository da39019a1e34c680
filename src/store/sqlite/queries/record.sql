-- $1 bucket; $2 objects as a JSON array of {key, version, size_bytes, modified_at}.
insert into uploads (bucket, key, version, size_bytes, modified_at)
select $1, seen.value ->> 'key', seen.value ->> 'version', seen.value ->> 'size_bytes', seen.value ->> 'modified_at'
from json_each($2) as seen
where not exists (select 1 from uploads u
                  where u.bucket = $1 and u.key = seen.value ->> 'key' and u.version = seen.value ->> 'version')
order by seen.value ->> 'modified_at', seen.value ->> 'key'
on conflict do nothing
