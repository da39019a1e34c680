-- $1 bucket; $2 campaign; $3 when it is due; $4 the status that was seen; $5 the new one; $6 upload, $7 batch,
-- $8 when it came.
update expected_files
set status = $5, upload_id = $6, batch_id = $7, arrived_at = strftime('%Y-%m-%dT%H:%M:%fZ', $8),
    missing_at = case when $5 = 'MISSING' then strftime('%Y-%m-%dT%H:%M:%fZ', 'now') else missing_at end
where bucket = $1 and campaign_id = $2 and due_at = strftime('%Y-%m-%dT%H:%M:%fZ', $3) and status = $4
returning missing_at
