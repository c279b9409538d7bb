#!/bin/bash
# stats, info, config.
# shellcheck disable=SC2016 # for s to expand
t diskcache stats
t diskcache config statistics 1
t diskcache set a 1
s 'diskcache get a; diskcache get a; diskcache get b; echo'
s 'diskcache stats | grep -v -E "volume|database|log"'
s 'diskcache stats --json | sed -E "s/\"(db_bytes|wal_bytes|volume)\": [0-9]+/\"\1\": N/g"'
s 'diskcache stats --reset | grep -E "hits|misses"'
s 'diskcache stats | grep -E "hits|misses|rate"'
echo "--- config"
t diskcache config
t diskcache config --json
t diskcache config size_limit
t diskcache config size_limit --json
t diskcache config size_limit 12345678
t diskcache config size_limit
t diskcache config eviction_policy least-recently-used
t diskcache config eviction_policy
t diskcache config eviction_policy least-fortunate
t diskcache config eviction_policy
t diskcache config size_limit many
t diskcache config colour
t diskcache config colour blue
t diskcache config colour
t diskcache config number -1.5
t diskcache config number --json
t diskcache config number --text 3
t diskcache config number --json
t diskcache config a b c
t diskcache -d nowhere config
s 'ls nowhere'
t diskcache -d new config cull_limit 3
t diskcache -d new config cull_limit
echo "--- info"
s 'diskcache info | grep -v volume'
s 'diskcache info --json | sed -E "s/\"volume\": [0-9]+/\"volume\": N/"'
