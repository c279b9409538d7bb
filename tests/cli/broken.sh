#!/bin/bash
# Directories that cannot be used, damage, a lock that is held.
# shellcheck disable=SC2016 # for s to expand
s 'echo text >file; diskcache -d file set a 1 2>&1 | sed "s/set: .*/set: .../"'
s 'diskcache -d file set a 1 2>/dev/null'
s 'diskcache -d file/below set a 1 2>/dev/null'
s 'diskcache -d /proc/nothing set a 1 2>/dev/null'
s 'mkdir bad; echo "this is no database, this is no database, this is no database" >bad/cache.db'
s 'diskcache -d bad get a 2>/dev/null'
s 'diskcache -d bad set a 1 2>/dev/null'
s 'cat bad/cache.db'
echo "--- another writer"
t diskcache set a 1
coproc sqlite3 cache/cache.db
# shellcheck disable=SC2154 # of coproc
echo "begin immediate; select 'locked';" >&"${COPROC[1]}"
read -r line <&"${COPROC[0]}"
echo "$line"
t diskcache get a
s 'diskcache --timeout 0 set a 2 2>/dev/null'
s 'diskcache --timeout 50ms incr n 2>/dev/null'
s 'diskcache --timeout 50ms run echo hello 2>/dev/null'
holder=$COPROC_PID
eval "exec ${COPROC[1]}>&-"
wait "$holder"
t diskcache set a 2
t diskcache get a
