-- $1 batch; $2 rows, as a JSON array. The keys that they claimed.
delete from unique_keys where batch_key = $1 and row_number in (select value from json_each($2))
