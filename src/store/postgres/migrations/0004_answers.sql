-- Answers: what is written back to the bucket for the person who dropped a file. Released: never edited again.

-- That an answer is owed is written by the transaction that settles the upload, so that no crash forgets it. Uploads that
-- were settled before this migration owe none.
alter table uploads
    add column answer_due_at   timestamptz,
    add column answer_attempts integer not null default 0,
    add column answer_token    text,
    add column answer_error    text,
    add column answered_at     timestamptz;
-- Like uploads_open: it holds what is owed, however many millions are answered.
create index uploads_answers on uploads (bucket, answer_due_at) where answer_due_at is not null;

comment on column uploads.answer_due_at is 'When the next try to answer may start, or when the lease of the worker that is at it ends. Null: nothing is owed.';
comment on column uploads.answer_attempts is 'How often an answer was tried; counted before the work.';
comment on column uploads.answer_token is 'Fences the worker that is answering.';
comment on column uploads.answer_error is 'What went wrong in the last try to answer.';
comment on column uploads.answered_at is 'When the receipt (and the rejects file) lay in the bucket.';

-- What the file said, of rows that were not PENDING at intake, where it differs from what is stored: the rejects file gives
-- it back as it was sent.
alter table request_rows
    add column sent_reference_id text,
    add column sent_target       text;

-- Rejects are written in the order of the file. Findings are counted by it as well: they need the rows themselves anyway.
create index request_rows_rejects on request_rows (batch_key, row_number) where error_code is not null;
drop index request_rows_findings;
