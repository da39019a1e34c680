-- $1 batch; $2 rows, as a JSON array. The keys that they claimed.
delete from unique_keys
where batch_key = $1 and row_number in (select row_number::integer from jsonb_array_elements_text($2::jsonb) as asked(row_number))
