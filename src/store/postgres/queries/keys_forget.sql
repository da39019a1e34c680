-- $1 batch.
delete from unique_keys where batch_key = $1
