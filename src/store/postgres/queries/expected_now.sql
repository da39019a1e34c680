-- $1 bucket. Of each campaign whose files are expected: where the one stands that counts now, if one does, and when the
-- next is due.
select campaign_id, campaign_name,
       max(case when opens_at <= statement_timestamp() then status end) as status,
       min(case when due_at > statement_timestamp() then due_at end) as next_due_at
from expected_files
where bucket = $1 and closes_at > statement_timestamp()
group by campaign_id, campaign_name
order by campaign_name, campaign_id
