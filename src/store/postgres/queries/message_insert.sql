-- $1 id; $2 webhook; $3 event; $4 data; $5 upload, $6 batch, where it tells of one.
insert into webhook_messages (message_id, webhook, event, data, upload_id, batch_id) values ($1, $2, $3, $4, $5, $6)
