-- $1 chore; $2 seconds from now, until which it is the turn of who has it; 0 gives it back.
update chores set due_at = clock_timestamp() + make_interval(secs => $2) where chore = $1
