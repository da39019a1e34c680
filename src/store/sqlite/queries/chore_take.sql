-- $1 chore; $2 seconds for which the turn is taken. Of workers that ask at once, one changes the row.
update chores set due_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', $2 || ' seconds')
where chore = $1 and due_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
