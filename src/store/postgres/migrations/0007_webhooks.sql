-- Webhooks: what other programs are told over HTTP. Released: never edited again.

-- A message is written by the transaction whose doing it tells of, so that no crash forgets it and nothing is told that did
-- not happen. Nothing is written where no webhook is configured.
create table webhook_messages (
    message_id    text        primary key,
    webhook       text        not null,
    event         text        not null,
    data          text        not null,
    upload_id     bigint,
    batch_id      text,
    status        text        not null default 'DUE' check (status in ('DUE', 'DELIVERED', 'GIVEN_UP')),
    attempts      integer     not null default 0,
    token         text,
    created_at    timestamptz not null default clock_timestamp(),
    due_at        timestamptz default clock_timestamp(),
    error_message text,
    ended_at      timestamptz,
    check ((due_at is null) <> (ended_at is null)),
    check ((status = 'DUE') = (due_at is not null))
);
-- Like uploads_open: it holds what is to be delivered, however much was.
create index webhook_messages_due on webhook_messages (webhook, due_at) where due_at is not null;
create index webhook_messages_created on webhook_messages (created_at);

comment on table webhook_messages is 'What webhooks are told: one row a message to one receiver. Rows are never deleted by the worker; ended ones may be.';
comment on column webhook_messages.message_id is 'The header webhook-id: the same over all tries.';
comment on column webhook_messages.webhook is 'The name of the section [webhooks.NAME] that the message goes to.';
comment on column webhook_messages.event is 'batch.loaded, batch.failed or upload.rejected.';
comment on column webhook_messages.data is 'What is told, as JSON; nothing of a person.';
comment on column webhook_messages.upload_id is 'The upload that it tells of.';
comment on column webhook_messages.batch_id is 'The batch that it tells of.';
comment on column webhook_messages.status is 'DUE; DELIVERED (the receiver answered 2xx); GIVEN_UP (it answered 410, or nothing else came of it for three days).';
comment on column webhook_messages.attempts is 'How often it was tried; counted before the try.';
comment on column webhook_messages.token is 'Fences the worker that is delivering.';
comment on column webhook_messages.created_at is 'When that happened which it tells of.';
comment on column webhook_messages.due_at is 'When the next try may start, or when the lease of the worker that is at it ends. Null once it is at its end.';
comment on column webhook_messages.error_message is 'What went wrong in the last try.';
comment on column webhook_messages.ended_at is 'When it was delivered or given up.';
