-- $1 bucket. The due times of the last week, and what was not decided before, in their order; and of those that may still change
-- what came within their windows: the first good batch, else the last that failed. A week, since what came in time may wait for
-- long before it is a batch.
select e.campaign_id, e.due_at, e.opens_at, e.missing_from, e.closes_at, e.status, e.batch_id as known_batch_id,
       b.batch_id, b.upload_id, coalesce(u.arrived_at, u.modified_at) as arrived_at, b.status = 'FAILED' as is_failed
from (select x.*, case when x.status <> 'ARRIVED' then
                      (select c.batch_key
                       from batches c join uploads v on v.upload_id = c.upload_id
                       where c.campaign_id = x.campaign_id and v.bucket = x.bucket and c.created_at >= x.opens_at
                         and coalesce(v.arrived_at, v.modified_at) >= x.opens_at
                         and coalesce(v.arrived_at, v.modified_at) < x.closes_at
                       order by c.status = 'FAILED', case when c.status = 'FAILED' then -c.batch_key end,
                                coalesce(v.arrived_at, v.modified_at), c.batch_key
                       limit 1) end as batch_key
      from expected_files x
      where x.bucket = $1 and (x.status in ('EXPECTED', 'LATE') or x.closes_at > clock_timestamp() - interval '7 days')) e
left join batches b on b.batch_key = e.batch_key
left join uploads u on u.upload_id = b.upload_id
order by e.due_at, e.campaign_id
