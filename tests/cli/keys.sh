#!/bin/bash
# rm, exists, touch, incr, pop.
# shellcheck disable=SC2016 # for s to expand
s 'for k in a b c; do diskcache set $k "value of $k"; done'
t diskcache exists a
t diskcache exists z
t diskcache exists z --json
t diskcache exists a --json
t diskcache rm a
t diskcache exists a
t diskcache rm a
t diskcache rm a b
t diskcache rm c --json
t diskcache rm c --json
t diskcache rm
echo "--- touch"
t diskcache set k v --expire 100
t diskcache touch k
s 'diskcache get k --json | notime'
t diskcache touch k --expire 1d
s 'diskcache get k --json | notime'
t diskcache touch k --expire 0
t diskcache exists k
t diskcache touch k
t diskcache touch k --json
echo "--- incr"
t diskcache incr n
t diskcache incr n 41
t diskcache incr n -2
t diskcache incr n 0.5
t diskcache incr n -- -0.5
t diskcache incr m --initial 100 --json
t diskcache incr m 9223372036854775807
t diskcache get m
t diskcache incr none --must-exist
t diskcache set text words
t diskcache incr text
t diskcache incr n many
t diskcache incr t --expire 1h --tag red
s 'diskcache get t --json | notime'
echo "--- pop"
t diskcache set p once
t diskcache pop p
t diskcache pop p
t diskcache set p twice
s 'diskcache pop p --json | notime'
t diskcache pop p --json
t diskcache pop p --default nothing
t diskcache set p --pickle --hex 636f730a73797374656d0a2e
t diskcache pop p
t diskcache exists p
s 'diskcache pop p --raw | od -An -tx1'
t diskcache exists p
