-- $1 how many changes at the most. Replaces changes of the tally by their sum; gives how many. In one statement, so
-- that everybody sees either the changes or the sum. Those that another worker is folding are left to it.
with gone as (
    delete from request_tally
    where ctid = any (array(select ctid from request_tally where not folded order by batch_key limit $1 for update skip locked))
    returning batch_key, request_status, change
), sums as (
    insert into request_tally as tally (batch_key, request_status, change, folded)
    select batch_key, request_status, sum(change), true from gone group by batch_key, request_status
    -- One order for all workers, so that none waits for another that waits for it.
    order by batch_key, request_status
    on conflict (batch_key, request_status) where folded do update set change = tally.change + excluded.change
)
select count(*) from gone
