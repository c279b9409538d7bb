#!/bin/bash
# stats --watch, stats --prometheus, top.
# shellcheck disable=SC2016 # for s to expand
ages() {
    sed -E 's/ +[0-9.]+[smhd]  / AGE  /'
}
t diskcache top
t diskcache stats --watch
s 'seq 1000 | diskcache set large -'
t diskcache set $'two\nlines' second
t diskcache set third 3
t diskcache set pinned x --pin
t diskcache set gone 1 --expire 0
echo "--- prometheus"
s 'diskcache stats --prometheus | grep -v -E "^diskcache_(volume|database|log)_bytes"'
s 'diskcache stats --prometheus | grep -c -E "^diskcache_[a-z_]+\{directory=\"[^\"]*\"\} [0-9]+$"'
s 'cp -r cache "odd \"name"; diskcache -d "odd \"name" stats --prometheus | grep -E "^diskcache_items"'
t diskcache stats --prometheus --reset
t diskcache stats --prometheus --watch
echo "--- watch"
s 'diskcache stats --watch --interval 10ms --count 2 | sed -E "s/[0-9.]+ KiB/N KiB/"'
s 'diskcache stats -i 10ms -n 1 --json | sed -E "s/\"(volume|wal_bytes)\": [0-9]+/\"\1\": N/g"'
t diskcache config statistics 1
s 'diskcache stats -i 10ms -n 21 | cut -c 1-16 | uniq -c'
t diskcache stats --count 0
t diskcache stats --interval never
t diskcache stats --interval -1
t diskcache stats --count some
echo "--- it ends when nobody reads on"
s 'diskcache stats -i 10ms 2>/dev/null | head -n 1'
echo "--- top, one picture"
s 'diskcache top | sed -E "s/[0-9.]+ KiB/N KiB/g" | ages'
t diskcache top --limit 0
t diskcache top --interval 0
t diskcache config eviction_policy least-frequently-used
s 'for i in 1 2 3; do diskcache get third >/dev/null; done; diskcache get large >/dev/null'
s 'diskcache top -n 2 | sed -n "/HOTTEST/,/^\$/p"'
t diskcache config eviction_policy least-recently-used
s 'diskcache get large >/dev/null; diskcache top -n 1 | sed -n "/HOTTEST/,/^\$/p" | ages'
s 'diskcache -d many --fanout 2 set k v; diskcache -d many top -n 1 | tail -n 2 | ages'
echo "--- top on a terminal: two pictures, then q"
s 'python3 "$DC_TESTS/on_terminal.py" 14 60 "OLDEST" " " "gets/s" q -- diskcache top -i 60 | sed -E "s/[0-9.]+ KiB/N KiB/g" | ages'
echo "--- and Ctrl-C"
s 'python3 "$DC_TESTS/on_terminal.py" 10 60 "OLDEST" $'"'\\003'"' -- diskcache top -i 60 | tail -n 1'
s 'python3 "$DC_TESTS/on_terminal.py" 10 60 "gets/s" $'"'\\003'"' -- diskcache stats -w -i 10ms | tail -n 1'
