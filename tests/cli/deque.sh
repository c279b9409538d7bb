#!/bin/bash
# deque: a directory as a deque, and index: as an ordered mapping.
# shellcheck disable=SC2016 # for s to expand
export DISKCACHE_DIR=$PWD/jobs
t diskcache deque pop
t diskcache deque len
t diskcache deque push one
t diskcache deque push two three --json
t diskcache deque push zero --side front
s 'printf raw | diskcache deque push -'
t diskcache deque push 7 8 --int
t diskcache deque ls
t diskcache deque ls --json --reverse --limit 3
t diskcache deque len --json
t diskcache config eviction_policy
t diskcache deque get 1
t diskcache deque get -1
t diskcache deque get 99
t diskcache deque get 99 --default none
s 'diskcache deque get -2 --json | notime'
t diskcache deque set 2 TWO
t diskcache deque set -9 x --json
t diskcache deque rm 3
t diskcache deque rm 17
t diskcache deque remove 8 --int
t diskcache deque remove 8 --int --json
t diskcache deque count one
t diskcache deque count none --json
t diskcache deque ls
t diskcache deque rotate
t diskcache deque ls
t diskcache deque rotate -2 --json
t diskcache deque reverse
t diskcache deque ls
t diskcache deque pop
t diskcache deque pop --side back
t diskcache deque peek
t diskcache deque maxlen
t diskcache deque maxlen 2
t diskcache deque ls
t diskcache deque push last
t diskcache deque ls
t diskcache deque maxlen --json
t diskcache deque maxlen none
t diskcache deque maxlen
t diskcache deque push a - b
t diskcache deque
t diskcache deque jump
t diskcache deque get
t diskcache deque get x
t diskcache deque len 5
t diskcache deque len --side front
t diskcache deque maxlen -3
t diskcache help deque
