-- $1 list; $2 targets as a JSON array.
insert into suppressed_targets (list, target)
select $1, value from json_each($2) where true
on conflict do nothing
