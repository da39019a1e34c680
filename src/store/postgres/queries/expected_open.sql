-- $1 bucket. The due times of the last week, and what was not decided before, in their order; and of those that may
-- still change what came within their windows: the first good batch, else the last that failed. A week, since what came
-- in time may wait for long before it is a batch. Batches are gone through from the beginning of the window on, and
-- what belongs to one is looked up by its number: a plan that joins the tables could read them all.
with e as materialized (
    select x.*,
           case when x.status <> 'ARRIVED' then
                 coalesce(
                     (select c.batch_key
                     from batches c
                     where c.campaign_id = x.campaign_id and c.created_at >= x.opens_at and c.status <> 'FAILED'
                       and (select coalesce(v.arrived_at, v.modified_at) >= x.opens_at
                                   and coalesce(v.arrived_at, v.modified_at) < x.closes_at
                            from uploads v
                            where v.upload_id = c.upload_id and v.bucket = x.bucket)
                     order by c.created_at
                     limit 1),
                     (select c.batch_key
                     from batches c
                     where c.campaign_id = x.campaign_id and c.created_at >= x.opens_at and c.status = 'FAILED'
                       and (select coalesce(v.arrived_at, v.modified_at) >= x.opens_at
                                   and coalesce(v.arrived_at, v.modified_at) < x.closes_at
                            from uploads v
                            where v.upload_id = c.upload_id and v.bucket = x.bucket)
                     order by c.created_at desc
                     limit 1))
           end as batch_key
    from (select * from expected_files
          where bucket = $1 and closes_at > statement_timestamp() - interval '7 days'
          union all
          select * from expected_files
          where bucket = $1 and closes_at <= statement_timestamp() - interval '7 days'
            and status in ('EXPECTED', 'LATE')) x)
select campaign_id, due_at, opens_at, missing_from, closes_at, status, e.batch_id as known_batch_id,
       (select b.batch_id from batches b where b.batch_key = e.batch_key) as batch_id,
       (select b.upload_id from batches b where b.batch_key = e.batch_key) as upload_id,
       (select b.status = 'FAILED' from batches b where b.batch_key = e.batch_key) as is_failed,
       (select coalesce(u.arrived_at, u.modified_at) from uploads u
        where u.upload_id = (select b.upload_id from batches b where b.batch_key = e.batch_key)) as arrived_at
from e
order by due_at, campaign_id
