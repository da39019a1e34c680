-- $1 token. Says in pg_stat_activity, until the transaction ends, whose load this is.
select set_config('application_name', 'batchdrop ' || $1, true)
