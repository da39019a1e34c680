-- What is read of batches; which ones follows.
select batch_id, campaign_id, expires_on, paused, status, upload_filename, created_at, last_updated_at, deleted_at,
       deleted_reason, last_updated_by, error_message, status_counts::text as status_counts, campaign_name, upload_id,
       error_code, rows_read, bytes_read, sha256, encoding, delimiter, filename_date, seen_at, claimed_at,
       quote, quote_escape, newline, compression, header_line,
       (select p.purged_at from purged_batches p where p.batch_id = batch_details.batch_id) as purged_at
from batch_details
