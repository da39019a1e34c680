-- $1 bucket; $2 when a complete listing of it began. An earlier one than is noted changes nothing.
insert into bucket_listings (bucket, began_at) values ($1, strftime('%Y-%m-%dT%H:%M:%fZ', $2))
on conflict (bucket) do update set began_at = excluded.began_at where bucket_listings.began_at < excluded.began_at
