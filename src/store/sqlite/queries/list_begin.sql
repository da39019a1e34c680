-- $1 list; $2 upload. Takes the list's row until the transaction ends; whether the upload was written later than the
-- one that is in force.
insert into suppression_lists (list, loaded_at, targets, invalid_rows, upload_id) values ($1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 0, 0, $2)
on conflict (list) do update set list = excluded.list
returning upload_id = $2 or (select (n.modified_at, n.upload_id) >= (o.modified_at, o.upload_id)
                             from uploads n, uploads o
                             where n.upload_id = $2 and o.upload_id = suppression_lists.upload_id)
