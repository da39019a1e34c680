-- $1 list; $2 targets as a JSON array.
insert into suppressed_targets (list, target)
select $1, target from jsonb_array_elements_text($2::jsonb) as given(target)
on conflict do nothing
