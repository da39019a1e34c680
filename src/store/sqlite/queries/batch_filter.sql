-- Which batches are asked for; a null asks for nothing. $1 batch_id; $2 campaign's number; $3 its name; $4 status; $5
-- part of the file's name; $6 who changed it last; $7 created then or later; $8 created before; $9 when it expires; $10
-- when it changed last. The status is the one that is shown: EXPIRED follows from the time.
from (select batch_id, received_on, number, campaign_id, campaign_name, upload_filename, rows_read, created_at, last_updated_at,
             last_updated_by, expires_on,
             case when status in ('ACTIVE', 'PAUSED') and expires_on <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') then 'EXPIRED'
             else status end as status
      from batches) as b
where ($1 is null or batch_id = $1) and ($2 is null or campaign_id = $2)
  and ($3 is null or campaign_name = $3) and ($4 is null or status = $4)
  and ($5 is null or instr(lower(upload_filename), lower($5)) > 0)
  and ($6 is null or last_updated_by = $6)
  and ($7 is null or created_at >= strftime('%Y-%m-%dT%H:%M:%fZ', $7))
  and ($8 is null or created_at < strftime('%Y-%m-%dT%H:%M:%fZ', $8))
  and ($9 is null or expires_on = strftime('%Y-%m-%dT%H:%M:%fZ', $9))
  and ($10 is null or last_updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', $10))
