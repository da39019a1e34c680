-- $1 batch; $2 status; $3 count at intake.
insert into request_tally (batch_key, request_status, change, folded) values ($1, $2, $3, true)
