-- Retention by the worker itself, and forgetting one person. Released: never edited again.

-- What one worker of all does, from time to time. Whoever moves due_at on has the turn until then.
create table chores (
    chore  text        primary key,
    due_at timestamptz not null
);
insert into chores (chore, due_at) values ('PURGE', clock_timestamp());
comment on table chores is 'What one of all workers does, from time to time.';
comment on column chores.chore is 'PURGE: deleting requests that are older than retention.requests.';
comment on column chores.due_at is 'From when on a worker may take the turn. While one is at it, this lies ahead.';

-- That the requests of a person were emptied is told like what else happens to a batch; never whose they were.
alter table batch_changes drop constraint batch_changes_event_check;
alter table batch_changes add constraint batch_changes_event_check
    check (event in ('HELD', 'RESUMED', 'CANCELED', 'EXPIRY_SET', 'FORGOTTEN'));
comment on column batch_events.event is 'PUBLISHED or FAILED, then HELD, RESUMED, CANCELED, EXPIRY_SET, FORGOTTEN (requests of a person were emptied), EXPIRED.';
