-- $1 bucket.
update uploads set available_at = clock_timestamp(), error_code = null
where bucket = $1 and available_at is not null and status = 'WAITING' and error_code = 'WAITS_FOR_LIST'
