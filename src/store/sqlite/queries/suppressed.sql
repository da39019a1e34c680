-- $1 lists as a JSON array; $2 targets as a JSON array. Which targets are on which list; of several, the first named
-- comes first.
select s.target, s.list
from json_each($2) as asked
cross join json_each($1) as named
cross join suppressed_targets s on s.list = named.value and s.target = asked.value
order by named.key
