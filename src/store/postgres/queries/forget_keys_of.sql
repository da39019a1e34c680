-- $1 targets in lower case, as a JSON array; $2 reference_id, or null; $3 campaign's name, or null for any. A person's
-- keys, also of batches whose requests were purged.
delete from unique_keys k
where (k.field = 'target' and lower(k.key) in (select jsonb_array_elements_text($1::jsonb)) or k.field = 'reference_id' and k.key = $2)
  and ($3::text is null or exists (select from batches b where b.batch_key = k.batch_key and b.campaign_name = $3))
