-- Retention by the worker itself, and forgetting one person, as in PostgreSQL's migration of the same number, where it is told why.
-- Released: never edited again.

create table chores (
    chore  text primary key,
    due_at text not null
) strict, without rowid;
insert into chores (chore, due_at) values ('PURGE', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));

-- A check cannot be changed here: the table is made anew, and with it the view that reads it.
drop view batch_events;
create table batch_changes_with_forgotten (
    batch_key  integer not null references batches,
    sequence   integer not null,
    at         text    not null,
    event      text    not null check (event in ('HELD', 'RESUMED', 'CANCELED', 'EXPIRY_SET', 'FORGOTTEN')),
    actor      text    not null,
    reason     text,
    expires_on text,
    primary key (batch_key, sequence)
) strict, without rowid;
insert into batch_changes_with_forgotten (batch_key, sequence, at, event, actor, reason, expires_on)
select batch_key, sequence, at, event, actor, reason, expires_on from batch_changes;
drop table batch_changes;
alter table batch_changes_with_forgotten rename to batch_changes;

create view batch_events as
select b.batch_id, 0 as sequence, b.created_at as at, case b.status when 'FAILED' then 'FAILED' else 'PUBLISHED' end as event,
       coalesce(b.created_by, b.last_updated_by) as actor, b.error_message as reason, null as expires_on
from batches b
union all
select b.batch_id, c.sequence, c.at, c.event, c.actor, c.reason, c.expires_on
from batch_changes c join batches b using (batch_key)
union all
select b.batch_id, (select count(*) + 1 from batch_changes c where c.batch_key = b.batch_key), b.expires_on, 'EXPIRED',
       null, null, b.expires_on
from batches b
where b.status in ('ACTIVE', 'PAUSED') and b.expires_on <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now');
