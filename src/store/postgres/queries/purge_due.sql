-- $1 seconds. Batches that are older and whose requests are still here, the oldest first. `unfinished`: those that somebody
-- may still be about to contact.
select b.batch_key, b.batch_id,
       coalesce((select sum(t.change) from request_tally t where t.batch_key = b.batch_key), 0)::bigint as requests,
       case when batch_status(b.status, b.expires_on, statement_timestamp()) in ('ACTIVE', 'PAUSED') then
            coalesce((select sum(t.change) from request_tally t
                      where t.batch_key = b.batch_key and t.request_status in ('PENDING', 'INITIATED', 'CONNECTED')), 0)
       else 0 end::bigint as unfinished
from batches b
where b.created_at <= statement_timestamp() - make_interval(secs => $1) and b.status <> 'FAILED'
  and not exists (select 1 from purged_batches p where p.batch_id = b.batch_id)
order by b.created_at, b.batch_key
