#!/bin/bash
# A cache of several directories: made by --fanout, recognised by every command.
# shellcheck disable=SC2016 # for s to expand
for n in 0 -1 1001 many; do
    t diskcache --fanout "$n" set a 1
done
t diskcache --fanout 4 get a
s 'ls cache'
t diskcache --fanout 4 set a apple --tag fruit
s 'ls cache'
for n in 1 2 3 4 5; do
    diskcache set --type int "$n" --int "$n" --tag number
done
s 'seq 20000 | diskcache set large - --expire 1h'
t diskcache get a
t diskcache get --type int 3
s 'diskcache get large | tail -n 1'
t diskcache exists b
t diskcache ls --sort key
s 'diskcache ls --tag number | sort'
s 'diskcache info | grep -E "shards|items|size_limit"'
s 'diskcache info --json | grep -o "\"shards\": [0-9]*"'
s 'diskcache --fanout 2 info | grep shards'
t diskcache config size_limit 4000001
t diskcache config size_limit
t diskcache incr --type int 3 10
t diskcache touch a --expire 1h
t diskcache pop --type int 4
t diskcache rm a nothing
t diskcache evict number
s 'diskcache stats | grep -E "items|timeouts"'
t diskcache push job
t diskcache pull
t diskcache check
t diskcache doctor
t diskcache backup copy
t diskcache -d copy ls
s 'diskcache dump >dumped; diskcache -d new --fanout 3 load <dumped; diskcache -d new ls'
s 'diskcache -d new info | grep shards'
s 'diskcache run -- echo once; diskcache run -- echo once'
t diskcache compact
t diskcache cull
t diskcache expire
t diskcache clear -y
t diskcache ls
echo "--- a single directory stays one"
t diskcache -d single set a 1
t diskcache -d single --fanout 4 set b 2
s 'ls single'
t diskcache -d jobs --fanout 4 deque push a
