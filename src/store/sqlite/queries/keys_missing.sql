-- $1 campaign; $2 field; $3 seconds that the window is long. Batches that count and whose keys are not kept.
select b.batch_key from batches b
where b.campaign_id = $1 and b.status not in ('FAILED', 'CANCELED')
  and b.created_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', -$3 || ' seconds')
  and not exists (select 1 from kept_keys k where k.campaign_id = $1 and k.field = $2 and k.batch_key = b.batch_key)
order by b.batch_key
