-- $1 chore; $2 seconds from now, until which it is the turn of who has it; 0 gives it back.
update chores set due_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', $2 || ' seconds') where chore = $1
