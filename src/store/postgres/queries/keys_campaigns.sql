-- Campaigns of which keys are kept.
select distinct campaign_id from kept_keys order by campaign_id
