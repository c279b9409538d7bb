#!/bin/bash
# check.sh: have Spin look at each scenario of memtable.pml, and see that it catches each seeded
# defect. The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."
work=build/model

# What is expected, and of what: a scenario (see `init` in the model) breaks no law; with a step
# taken away it breaks one. NAME SCENARIO SEED.
runs='
sound 1
sound 2
sound 3
sound 4
sound 5
sound 6
sound 7
sound 8
caught 1 LIST_FIRST
caught 2 NO_REPAIR
caught 2 NO_WAIT_VISIBLE
caught 8 RECLAIM_DIRTY
caught 8 NO_RECHECK
caught 1 DRAINED_FIRST
caught 7 SKIP_BEYOND_TARGET
caught 7 DRAIN_UNLISTED
caught 8 LOCK_ORDER
caught 3 NO_APPEND_LOCK
caught 4 FLOOR_LATE
caught 4 FLOOR_IGNORED
caught 4 FLOOR_FIRST
caught 1 KEEP_LISTED
caught 4 KEEP_COMMITTED
caught 5 FOREIGN_IGNORED
caught 5 NO_YIELD
'

# run EXPECTED SCENARIO [SEED], in a process of its own, so that xargs can have several.
if [ "${1:-}" = run ]; then
    expected=$2
    dir=$work/$3-${4:-sound}
    mkdir -p "$dir"
    cp model/memtable.pml "$dir"
    cd "$dir"
    # A seed is found within moments: there the compiler takes the time.
    optimize=$([ "$expected" = sound ] && echo -O1 || echo -O0)
    spin -a -DSCENARIO="$3" ${4:+-DSEED_$4} memtable.pml >spin.log 2>&1
    gcc "$optimize" -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c >gcc.log 2>&1
    ./pan -m100000 >pan.log 2>&1 || true
    verdict='no verdict'
    grep -q 'errors: 0$' pan.log && ! grep -q 'not completed' pan.log && verdict=sound
    grep -q 'errors: [1-9]' pan.log && verdict=caught
    [ "$verdict" = "$expected" ] && echo passed && exit 0
    echo "model: scenario $3 ${4:-}: $verdict, expected: $expected" >&2
    echo failed
    exit 0
fi

rm -rf "$work"
mkdir -p "$work"
results=$(grep . <<<"$runs" | xargs -P "$(nproc)" -L 1 "$0" run)
passed=$(grep -c passed <<<"$results" || true)
failed=$(grep -c failed <<<"$results" || true)
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
