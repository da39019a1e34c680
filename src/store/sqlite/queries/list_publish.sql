-- $1 list; $2 upload; $3 targets; $4 invalid rows.
update suppression_lists set loaded_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), upload_id = $2, targets = $3, invalid_rows = $4
where list = $1
