#!/bin/bash
# index: a directory as a mapping in the order of insertion.
# shellcheck disable=SC2016 # for s to expand
export DISKCACHE_DIR=$PWD/index
t diskcache index get b
t diskcache index set b 1 --int
t diskcache config eviction_policy
t diskcache index set a two
t diskcache index set b 3 --int
t diskcache index ls
t diskcache index ls --reverse
t diskcache index setdefault c three
t diskcache index setdefault c four
s 'diskcache index setdefault d 4 --int --json | notime'
t diskcache index len
t diskcache index len --json
t diskcache index peekitem
s 'diskcache index peekitem --side front --json | notime'
t diskcache index popitem
t diskcache index popitem --side front
t diskcache index exists a
t diskcache index pop a
t diskcache index rm a
t diskcache index push pushed
t diskcache index pull
t diskcache -d other index equal other
s 'diskcache -d other index set c three; diskcache index equal other --json'
s 'diskcache -d other index set e 1; diskcache index set e 1; diskcache index equal other --ordered; echo $?'
s 'diskcache index rm c; diskcache index set c three; diskcache index equal other; echo $?'
t diskcache index equal other --ordered
t diskcache index equal nowhere
t diskcache index popitem --side left
t diskcache index get x --side front
t diskcache index jump
t diskcache help index
