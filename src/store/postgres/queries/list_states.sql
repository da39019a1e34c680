-- The lists that were loaded from files.
select l.list, l.targets, l.invalid_rows, l.loaded_at, u.key,
       extract(epoch from clock_timestamp() - l.loaded_at)::float8 as age_seconds
from suppression_lists l join uploads u using (upload_id)
order by l.list
