-- How a file turned out to be written, in full, and all its columns: what the people who mend a file need to know.
-- Null on batches from before, and where a file was refused before it was known.
alter table batches add column quote text;
alter table batches add column quote_escape text;
alter table batches add column newline text;
alter table batches add column compression text;
alter table batches add column header_line integer;
-- Every name of the header in the file's order, a JSON array, and which of them, counted from 1, are the two that each
-- row needs.
alter table batches add column column_names text;
alter table batches add column reference_column integer;
alter table batches add column target_column integer;

drop view batch_details;
create view batch_details as
select b.batch_id, b.campaign_id, b.expires_on, b.status = 'PAUSED' as paused, b.status, b.upload_filename,
       b.created_at, b.last_updated_at, b.deleted_at, b.deleted_reason, b.last_updated_by, b.error_message,
       (select json_group_object(t.request_status, t.requests) from request_tally t
        where t.batch_key = b.batch_key and t.requests <> 0) as status_counts,
       b.campaign_name, b.upload_id, b.error_code, b.rows_read, b.bytes_read, b.sha256, b.encoding, b.delimiter,
       b.filename_date, u.seen_at, b.claimed_at, b.received_on, b.number,
       b.quote, b.quote_escape, b.newline, b.compression, b.header_line
from batches b join uploads u using (upload_id);
