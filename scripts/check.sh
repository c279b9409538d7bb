#!/bin/bash
# check.sh: all that has to be true of a commit. Each part writes a log to build/check/; of a part
# that fails the end of it is shown. The last line is "N passed, N failed".
#
# The builds come first, then parts side by side, and last, alone, those that measure time or keep
# the machine busy themselves.
set -euo pipefail
cd "$(dirname "$0")/.."

logs=build/check
export PYTHONDONTWRITEBYTECODE=1
programs=$PWD/build/plain/tests
jobs=$(nproc)

builds='plain asan coverage'
together='unit-asan coverage tidy unit docs unit-smallest unit-off cli layers lists exports length format shell install examples'
alone='python counts interop stress-processes stress-threads stress-fanout torture locks workqueue history
    python-off interop-off history-off stress-off torture-off locks-off workqueue-off powercut'

# The unit tests but for the loops over faults, which take most of the time: they run under the sanitizers, and
# for the coverage.
unit() {
    # shellcheck disable=SC2046 # a list of words
    scripts/test.sh plain --num-processes 1 "$@" $(
        meson test -C build/plain --list --suite unit 2>/dev/null | sed 's/.*[: ]//' |
            grep -vx faults | sort -u)
}

# The same with that default of memtable_size.
unit_with() {
    (export DCACHE_TEST_MEMTABLE=$1 && unit --logbase "memtable-$1")
}

# A program without a memtable, and with one whose ring turns all the time.
off_and_smallest() {
    (export TEST_MEMTABLE=0 && "$@") && (export TEST_MEMTABLE=65536 && "$@")
}

interop() {
    "$(scripts/oracle.sh)" tests/interop/interop.py "$programs/driver" --shim "$programs/dqs_off.so" "$@"
}

# What compares with 5.6.3, and is done once more off and at the smallest.
comparing='test_differential_cache or test_differential_evict or test_differential_fanout'
sections=theirs_then_ours,ours_then_theirs,incr,policies,evictions,seen_at_once,concurrent

# The parts. A part passes when its command does.
run_part() {
    case $1 in
    build-*) scripts/build.sh "${1#build-}" ;;
    unit) unit ;;
    unit-off) unit_with 0 ;;
    unit-smallest) unit_with 65536 ;;
    unit-asan) scripts/test.sh asan --num-processes 1 ;;
    coverage) scripts/test.sh coverage --num-processes 1 ;;
    cli) tests/cli/run.sh "$PWD/build/plain/diskcache" ;;
    interop) interop ;;
    python) scripts/test_python.sh -q -n "$jobs" ;;
    counts) python3 tests/counts/counts.py "$programs/counts" ;;
    stress-processes) "$programs/stress" --processes 8 --seconds 5 ;;
    stress-threads) "$programs/stress" --threads 16 --seconds 5 ;;
    stress-fanout) "$programs/stress" --processes 8 --fanout 4 --seconds 5 ;;
    history) "$programs/history" && "$programs/history" --defect ;;
    python-off) DISKCACHE_STEPS=10000 off_and_smallest scripts/test_python.sh -q -n "$jobs" -k "$comparing" ;;
    interop-off) off_and_smallest interop --seconds 4 --only "$sections" ;;
    history-off) off_and_smallest "$programs/history" ;;
    stress-off) off_and_smallest "$programs/stress" --processes 8 --seconds 4 ;;
    torture-off) off_and_smallest "$programs/torture" --kills 30 ;;
    locks-off) off_and_smallest "$programs/locks" --kills 15 ;;
    workqueue-off) off_and_smallest "$programs/workqueue" --kills 15 ;;
    powercut) TEST_MEMTABLE=65536 "$programs/powercut" --cases 400 && "$programs/powercut" --cases 400 && "$programs/powercut" --cases 80 --defect ;;
    torture) "$programs/torture" --kills 30 ;;
    locks) "$programs/locks" --kills 30 ;;
    workqueue) "$programs/workqueue" --kills 30 ;;
    docs) scripts/docs.sh && .venv/bin/python tests/check_docs.py ;;
    tidy) tests/check_tidy.sh 1 ;;
    *) "tests/check_$1.sh" ;;
    esac
}

# What a part counts itself, as "PASSED FAILED SKIPPED"; a part that does not count is one test. Unit tests
# are counted by cmocka, scripts say "N passed, N failed".
counted() {
    local part=$1 status=$2 passed failed
    if [ "$part" = coverage ]; then # its tests were counted elsewhere; this one is the percentage
        echo "$((status == 0)) $((status != 0)) 0"
        return
    elif [ "$status" = 77 ]; then # cannot be done on this machine
        echo '0 0 1'
        return
    fi
    passed=$(sed -nE 's/^\[  PASSED  \] ([0-9]+) test.*/\1/p; s/^([0-9]+) passed, [0-9]+ failed.*/\1/p' \
        "$logs/$part.log" | awk '{ n += $1 } END { print n + 0 }')
    failed=$(sed -nE 's/^\[  FAILED  \] ([0-9]+) test.*/\1/p; s/^[0-9]+ passed, ([0-9]+) failed.*/\1/p' \
        "$logs/$part.log" | awk '{ n += $1 } END { print n + 0 }')
    if [ "$status" != 0 ] && [ "$failed" = 0 ]; then
        failed=1
    elif [ "$status" = 0 ] && [ "$passed" = 0 ]; then
        passed=1
    fi
    echo "$passed $failed 0"
}

# One part, in a process of its own, so that xargs can run several.
if [ "${1:-}" = part ]; then
    part=$2
    begin=$(date +%s)
    status=0
    run_part "$part" >"$logs/$part.log" 2>&1 </dev/null || status=$?
    case $part in
    unit) cat build/plain/meson-logs/testlog.txt >>"$logs/$part.log" ;;
    unit-off) cat build/plain/meson-logs/memtable-0.txt >>"$logs/$part.log" ;;
    unit-smallest) cat build/plain/meson-logs/memtable-65536.txt >>"$logs/$part.log" ;;
    unit-asan) cat build/asan/meson-logs/testlog.txt >>"$logs/$part.log" ;;
    esac
    read -r passed failed skipped <<<"$(counted "$part" "$status")"
    echo "$passed $failed $skipped" >"$logs/$part.counted"
    case $status in
    0) word=ok ;;
    77) word=skipped ;;
    *) word=FAILED ;;
    esac
    note=$(grep -E '^(lines|differential): ' "$logs/$part.log" | tail -n 1 || true)
    printf '%-18s %-7s %5s tests %4s s  %s\n' "$part" "$word" $((passed + failed)) \
        $(($(date +%s) - begin)) "$note"
    if [ "$status" != 0 ]; then
        echo "--- the end of $logs/$part.log ---"
        grep -vE "^\[ RUN  |^\[       OK" "$logs/$part.log" | tail -n 60
        echo '---'
    fi
    exit 0
fi

rm -rf "$logs"
mkdir -p "$logs"
scripts/oracle.sh >/dev/null

for kind in $builds; do
    "$0" part "build-$kind"
done
if ! grep -qE '^[0-9]+ [1-9]' "$logs"/build-*.counted; then
    # shellcheck disable=SC2086 # lists of words
    printf '%s\n' $together | xargs -P "$jobs" -n 1 "$0" part
    for part in $alone; do
        "$0" part "$part"
    done
fi

cat "$logs"/*.counted | awk '
    { passed += $1; failed += $2; skipped += $3 }
    END {
        printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
        exit (failed > 0 || passed == 0)
    }'
