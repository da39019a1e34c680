-- Answers, as in PostgreSQL's migration of the same number, where it is told why. Released: never edited again.

alter table uploads add column answer_due_at text;
alter table uploads add column answer_attempts integer not null default 0;
alter table uploads add column answer_token text;
alter table uploads add column answer_error text;
alter table uploads add column answered_at text;
create index uploads_answers on uploads (bucket, answer_due_at) where answer_due_at is not null;

alter table request_rows add column sent_reference_id text;
alter table request_rows add column sent_target text;

create index request_rows_rejects on request_rows (batch_key, row_number) where error_code is not null;
drop index request_rows_findings;
