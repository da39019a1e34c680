-- $1 batch; $2 targets in lower case, as a JSON array; $3 how a target is written in digits alone, as a JSON array;
-- $4 reference_id, or null. The requests of one person. What an INVALID row said is compared by its digits, however it
-- separates them.
select row_number, error_code is not null as was_rejected
from request_rows
where batch_key = $1
  and (lower(trim(target)) in (select value from json_each($2))
       or lower(trim(sent_target)) in (select value from json_each($2))
       or reference_id = $4 or sent_reference_id = $4
       or error_code is not null
          and replace(replace(replace(replace(replace(replace(replace(replace(replace(
                  coalesce(sent_target, target), ' ', ''), char(160), ''), char(9), ''), '(', ''), ')', ''), '-', ''), '.', ''),
                  '/', ''), '+', '') in (select value from json_each($3)))
order by row_number
