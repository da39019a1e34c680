-- $1 bucket; $2 a JSON array of {key, version, list}.
update uploads u set list = named.list
from jsonb_to_recordset($2::jsonb) as named (key text, version text, list text)
where u.bucket = $1 and u.key = named.key and u.version = named.version
  and u.available_at is not null and u.list is distinct from named.list
