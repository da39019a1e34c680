-- $1 key; $2 batch_id; $3 day of receipt; $4 number; $5 campaign; $6 its name; $7 upload; $8 file name; $9 date in it;
-- $10 status; $11 seconds to expires_on; $12 who; $13 code; $14 message; $15 rows; $16 bytes; $17 SHA-256;
-- $18 encoding; $19 delimiter; $20 when claimed; $21 variable names as a JSON array; $22 whether repeats are allowed;
-- $23 quote; $24 what escapes it; $25 newline; $26 compression; $27 header line; $28 all columns' names as a JSON
-- array, or null;
-- $29 and $30 which are the reference_id and the target.
-- No row: the same content already stands in another batch of the campaign. A worker that is loading it at this
-- instant is waited for, here and not earlier.
insert into batches (batch_key, batch_id, received_on, number, campaign_id, campaign_name, upload_id, upload_filename,
                     filename_date, status, expires_on, created_at, last_updated_at, last_updated_by, error_code,
                     error_message, rows_read, bytes_read, sha256, encoding, delimiter, claimed_at, variable_names,
                     allow_repeats, quote, quote_escape, newline, compression, header_line, column_names,
                     reference_column, target_column)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, at + make_interval(secs => $11), at, at, $12, $13, $14, $15, $16, $17, $18,
       $19, $20, array(select jsonb_array_elements_text($21::jsonb)), $22, $23, $24, $25, $26, $27,
       case when $28::text is not null then array(select jsonb_array_elements_text($28::jsonb)) end, $29, $30
from (select clock_timestamp() as at) as clock
on conflict (campaign_id, sha256) where not allow_repeats and status not in ('FAILED', 'CANCELED') do nothing
returning batch_key
