-- Which uploads are asked for; a null asks for nothing. $1 status; $2 part of the key.
from uploads
where ($1 is null or status = $1) and ($2 is null or instr(lower(key), lower($2)) > 0)
