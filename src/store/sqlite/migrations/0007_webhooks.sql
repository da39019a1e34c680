-- Webhooks, as in PostgreSQL's migration of the same number, where it is told what they mean. Released: never edited again.

create table webhook_messages (
    message_id    text    primary key,
    webhook       text    not null,
    event         text    not null,
    data          text    not null,
    upload_id     integer,
    batch_id      text,
    status        text    not null default 'DUE' check (status in ('DUE', 'DELIVERED', 'GIVEN_UP')),
    attempts      integer not null default 0,
    token         text,
    created_at    text    not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    due_at        text    default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    error_message text,
    ended_at      text,
    check ((due_at is null) <> (ended_at is null)),
    check ((status = 'DUE') = (due_at is not null))
) strict;
create index webhook_messages_due on webhook_messages (webhook, due_at) where due_at is not null;
create index webhook_messages_created on webhook_messages (created_at);
