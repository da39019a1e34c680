-- $1 seconds. Batches that are older and whose requests are still here, the oldest first. `unfinished`: those that
-- somebody may still be about to contact; `unanswered`: the rejects that its sender is owed are made of the requests.
select b.batch_key, b.batch_id,
       coalesce((select sum(t.change) from request_tally t where t.batch_key = b.batch_key), 0)::bigint as requests,
       case when batch_status(b.status, b.expires_on, statement_timestamp()) in ('ACTIVE', 'PAUSED') then
            coalesce((select sum(t.change) from request_tally t
                      where t.batch_key = b.batch_key and t.request_status in ('PENDING', 'INITIATED', 'CONNECTED')), 0)
       else 0 end::bigint as unfinished,
       exists (select 1 from uploads u where u.upload_id = b.upload_id and u.answer_due_at is not null) as unanswered
from batches b
where b.created_at <= statement_timestamp() - make_interval(secs => $1) and b.status <> 'FAILED'
  and not exists (select 1 from purged_batches p where p.batch_id = b.batch_id)
order by b.created_at, b.batch_key
