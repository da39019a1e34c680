-- $1 batch_id; $2 how many. The other batches of the campaign that were made of the same content. The oldest first.
where sha256 = (select sha256 from batches where batch_id = $1)
  and campaign_id = (select campaign_id from batches where batch_id = $1)
  and batch_id <> $1
order by received_on, number
limit $2
