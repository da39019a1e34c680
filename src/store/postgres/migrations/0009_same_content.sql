-- The batches of one content, of whatever status: who looks at one sees what became of the same file before and after. Released:
-- never edited again.
create index batches_sha256 on batches (sha256);
