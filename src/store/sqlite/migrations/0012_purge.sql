-- Retention, as in PostgreSQL's migration of the same number, where it is told why. Released: never edited again.

create table purged_batches (
    batch_id  text    primary key references batches (batch_id),
    purged_at text    not null,
    requests  integer not null
) strict, without rowid;
