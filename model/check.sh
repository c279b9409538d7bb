#!/bin/bash
# check.sh: have Spin look at each scenario of the models, and see that it catches each seeded defect.
# The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."
work=build/model

# What is expected, and of what: a scenario (see `init` in the model) breaks no law; with a step
# taken away it breaks one. EXPECTED MODEL SCENARIO SEED.
runs='
sound memtable 1
sound memtable 2
sound memtable 3
sound memtable 4
sound memtable 5
sound memtable 6
sound memtable 7
sound memtable 8
sound memtable 9
sound memtable 10
caught memtable 1 LIST_FIRST
caught memtable 2 NO_REPAIR
caught memtable 2 NO_WAIT_VISIBLE
caught memtable 8 RECLAIM_DIRTY
caught memtable 8 NO_RECHECK
caught memtable 1 DRAINED_FIRST
caught memtable 7 SKIP_BEYOND_TARGET
caught memtable 7 DRAIN_UNLISTED
caught memtable 8 LOCK_ORDER
caught memtable 3 NO_APPEND_LOCK
caught memtable 4 FLOOR_LATE
caught memtable 4 FLOOR_IGNORED
caught memtable 4 FLOOR_FIRST
caught memtable 1 KEEP_LISTED
caught memtable 4 KEEP_COMMITTED
caught memtable 5 FOREIGN_IGNORED
caught memtable 5 NO_YIELD
caught memtable 9 SLOT_FIRST
caught memtable 9 SINGLE_LISTED
caught memtable 9 SINGLE_KNOWN_FIRST
caught memtable 9 SINGLE_DRAINED_FIRST
caught memtable 10 SINGLE_KNOWN_ANY
sound handover 1
sound handover 2
caught handover 1 NO_SETTLING
caught handover 1 LEFT_OVER
caught handover 1 CLAIM_BY_OWNER
caught handover 2 ANY_FROM
'

# run EXPECTED MODEL SCENARIO [SEED], in a process of its own, so that xargs can have several.
if [ "${1:-}" = run ]; then
    expected=$2
    dir=$work/$3-$4-${5:-sound}
    mkdir -p "$dir"
    cp "model/$3.pml" "$dir"
    cd "$dir"
    # A seed is found within moments: there the compiler takes the time.
    optimize=$([ "$expected" = sound ] && echo -O1 || echo -O0)
    spin -a -DSCENARIO="$4" ${5:+-DSEED_$5} "$3.pml" >spin.log 2>&1
    gcc "$optimize" -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c >gcc.log 2>&1
    ./pan -m100000 >pan.log 2>&1 || true
    verdict='no verdict'
    grep -q 'errors: 0$' pan.log && ! grep -q 'not completed' pan.log && verdict=sound
    grep -q 'errors: [1-9]' pan.log && verdict=caught
    [ "$verdict" = "$expected" ] && echo passed && exit 0
    echo "model: $3, scenario $4 ${5:-}: $verdict, expected: $expected" >&2
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
