-- $1 campaign; $2 seconds that the window is long. Batches whose keys are kept and do not count any more.
select distinct k.batch_key
from kept_keys k join batches b using (batch_key)
where k.campaign_id = $1
  and (b.status in ('FAILED', 'CANCELED') or b.created_at <= clock_timestamp() - make_interval(secs => $2))
