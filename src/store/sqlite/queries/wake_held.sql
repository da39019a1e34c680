-- $1 bucket.
update uploads set available_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), error_code = null
where bucket = $1 and available_at is not null and status = 'WAITING' and error_code = 'WAITS_FOR_LIST'
