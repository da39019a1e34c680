-- $1 bucket; $2 a JSON array of {key, version, list}.
update uploads set list = named.value ->> 'list'
from json_each($2) as named
where bucket = $1 and uploads.key = named.value ->> 'key' and version = named.value ->> 'version'
  and available_at is not null and list is not named.value ->> 'list'
