-- $1 bucket; $2 new token; $3 worker; $4 lease in seconds; $5 the largest size in bytes that is taken, or null for any.
-- The upload that has been available longest: a new one, one whose next attempt is due, or one whose lease ended.
-- Where a size is named, the larger ones that have waited longer are passed over: they are few, since their bytes are
-- many. The attempt is counted here, before the work, so that a file that kills its worker is not tried for ever.
with next as (
    select upload_id, status = 'CLAIMED' as was_dropped from uploads
    where bucket = $1 and available_at <= clock_timestamp() and ($5::bigint is null or size_bytes <= $5)
    order by available_at, upload_id
    limit 1
    -- A row that another worker is claiming at this instant is passed over, not waited for. `no key`: one
    -- whose late publication, soon to be refused, holds the row by its batch's foreign key hides it from nobody.
    for no key update skip locked
)
update uploads u
set status = 'CLAIMED', attempts = attempts + 1, claim_token = $2, claimed_by = $3, claimed_at = clock_timestamp(),
    available_at = clock_timestamp() + make_interval(secs => $4)
from next
where u.upload_id = next.upload_id
returning u.upload_id, u.key, u.version, u.size_bytes, u.modified_at, u.attempts, u.seen_at, u.claimed_at, u.error_message,
    next.was_dropped
