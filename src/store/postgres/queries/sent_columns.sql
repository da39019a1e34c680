-- $1 batch_id. How the file's columns were named and in which order they stood.
select to_json(variable_names)::text as variable_names, to_json(column_names)::text as column_names, reference_column, target_column, delimiter
from batches
where batch_id = $1
