-- How a file turned out to be written, in full, and all its columns: what the people who mend a file need to know.
-- Null on batches from before, and where a file was refused before it was known.
alter table batches
    add column quote            text,
    add column quote_escape     text,
    add column newline          text,
    add column compression      text,
    add column header_line      integer,
    -- Every name of the header in the file's order, and which of them, counted from 1, are the two that each row needs.
    add column column_names     text[],
    add column reference_column integer,
    add column target_column    integer;

create or replace view batch_details as
select b.batch_id, b.campaign_id, b.expires_on, b.status = 'PAUSED' as paused, b.status, b.upload_filename,
       b.created_at, b.last_updated_at, b.deleted_at, b.deleted_reason, b.last_updated_by, b.error_message,
       (select coalesce(jsonb_object_agg(t.request_status, t.requests), '{}')
        from (select request_status, sum(change)::bigint as requests from request_tally
              where batch_key = b.batch_key group by request_status having sum(change) <> 0) as t) as status_counts,
       b.campaign_name, b.upload_id, b.error_code, b.rows_read, b.bytes_read, b.sha256, b.encoding, b.delimiter,
       b.filename_date, u.seen_at, b.claimed_at, b.received_on, b.number,
       b.quote, b.quote_escape, b.newline, b.compression, b.header_line
from batches b join uploads u using (upload_id);

comment on column batch_details.delimiter is 'What stands between two cells; \t is a tab.';
comment on column batch_details.quote is 'Character around cells that hold a delimiter or a line end; empty for none.';
comment on column batch_details.quote_escape is 'Character that makes a quote in quotes part of the cell: the quote itself where it is doubled; empty for none.';
comment on column batch_details.newline is 'What ends its rows: lf, crlf or cr; mixed where its beginning has several.';
comment on column batch_details.compression is 'gzip, zstd or zip; null for a file that was sent as it is.';
comment on column batch_details.header_line is 'Line of the header, from 1; null where the campaign says that there is none.';
