-- $1 batch_id.
where batch_id = $1
