-- $1 list.
delete from suppressed_targets where list = $1
