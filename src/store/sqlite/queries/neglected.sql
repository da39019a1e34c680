-- $1 bucket; $2 grace in seconds; $3 how many. Open uploads that could have been claimed for longer than the grace:
-- they wait and are due, or the lease of whoever had them is over. The longest first.
select upload_id, key, status, claimed_by, (julianday('now') - julianday(available_at)) * 86400.0 as seconds
from uploads
where bucket = $1 and available_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', -$2 || ' seconds')
order by available_at, upload_id
limit $3
