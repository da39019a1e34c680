-- $1 batch; $2 targets in lower case, as a JSON array; $3 how a target is written in digits alone, as a JSON array;
-- $4 reference_id, or null. The requests of one person. What an INVALID row said is compared by its digits, however it
-- separates them.
select row_number, error_code is not null as was_rejected
from request_rows
where batch_key = $1
  and (lower(trim(target)) in (select jsonb_array_elements_text($2::jsonb))
       or lower(trim(sent_target)) in (select jsonb_array_elements_text($2::jsonb))
       or reference_id = $4 or sent_reference_id = $4
       or error_code is not null
          and translate(coalesce(sent_target, target), E' \t()-./+' || chr(160), '') in (select jsonb_array_elements_text($3::jsonb)))
order by row_number
