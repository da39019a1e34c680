-- Two roles for a PostgreSQL that batchdrop keeps its batches in: one that looks, for dashboards, and one that sends.
-- Run once, as the owner of the tables, in the schema that they are in; then give each its password (\password
-- batchdrop_reader).

create role batchdrop_reader login;
create role batchdrop_sender login;

do $$ begin
    execute format('grant usage on schema %I to batchdrop_reader, batchdrop_sender', current_schema());
    -- Before PostgreSQL 15, everybody may make tables there.
    execute format('revoke create on schema %I from public', current_schema());
end $$;

-- The reader reads what is documented, and writes nothing. `requests` holds personal data: leave it out for who needs
-- counts alone. A query that runs on and on, or a transaction that is left open, would hold back the cleaning of
-- tables.
grant select on batch_details, batch_events, expected_files, uploads, suppression_lists to batchdrop_reader;
grant select on requests to batchdrop_reader;
alter role batchdrop_reader set default_transaction_read_only = on;
alter role batchdrop_reader set statement_timeout = '60s';
alter role batchdrop_reader set idle_in_transaction_session_timeout = '60s';

-- The sender reads requests and reports on them, through the view.
grant select on batch_details, requests to batchdrop_sender;
grant update (request_status, sent_at, attempt_count) on requests to batchdrop_sender;
alter role batchdrop_sender set idle_in_transaction_session_timeout = '60s';
