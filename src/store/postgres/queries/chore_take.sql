-- $1 chore; $2 seconds for which the turn is taken. Of workers that ask at once, one changes the row.
update chores set due_at = clock_timestamp() + make_interval(secs => $2)
where chore = $1 and due_at <= clock_timestamp()
