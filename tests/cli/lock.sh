#!/bin/bash
# lock: one command at a time; who dies holds nothing.
# shellcheck disable=SC2016 # for s to expand
t diskcache lock k echo alone
t diskcache lock k -- sh -c 'exit 7'
t diskcache lock k sh -c 'kill -TERM $$'
t diskcache lock k no-such-command
s 'touch file; diskcache lock k ./file'
s 'echo through | diskcache lock k cat'
t diskcache ls
echo "--- held"
mkfifo held go
# A holder that says when it has the lock, and holds it until it is told.
hold() {
    diskcache lock "$@" -- bash -c 'trap "echo told to end; exit 5" TERM; echo $$ >held; read -r word <go; echo "$word"' &
    tool=$!
    read -r command <held
}
# Who has ended may stay a zombie, where nobody waits for orphans.
alive() {
    [ -e "/proc/$1" ] && ! grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"
}
hold k
t diskcache lock --timeout 0 k echo never
t diskcache --timeout 20ms lock k echo never
t diskcache lock other echo another
t diskcache lock -t int 1 echo a number
s 'diskcache lock k true && echo after >>order & echo before >>order; echo done >go; wait; cat order'
wait
t diskcache ls
echo "--- dead"
hold k
{
    kill -KILL "$tool"
    wait "$tool"
} 2>/dev/null
t diskcache lock k echo free
while alive "$command"; do :; done
t diskcache ls
echo "--- told to end"
hold k
kill -TERM "$tool"
wait "$tool"
echo "status $?"
t diskcache lock --timeout 0 k echo free
echo "--- semaphore"
hold -n 2 s
t diskcache lock -n 2 s echo the second
t diskcache lock -n 2 s diskcache lock --timeout 0 -n 2 s echo never
echo done >go
wait
t diskcache ls
echo "--- a lease is renewed"
t diskcache lock --expire 1 k sh -c 'sleep 1.5; diskcache lock --timeout 0 k echo never'
t diskcache ls
echo "--- wrong usage"
t diskcache lock
t diskcache lock k
t diskcache lock k --
t diskcache lock -n 0 k true
t diskcache lock -e soon k true
t diskcache lock -t int k true
s 'diskcache set k mine; diskcache lock -n 2 k true'
