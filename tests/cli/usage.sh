#!/bin/bash
# Wrong usage, help, version, where the cache is.
# shellcheck disable=SC2016 # for s to expand
t diskcache
t diskcache fly
t diskcache --colour
t diskcache get
t diskcache get a b
t diskcache get --colour a
t diskcache get -x a
t diskcache get a --output
t diskcache get a --json=1
t diskcache -d
t diskcache -d '' get a
t diskcache --timeout soon get a
t diskcache --timeout -1 get a
t diskcache help fly
t diskcache version
t diskcache --version
t diskcache version --json
t diskcache help
t diskcache --help
s 'diskcache help help >one; diskcache help -h >two; cmp one two'
s 'for c in $(diskcache help | sed -n "/^commands/,/^options/s/^  \([a-z]*\) .*/\1/p"); do
    diskcache help $c >one && [ -s one ] || echo "$c?"
done'
t diskcache help ls
t diskcache set -h
echo "--- options stand anywhere"
s 'diskcache set a 1; diskcache --json -d cache get a | notime; diskcache get --json a -d cache | notime'
s 'diskcache get -dcache a; diskcache get --directory=cache a; echo'
t diskcache set -- -key -value
t diskcache get -- -key
echo "--- where"
s '(unset DISKCACHE_DIR; diskcache set home 1; ls .cache)'
s '(unset DISKCACHE_DIR; XDG_CACHE_HOME=$PWD/xdg diskcache set xdg 1; ls xdg)'
s '(unset DISKCACHE_DIR; XDG_CACHE_HOME=relative diskcache get home; echo)'
s '(unset DISKCACHE_DIR HOME; diskcache get a)'
s '(unset DISKCACHE_DIR HOME; diskcache version)'
t diskcache -d new/deep/cache set a 1
t diskcache -d new/deep/cache get a
for command in "get a" "rm a" "exists a" "touch a" "pop a" pull peek ls stats info check expire cull \
    "evict a" clear compact "backup x" doctor dump; do
    # shellcheck disable=SC2086 # words
    t diskcache -d nowhere $command
done
s 'ls nowhere'
