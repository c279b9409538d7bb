#!/bin/bash
# test.sh KIND: build and run the unit tests, and what else makes sense, in that kind of build:
#   plain, asan, tsan, coverage   as in build.sh; coverage prints a table
#   valgrind                      the plain build under memcheck
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1
shift

# The sanitizers want the address space laid out in a way that some kernels do not; asked nicely
# they leave it alone.
calm=()
if setarch -R true 2>/dev/null; then
    calm=(setarch -R)
fi
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
# The tests fork, and their children have threads of their own.
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:die_after_fork=0

unit() {
    local dir=$1
    shift
    "${calm[@]}" meson test -C "$dir" --no-rebuild --suite unit --print-errorlogs "$@"
}

case $kind in
plain)
    scripts/build.sh plain
    unit build/plain "$@"
    ;;
asan | tsan)
    scripts/build.sh "$kind"
    unit "build/$kind" --timeout-multiplier 5 "$@"
    if [ "$kind" = asan ]; then
        "${calm[@]}" tests/cli/run.sh "$PWD/build/asan/diskcache"
    else
        for policy in least-recently-stored least-recently-used least-frequently-used none; do
            "${calm[@]}" build/tsan/tests/stress --threads 16 --seconds 10 --policy $policy
        done
    fi
    ;;
valgrind)
    scripts/build.sh plain
    memcheck='valgrind --quiet --error-exitcode=9'
    # A child leaves what it inherits alone, connections and all: in tests that fork that is no leak.
    # The fault loops, thousands of runs, would take hours; they have AddressSanitizer.
    unit build/plain --timeout-multiplier 20 db evict file ops os queues row txn values vfs \
        --wrap "$memcheck --leak-check=full --errors-for-leak-kinds=definite"
    unit build/plain --timeout-multiplier 20 damage modes settings shared store weather \
        --wrap "$memcheck"
    ;;
coverage)
    scripts/build.sh coverage
    find build/coverage -name '*.gcda' -delete
    unit build/coverage --timeout-multiplier 3 "$@"
    tests/cli/run.sh "$PWD/build/coverage/diskcache"
    gcovr --root . --filter src/ --exclude-unreachable-branches --print-summary \
        --fail-under-line 90 build/coverage
    ;;
*)
    echo "test.sh: no such kind: $kind" >&2
    exit 2
    ;;
esac
