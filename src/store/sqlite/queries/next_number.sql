-- $1 day of receipt. The row stays locked until the transaction ends: numbers are given in the order of commits.
insert into batch_numbers (received_on, last_number) values ($1, 1)
on conflict (received_on) do update set last_number = batch_numbers.last_number + 1
returning last_number
