-- $1 batch; $2 rows, as a JSON array. Empties them of what they hold of a person. Who was not contacted yet never is.
update request_rows
set reference_id = '', target = '', cells = array_fill(''::text, array[cardinality(cells)]), target_extension = null,
    sent_reference_id = null, sent_target = null,
    request_status = case request_status when 'PENDING' then 'CANCELED' else request_status end
where batch_key = $1 and row_number in (select row_number::integer from jsonb_array_elements_text($2::jsonb) as asked(row_number))
