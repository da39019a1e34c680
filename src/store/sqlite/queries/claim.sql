-- $1 bucket; $2 new token; $3 worker; $4 lease in seconds; $5 the largest size in bytes that is taken, or null for any.
-- The upload that has been available longest: a new one, one whose next attempt is due, or one whose lease ended.
-- Whether its lease ended is not told: a worker on SQLite works on one at a time, so nothing beside it can be the
-- cause. Where a size is named, the larger ones that have waited longer are passed over: they are few, since their
-- bytes are many. The attempt is counted here, before the work, so that a file that kills its worker is not tried for
-- ever.
update uploads
set status = 'CLAIMED', attempts = attempts + 1, claim_token = $2, claimed_by = $3, claimed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
    available_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', $4 || ' seconds')
where upload_id = (select upload_id from uploads
                   where bucket = $1 and available_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
                     and ($5 is null or size_bytes <= $5)
                   order by available_at, upload_id
                   limit 1)
returning upload_id, key, version, size_bytes, modified_at, attempts, seen_at, claimed_at, error_message, false as was_dropped
