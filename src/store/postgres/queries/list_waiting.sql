-- $1 lists as a JSON array. One of which a file is still to be loaded.
select list from uploads
where available_at is not null and list in (select jsonb_array_elements_text($1::jsonb))
order by upload_id
limit 1
