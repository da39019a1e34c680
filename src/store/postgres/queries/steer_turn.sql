-- $1 batch_id. Excludes those who take requests of the batch until the transaction ends; see the trigger
-- requests_update. Who waits for a sender whose transaction never ends keeps other senders waiting too, and gives up
-- after a while.
select set_config('lock_timeout', '30s', true), pg_advisory_xact_lock(1265, batch_key)
from batches
where batch_id = $1
