-- Which uploads came to nothing, the last first; `upload_page` stands before. $1 how many. The index is known by this
-- very condition.
from uploads
where status in ('FAILED', 'REJECTED', 'GONE')
order by settled_at desc, upload_id desc
limit $1
