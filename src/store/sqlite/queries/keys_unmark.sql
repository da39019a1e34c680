-- $1 batch.
delete from kept_keys where batch_key = $1
