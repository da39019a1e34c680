-- $1 campaign. A load that has the turn and whose claim was lost can publish nothing any more. One that does not
-- notice, since its process or machine stands still, is ended here, or nobody would get the turn.
select pg_terminate_backend(l.pid)
from pg_locks l join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 2
  and l.classid = 1264 and l.objid = $1::integer::oid
  and l.database = (select oid from pg_database where datname = current_database())
  and a.application_name like 'batchdrop ____________________________________'
  and not exists (select from uploads u
                  where u.claim_token = substr(a.application_name, 11) and u.status = 'CLAIMED'
                    and u.available_at > clock_timestamp())
