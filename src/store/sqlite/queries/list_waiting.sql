-- $1 lists as a JSON array. One of which a file is still to be loaded.
select list from uploads
where available_at is not null and list in (select value from json_each($1))
order by upload_id
limit 1
