-- Expected files, as in PostgreSQL's migration of the same number. Released: never edited again.

create index expected_files_open on expected_files (bucket, closes_at) where status in ('EXPECTED', 'LATE');
create index expected_files_upload on expected_files (upload_id);
