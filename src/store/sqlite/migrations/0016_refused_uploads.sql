-- Refused uploads, as in PostgreSQL's migration of the same number. Released: never edited again.

-- The page looks at the newest ones every few seconds, among all uploads that ever were.
create index uploads_refused on uploads (settled_at, upload_id) where status in ('FAILED', 'REJECTED', 'GONE');
