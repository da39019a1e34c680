-- $1 campaign; $2 field; $3 batch.
insert into kept_keys (campaign_id, field, batch_key) values ($1, $2, $3)
