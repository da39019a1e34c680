-- $1 batch; $2 requests that it had. Changes no row while the batch has one left, as when another purges it at the same
-- time.
insert into purged_batches (batch_id, purged_at, requests)
select b.batch_id, clock_timestamp(), $2 from batches b
where b.batch_key = $1 and not exists (select 1 from request_rows r where r.batch_key = b.batch_key)
on conflict (batch_id) do update set requests = excluded.requests
