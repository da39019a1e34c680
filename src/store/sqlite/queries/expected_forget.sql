-- $1 bucket; $2 campaign; $3 when it was due. Only what nothing came of.
delete from expected_files
where bucket = $1 and campaign_id = $2 and due_at = strftime('%Y-%m-%dT%H:%M:%fZ', $3)
  and status in ('EXPECTED', 'LATE')
