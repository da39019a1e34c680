-- $1 campaign. Takes the campaign's turn until the transaction ends; false where another load has it. 1264 is no number
-- of ours that others would think of: advisory locks are shared by all programs in a database.
select pg_try_advisory_xact_lock(1264, $1)
