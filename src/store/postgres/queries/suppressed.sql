-- $1 lists as a JSON array; $2 targets as a JSON array. Which targets are on which list; of several, the first named comes first.
select s.target, s.list
from jsonb_array_elements_text($2::jsonb) as asked(target)
cross join jsonb_array_elements_text($1::jsonb) with ordinality as named(list, place)
join suppressed_targets s on s.list = named.list and s.target = asked.target
order by named.place
