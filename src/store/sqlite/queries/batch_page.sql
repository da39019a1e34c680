-- Those on a page; `batch_filter`, an order and the page follow.
where batch_id in (select batch_id
