-- $1 lists as a JSON array; $2 targets as a JSON array. Which targets are on which list; of several, the first named
-- comes first. `offset 0` keeps the planner from turning this into a join that reads all of the lists, which it does
-- where it has no statistics yet.
select found.target, found.list
from jsonb_array_elements_text($2::jsonb) as asked(target)
cross join lateral (select s.target, s.list from suppressed_targets s
                    where s.list = any (array(select jsonb_array_elements_text($1::jsonb))) and s.target = asked.target
                    offset 0) as found
order by array_position(array(select jsonb_array_elements_text($1::jsonb)), found.list)
