#!/bin/bash
# bench: every operation is measured, and nothing is left.
# shellcheck disable=SC2016 # for s to expand
s 'diskcache bench --count 5 | cut -c 1-10'
s 'diskcache bench --count 5 --json | sed -E "s/: [0-9.e+-]+/: N/g"'
s 'ls -A . tmp'
t diskcache bench --count 0
s 'diskcache -d /proc/cache bench 2>/dev/null'
