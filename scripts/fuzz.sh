#!/bin/sh
# fuzz.sh [SECONDS [TARGET...]]: run the fuzz targets, a minute each, from the inputs in tests/fuzz/corpus.
# What breaks one is left in build/fuzz/found/, and belongs into the corpus once it is mended.
set -eu
cd "$(dirname "$0")/.."

seconds=${1:-60}
[ $# = 0 ] || shift
[ $# != 0 ] || set -- directory msgpack pickle segment tool

scripts/build.sh fuzz
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
failed=0
for target in "$@"; do
    grown=build/fuzz/corpus/$target
    mkdir -p "$grown" build/fuzz/found
    if "build/fuzz/tests/fuzz_$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
        -max_len=32768 -artifact_prefix="build/fuzz/found/$target-" -print_final_stats=1 \
        "$grown" "tests/fuzz/corpus/$target" >"build/fuzz/$target.log" 2>&1; then
        echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$target.log") inputs"
    else
        tail -n 40 "build/fuzz/$target.log" >&2
        echo "fuzz.sh: $target broke" >&2
        failed=1
    fi
done
exit $failed
