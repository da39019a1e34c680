-- Counts by status that stay short, and senders with few rights. Released: never edited again.

-- An update of request_status adds changes to the tally, and each list of batches adds them up. The worker folds them: changes
-- go, and in the same statement what they come to is added to the one folded row of a batch and status. So the sum is the same at
-- every moment, whoever looks, and senders still wait for nobody. Rows of before count as changes.
alter table request_tally add column folded boolean not null default false;
create unique index request_tally_folded on request_tally (batch_key, request_status) where folded;
-- It holds what is to be folded, however many batches there are.
create index request_tally_changes on request_tally (batch_key) where not folded;
-- Folded changes leave room that the next ones take, as soon as it is vacuumed: not only once a fifth of the table is.
alter table request_tally set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

-- Senders update the view `requests` and need no right to the tables behind it: what its trigger does, it does as the owner of the
-- schema. It finds its tables in this schema alone, and never in what a sender has made.
do $$ begin
    execute format('alter function requests_update() security definer set search_path = %I, pg_temp', current_schema());
end $$;
-- Or else whoever may make a view could put this trigger on it, and write by it.
revoke execute on function requests_update() from public;
