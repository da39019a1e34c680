-- $1 targets in lower case, as a JSON array; $2 reference_id, or null; $3 campaign's name, or null for any. A person's
-- keys, also of batches whose requests were purged.
delete from unique_keys
where (field = 'target' and lower(key) in (select value from json_each($1)) or field = 'reference_id' and key = $2)
  and ($3 is null or exists (select 1 from batches b where b.batch_key = unique_keys.batch_key and b.campaign_name = $3))
