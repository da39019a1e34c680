-- $1 batch_id. How the file's columns were named and in which order they stood.
select variable_names, column_names, reference_column, target_column, delimiter
from batches
where batch_id = $1
