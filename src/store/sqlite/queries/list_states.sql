-- The lists that were loaded from files.
select l.list, l.targets, l.invalid_rows, l.loaded_at, u.key,
       (julianday('now') - julianday(l.loaded_at)) * 86400.0 as age_seconds
from suppression_lists l join uploads u using (upload_id)
order by l.list
