select e.bucket, e.campaign_id, e.campaign_name, e.due_at, e.opens_at, e.missing_from, e.closes_at, e.status,
       e.upload_id, u.key, e.batch_id, e.arrived_at, e.missing_at, e.expected_since, b.error_code, b.error_message
